"""Which container is which while a pod is traced: restarts bring new ids, and the API forgets the old ones."""

from __future__ import annotations

from kubectl_podtrace.cluster.pod_watch import PodWatch
from kubectl_podtrace.cluster.pods import ENDED_PHASES
from kubectl_podtrace.cluster.target import Target
from kubectl_podtrace.report.target import TargetInfo


def target_info(found: Target, watch: PodWatch, *, narrowed: bool) -> TargetInfo:
    """The target as far as it is known now."""
    history = watch.history
    return TargetInfo(
        namespace=found.namespace,
        pods=(found.pod,),
        containers=tuple(container.name for container in found.containers),
        nodes=(found.node,),
        container_names={run.container_id: run.container for run in history.runs},
        selected=frozenset(found.selected) if narrowed else None,
        history=history,
    )


def last_words(pod: str, watch: PodWatch) -> str:
    """A last look; says what became of the pod, if it is not as it was."""
    answered = watch.look()
    history = watch.history
    if history.deletion:
        return f"pod {pod} was deleted while it was traced"
    if history.phase in ENDED_PHASES:
        return f"pod {pod} ended while it was traced ({history.phase})"
    return "" if answered else f"the cluster did not tell what became of pod {pod} at the end of the trace"
