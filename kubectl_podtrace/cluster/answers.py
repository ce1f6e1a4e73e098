"""From facts about a cluster to answers: can this pod be traced, by this user, on this node? Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.cluster.facts import Absent, Admission, Facts, Node, Right, Verdict, kind_by_name
from kubectl_podtrace.cluster.pods import NodeCondition
from kubectl_podtrace.cluster.target import Target
from kubectl_podtrace.errors import (
    AdmissionRefusedError,
    NodeUnavailableError,
    PermissionDeniedError,
    PodtraceError,
    TargetNotFoundError,
    TargetNotTraceableError,
)

OLDEST_KERNEL: Final = (5, 10)
_SYSTEM: Final = "linux"
_ARCHITECTURES: Final = ("amd64", "arm64")
_SANDBOX: Final = re.compile(r"(^|[-_.])(gvisor|runsc|kata)", re.IGNORECASE)
_RELEASE: Final = re.compile(r"(\d+)\.(\d+)")
_MAY: Final = "may "
_ANOTHER_NAMESPACE: Final = "name another namespace with --tracer-namespace"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One question answered. An `error` forbids the trace; `notice` is told before one all the same."""

    name: str
    verdict: Verdict
    words: str
    remedy: str = ""
    error: PodtraceError | None = None
    notice: str = ""


def answers_to(facts: Facts) -> tuple[Answer, ...]:
    """Everything that a trace depends on, in the order in which it is best repaired."""
    return tuple(_answers(facts))


def check(answers: Iterable[Answer]) -> None:
    """Raises the first error among the answers, with a word on how many there are."""
    errors = [answer.error for answer in answers if answer.error is not None]
    if not errors:
        return
    if len(errors) > 1:
        more = f"{len(errors) - 1} more: kubectl podtrace check"
        errors[0].hint = f"{errors[0].hint}; {more}" if errors[0].hint else more
    raise errors[0]


def notices_of(answers: Iterable[Answer]) -> list[str]:
    """What a user should know before a trace that can begin; all rights that it does without in one."""
    told = list(answers)
    lacking = [answer.name for answer in told if answer.verdict is Verdict.NO and answer.error is None]
    names = ", ".join(name.removeprefix(_MAY) for name in lacking)
    rights = [f"you may not {names}: kubectl podtrace check says what is done without"] if lacking else []
    return [*rights, *(answer.notice for answer in told if answer.notice)]


def _answers(facts: Facts) -> Iterator[Answer]:
    node = facts.target.node if isinstance(facts.target, Target) else ""
    yield _about_target(facts.target)
    if isinstance(facts.target, Target) and facts.target.runtime_class:
        yield _about_runtime(facts.target, facts.runtime_handler)
    yield _about_namespace(facts.namespace, facts.phase)
    denied = facts.admission.refused if facts.admission is not None else None
    for right, verdict in facts.rights:
        is_refused = isinstance(denied, PermissionDeniedError) and str(right) == "create pods"
        yield _refused(f"{_MAY}{right}", denied) if is_refused and denied is not None else _about_right(right, verdict)
    yield from _about_node(facts.node, node)
    yield _about_image(facts.image, facts.node)
    yield _about_admission(facts.admission, facts.namespace)


def _refused(name: str, error: PodtraceError) -> Answer:
    return Answer(name=name, verdict=Verdict.NO, words=error.message, remedy=error.hint or "", error=error)


def _about_target(target: Target | PodtraceError) -> Answer:
    if isinstance(target, PodtraceError):
        return _refused("pod", target)
    words = f"{target.namespace}/{target.pod}, {', '.join(target.selected)}"
    return Answer(name="pod", verdict=Verdict.YES, words=words)


def _about_runtime(target: Target, handler: str) -> Answer:
    """Programs in a sandbox make their system calls to a kernel that the node's kernel does not see into."""
    named = f'runtime class "{target.runtime_class}"' + (f", handler {handler}" if handler else "")
    if not _SANDBOX.search(handler or target.runtime_class):
        return Answer(name="sandbox", verdict=Verdict.YES, words=f"none that is known: {named}")
    error = TargetNotTraceableError(
        f'pod "{target.pod}" runs in a sandbox with a kernel of its own ({named}): its node would see the sandbox\'s '
        "work, not that of its programs",
        "trace a copy of the pod without runtimeClassName",
    )
    return _refused("sandbox", error)


def _about_namespace(name: str, phase: str | Absent) -> Answer:
    match phase:
        case Absent.GONE:
            return _refused(
                "namespace",
                TargetNotFoundError(f'the tracer pod\'s namespace "{name}" does not exist', _ANOTHER_NAMESPACE),
            )
        case "Terminating":
            return _refused(
                "namespace",
                AdmissionRefusedError(
                    f'namespace "{name}" is being deleted: no tracer pod can be made in it', _ANOTHER_NAMESPACE
                ),
            )
        case Absent():
            return Answer(name="namespace", verdict=Verdict.UNKNOWN, words=f"{name} {phase.value}")
        case _:
            return Answer(name="namespace", verdict=Verdict.YES, words=f"{name} is {phase.lower() or 'there'}")


def _about_right(right: Right, verdict: Verdict) -> Answer:
    name = f"{_MAY}{right}"
    where = f"in {right.namespace}, " if right.namespace else ""
    words = f"{where}{right.purpose}"
    match verdict:
        case Verdict.YES:
            return Answer(name=name, verdict=verdict, words=words)
        case Verdict.UNKNOWN:
            return Answer(name=name, verdict=verdict, words=f"{words}: the API server does not say")
        case Verdict.NO:
            error = _lacking(right)
            if right.required:
                return _refused(name, error)
            return Answer(name=name, verdict=verdict, words=f"{words}; it is done without", remedy=error.hint or "")


def _lacking(right: Right) -> PermissionDeniedError:
    error = PermissionDeniedError(
        verb=right.verb, resource=right.resource, namespace=right.namespace, why=f"it is needed {right.purpose}"
    )
    role = "podtrace" if right.namespace else "podtrace-nodes"
    error.hint = f"{error.hint}; the ClusterRole {role} of manifests/rbac.yaml has it"
    return error


def _about_node(node: Node | Absent, name: str) -> Iterator[Answer]:
    if not isinstance(node, Node):
        kind = kind_by_name(name)
        if kind:
            yield _refused("node", _no_processes(name, kind))
        elif node is Absent.GONE:
            yield _refused("node", _unusable(name, "is gone"))
        else:
            yield Answer(name="node", verdict=Verdict.UNKNOWN, words=f"{name} {node.value}".strip())
        return
    error = _why_unusable(node)
    if error is not None:
        yield _refused("node", error)
        return
    words = ", ".join(part for part in (node.name, node.condition.value, node.system, node.architecture) if part)
    cordoned = f"node {node.name} is cordoned: the tracer pod is put there all the same" if node.cordoned else ""
    yield Answer(
        name="node",
        verdict=Verdict.YES,
        words=words + ("; cordoned, which is no obstacle" if cordoned else ""),
        notice=cordoned,
    )
    yield _about_kernel(node)


def _why_unusable(node: Node) -> PodtraceError | None:
    if node.kind:
        return _no_processes(node.name, node.kind)
    if node.system not in {"", _SYSTEM}:
        return _unusable(node.name, f"runs {node.system}; only Linux nodes can be traced")
    if node.architecture not in {"", *_ARCHITECTURES}:
        return _unusable(
            node.name, f"is of architecture {node.architecture}; the tracer is made for {' and '.join(_ARCHITECTURES)}"
        )
    if node.condition is NodeCondition.NOT_READY:
        return _unusable(node.name, f"is not ready{': ' if node.why_not_ready else ''}{node.why_not_ready}")
    return None


def _unusable(name: str, why: str) -> NodeUnavailableError:
    return NodeUnavailableError(f'the pod\'s node "{name}" {why}', f"see: kubectl describe node {name}")


def _no_processes(name: str, kind: str) -> NodeUnavailableError:
    return NodeUnavailableError(
        f'the pod\'s node "{name}" is a virtual one ({kind}): it has no kernel of its own to trace on',
        "run the pod on a node that is a machine",
    )


def _about_kernel(node: Node) -> Answer:
    found = _RELEASE.match(node.kernel)
    if found is None:
        return Answer(name="kernel", verdict=Verdict.UNKNOWN, words=node.kernel or "the node does not tell its release")
    if (int(found[1]), int(found[2])) >= OLDEST_KERNEL:
        return Answer(name="kernel", verdict=Verdict.YES, words=node.kernel)
    oldest = ".".join(map(str, OLDEST_KERNEL))
    words = f"{node.kernel} is older than {oldest}, the oldest that was tried; the tracer finds out what it can do"
    return Answer(name="kernel", verdict=Verdict.UNKNOWN, words=words, notice=f"the node's kernel {words}")


def _about_image(image: str | PodtraceError, node: Node | Absent) -> Answer:
    if isinstance(image, PodtraceError):
        return _refused("image", image)
    if isinstance(node, Node) and image in node.images:
        return Answer(name="image", verdict=Verdict.YES, words=f"{image} is on the node")
    return Answer(
        name="image", verdict=Verdict.UNKNOWN, words=f"{image}: whether the node can pull it shows at a start"
    )


def _about_admission(admission: Admission | None, namespace: str) -> Answer:
    name = "admission"
    if admission is None:
        return Answer(name=name, verdict=Verdict.UNKNOWN, words="there is no tracer pod to try it with")
    if isinstance(admission.refused, PermissionDeniedError):
        return Answer(name=name, verdict=Verdict.UNKNOWN, words="can only be tried by who may create pods")
    if admission.refused is not None:
        return _refused(name, admission.refused)
    if admission.untested:
        return Answer(name=name, verdict=Verdict.UNKNOWN, words=admission.untested)
    if admission.taken:
        taken = " and ".join(admission.taken)
        words = f'the cluster\'s policy takes {taken} from the tracer pod in namespace "{namespace}"'
        return _refused(name, AdmissionRefusedError(words, _ANOTHER_NAMESPACE))
    if admission.added:
        words = f"adds to the tracer pod: {', '.join(admission.added)}"
        return Answer(
            name=name,
            verdict=Verdict.YES,
            words=f"lets the tracer pod in, and {words}",
            notice=f"a policy of the cluster {words}; the pod may not end by itself",
        )
    return Answer(name=name, verdict=Verdict.YES, words="lets the tracer pod in (server-side dry run)")
