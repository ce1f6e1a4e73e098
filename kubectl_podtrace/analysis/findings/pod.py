"""Rules about what happened to the pod: containers that were killed or failed, crash loops, probes, evictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.lifecycle import CONTAINER_LOOP_ENDS
from kubectl_podtrace.analysis.pod_timeline import Incident, PodTimeline

_SHOWN_CODES: Final = 10


def _counted(entries: Iterable[Incident]) -> str:
    counts: Counter[str] = Counter()
    for entry in entries:
        counts[entry.container or ""] += entry.count
    return ", ".join(f"{name} {units.counted(number, 'time')}" for name, number in counts.items())


def _codes(entries: list[Incident]) -> str:
    return ", ".join(dict.fromkeys(f"exit {entry.exit_code}" for entry in entries[-_SHOWN_CODES:]))


def _out_of_memory(section: PodTimeline, _: Observations) -> Iterator[Trouble]:
    killed = [entry for entry in section.unasked_ends if entry.kind == "oom_kill"]
    if killed:
        whose = _counted(killed)
        yield Trouble(
            severity="critical",
            title="out of memory",
            fact=f"killed at their memory limit: {whose}",
            evidence=f"the kernel killed containers at their memory limit: {whose}",
            next_step="compare the container's memory limit with what it needs, or look for what grows in it",
        )


def _looping(section: PodTimeline) -> set[str]:
    """Containers that ended with errors more than once, or once and the kubelet holds them back from restarting.

    Those that ran out of memory only are told of as such.
    """
    unasked = section.unasked_ends
    ends: Counter[str] = Counter()
    for entry in unasked:
        ends[entry.container or ""] += entry.count
    failed = {entry.container or "" for entry in unasked if entry.kind == "end"}
    held_back = {entry.container or "" for entry in section.incidents if entry.reason == "BackOff" and entry.container}
    return {
        name for name, number in ends.items() if name in failed and (number >= CONTAINER_LOOP_ENDS or name in held_back)
    }


def _crash_loop(section: PodTimeline, _: Observations) -> Iterator[Trouble]:
    names = _looping(section)
    ends = [entry for entry in section.unasked_ends if (entry.container or "") in names]
    if ends:
        whose = _counted(ends)
        yield Trouble(
            severity="critical",
            title="containers crash again and again",
            fact=f"{whose} ({_codes(ends)})",
            evidence=f"ended during the trace: {whose}, with {_codes(ends)}; the kubelet waits longer before each "
            "restart",
            next_step=f"its last words: kubectl logs --previous -c {ends[-1].container}",
        )


def _failed(section: PodTimeline, _: Observations) -> Iterator[Trouble]:
    looping = _looping(section)
    failed = [entry for entry in section.unasked_ends if entry.kind == "end" and (entry.container or "") not in looping]
    if failed:
        whose = _counted(failed)
        yield Trouble(
            severity="warning",
            title="containers end with errors",
            fact=f"{whose} ({_codes(failed)})",
            evidence=f"ended during the trace: {whose}, with {_codes(failed)}",
            next_step=f"its last words: kubectl logs --previous -c {failed[-1].container}",
        )


def _probes(section: PodTimeline, _: Observations) -> Iterator[Trouble]:
    failures = [entry for entry in section.incidents if entry.kind == "probe_failure"]
    if failures:
        whose = _counted(failures)
        yield Trouble(
            severity="warning",
            title="probes fail",
            fact=whose,
            evidence=f"{whose}, last: {failures[-1].text}",
            next_step="compare the probe's timeout with the latencies here; what it runs in the container is traced "
            "too",
        )


def _evicted(section: PodTimeline, _: Observations) -> Iterator[Trouble]:
    evictions = [entry for entry in section.incidents if entry.kind == "eviction"]
    if evictions:
        yield Trouble(
            severity="critical",
            title="the pod was evicted",
            fact=evictions[-1].reason,
            evidence=f"{evictions[-1].reason}: {evictions[-1].text}",
            next_step="look at what its node ran out of (kubectl describe node), and at the pod's requests and "
            "priority",
        )


def _pod(seen: Observations) -> PodTimeline | None:
    return seen.sections.kubernetes_events


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="pod-evicted",
        looks_for="evictions",
        section=_pod,
        check=_evicted,
        raised="Kubernetes tells that the pod was evicted or preempted",
        severity="critical",
        next_step="look at what the node ran out of, and at the pod's requests and priority",
    ),
    Rule(
        slug="container-oom-killed",
        looks_for="memory kills",
        section=_pod,
        check=_out_of_memory,
        raised="a container ends with the reason `OOMKilled`",
        severity="critical",
        next_step="compare the container's memory limit with what it needs, or look for what grows in it",
    ),
    Rule(
        slug="crash-loop",
        looks_for="crash loops",
        section=_pod,
        check=_crash_loop,
        raised=f"a container ends with errors {CONTAINER_LOOP_ENDS} times or more, or once while the kubelet holds "
        "back its restart",
        severity="critical",
        next_step="read its last words: `kubectl logs --previous`",
    ),
    Rule(
        slug="container-failed",
        looks_for="failed containers",
        section=_pod,
        check=_failed,
        raised="a container ends with an exit code other than 0 (once), before anybody deleted the pod",
        severity="warning",
        next_step="read its last words: `kubectl logs --previous`",
    ),
    Rule(
        slug="probe-failed",
        looks_for="failed probes",
        section=_pod,
        check=_probes,
        raised="Kubernetes tells of a failed liveness, readiness or startup probe",
        severity="warning",
        next_step="compare the probe's timeout with the latencies in the report",
    ),
)
