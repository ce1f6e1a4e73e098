"""What is asked and tidied up before a tracer pod is made: one place for a trace and for `check`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import Future

from kubectl_podtrace.cli.own_traces import own_traces
from kubectl_podtrace.cluster.answers import Answer, check, notices_of
from kubectl_podtrace.cluster.client import Cluster
from kubectl_podtrace.cluster.facts import rights_for
from kubectl_podtrace.cluster.leftovers import Owner, Removal, TracerPod, remove_own
from kubectl_podtrace.cluster.preflight import Preflight, Questions
from kubectl_podtrace.cluster.target import Target, TargetSpec, resolve
from kubectl_podtrace.errors import PodtraceError
from kubectl_podtrace.units import counted


class Beforehand:
    """Asks, from its creation on, for the target and for what can be asked before that is known."""

    def __init__(self, cluster: Cluster, spec: TargetSpec, *, namespace: str, tracer_namespace: str) -> None:
        self._cluster = cluster
        self._namespace = tracer_namespace
        self._questions = Questions()
        self._target = self._questions.ask(lambda: resolve(spec, namespace, cluster))
        self._preflight = Preflight(
            cluster=cluster,
            questions=self._questions,
            rights=rights_for(
                namespace=namespace, tracer_namespace=tracer_namespace, of_deployment=spec.kind == "deployment"
            ),
            tracer_namespace=tracer_namespace,
        )
        self._user = self._questions.ask(cluster.user_name)
        self._removal: Future[Removal] | None = None
        self.own = own_traces(os.environ)

    def target(self) -> Target:
        """What is to be traced. Raises `PodtraceError`."""
        return self._target.result()

    def user(self) -> str:
        """Who the user is to the cluster, empty where it does not say."""
        return self._user.result()

    def may_attach(self) -> bool:
        """Whether the user is known to be allowed to attach to the tracer pod, on older servers and newer ones."""
        return self._preflight.may_all("pods/attach")

    def remove_leftovers(self) -> None:
        """Begin to remove what earlier traces of this user left in the tracer pod's namespace."""
        owner = Owner(client_id=self.own.client_id)
        self._removal = self._questions.ask(
            lambda: remove_own(self._cluster, self._namespace, owner, client_of=self.own.client_of)
        )

    def answers(
        self, target: Target | PodtraceError, *, image: str | PodtraceError, manifest: Mapping[str, object] | None
    ) -> tuple[Answer, ...]:
        """Whether the trace can be."""
        return self._preflight.answers(target=target, image=image, manifest=manifest)

    def check(self, target: Target, *, image: str, manifest: Mapping[str, object]) -> list[str]:
        """Raises `PodtraceError` when the trace cannot be; else what is to be told before it."""
        answers = self.answers(target, image=image, manifest=manifest)
        check(answers)
        return [*notices_of(answers), *self._removed()]

    def _removed(self) -> list[str]:
        if self._removal is None:
            return []
        removal = self._removal.result()
        for pod in removal.removed:
            self.own.forget(pod)
        told = [
            f"{_listed(pod)} could not be removed ({error.message}); see: kubectl podtrace clean -n {pod.namespace}"
            for pod, error in removal.failed
        ]
        if removal.removed:
            names = ", ".join(pod.name for pod in removal.removed)
            number = counted(len(removal.removed), "tracer pod")
            told.insert(0, f"removed {number} that earlier traces of yours left behind: {names}")
        return told


def _listed(pod: TracerPod) -> str:
    return f"tracer pod {pod.name}, left behind by an earlier trace of yours,"
