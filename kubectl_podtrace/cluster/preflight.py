"""Asks a cluster, before anything is created in it, what a trace depends on; many questions at a time.

What is known from the command line alone (the user's rights, the namespace) is asked while the target is still sought.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Final, Protocol, TypeVar

from kubectl_podtrace.cluster.answers import Answer, answers_to
from kubectl_podtrace.cluster.facts import Absent, Admission, Facts, Node, Right, Verdict
from kubectl_podtrace.cluster.target import Target
from kubectl_podtrace.errors import PodtraceError

_AT_A_TIME: Final = 6
"""Connections: one call each is quicker than waiting for a turn, and opening many takes longer than it saves."""

_Found = TypeVar("_Found")


class AskedCluster(Protocol):
    """The part of a cluster that is asked. Every call raises `PodtraceError` only when no answer can be had at all."""

    def may(self, right: Right) -> Verdict:
        """Whether the user has a right."""

    def namespace_phase(self, name: str) -> str | Absent:
        """A namespace's phase."""

    def get_node(self, name: str) -> Node | Absent:
        """A node."""

    def runtime_handler(self, runtime_class: str) -> str:
        """What runs the pods of a runtime class; empty when that is not told."""

    def try_pod(self, namespace: str, manifest: Mapping[str, object]) -> Admission:
        """What the cluster would say to a pod."""


class Questions:
    """Runs calls in threads of their own, a few at a time. Nobody waits for the threads at the program's end."""

    def __init__(self, at_a_time: int = _AT_A_TIME) -> None:
        self._turns = threading.BoundedSemaphore(at_a_time)

    def ask(self, call: Callable[[], _Found]) -> Future[_Found]:
        """The call's outcome, as soon as there is one."""
        outcome: Future[_Found] = Future()

        def answer() -> None:
            with self._turns:
                try:
                    outcome.set_result(call())
                except BaseException as error:  # noqa: BLE001  # whoever asked is to get it
                    outcome.set_exception(error)

        threading.Thread(target=answer, name="podtrace-question", daemon=True).start()
        return outcome


class Preflight:
    """The questions of one trace; those about rights and namespace are asked at once."""

    def __init__(
        self, *, cluster: AskedCluster, questions: Questions, rights: tuple[Right, ...], tracer_namespace: str
    ) -> None:
        self._cluster = cluster
        self._questions = questions
        self._namespace = tracer_namespace
        self._rights = [(right, questions.ask(partial(cluster.may, right))) for right in rights]
        self._phase = questions.ask(lambda: cluster.namespace_phase(tracer_namespace))

    def may_all(self, resource: str) -> bool:
        """Whether the user is known to have every right of a trace to a resource. Raises as `facts` does."""
        verdicts = [verdict.result() for right, verdict in self._rights if right.resource == resource]
        return all(verdict is Verdict.YES for verdict in verdicts)

    def facts(
        self,
        *,
        target: Target | PodtraceError,
        image: str | PodtraceError,
        manifest: Mapping[str, object] | None,
    ) -> Facts:
        """Ask the rest and wait for all. Without a target or an image there is no `manifest` to try.

        Raises `PodtraceError` when the API server does not answer or does not know the user.
        """
        cluster, ask = self._cluster, self._questions.ask
        found = target if isinstance(target, Target) else None
        node = ask(lambda: Absent.UNASKED if found is None else cluster.get_node(found.node))
        admission = ask(lambda: None if manifest is None else cluster.try_pod(self._namespace, manifest))
        runtime_class = "" if found is None else found.runtime_class
        handler = ask(lambda: cluster.runtime_handler(runtime_class) if runtime_class else "")
        return Facts(
            target=target,
            image=image,
            rights=tuple((right, verdict.result()) for right, verdict in self._rights),
            namespace=self._namespace,
            phase=self._phase.result(),
            node=node.result(),
            runtime_handler=handler.result(),
            admission=admission.result(),
        )

    def answers(
        self,
        *,
        target: Target | PodtraceError,
        image: str | PodtraceError,
        manifest: Mapping[str, object] | None,
    ) -> tuple[Answer, ...]:
        """The same, judged."""
        return answers_to(self.facts(target=target, image=image, manifest=manifest))
