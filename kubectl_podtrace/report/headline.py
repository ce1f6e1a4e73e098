"""The first lines of a report: verdict, the worst facts, what to do next, and how far to trust it."""

from __future__ import annotations

from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings import SEARCHING, SEVERITIES, Finding
from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.analysis.selection import Selection
from kubectl_podtrace.analysis.summary import Summary
from kubectl_podtrace.analysis.trust import Trust
from kubectl_podtrace.report.model import Headline
from kubectl_podtrace.wire.topics import EVENT_OPERATIONS

FACTS: Final = 2

_LABELS: Final = {
    "files.read": "file read",
    "files.write": "file write",
    "files.fsync": "fsync",
    "files.open": "file open",
    "files.unlink": "unlink",
    "files.rename": "rename",
    "tcp.send": "TCP send",
    "tcp.rtt": "TCP round trip",
    "udp.send": "UDP send",
    "dns.lookup": "DNS lookup",
    "connections.handshake": "TCP handshake",
}
_RECEIVES: Final = {"tcp.receive": "TCP receive", "udp.receive": "UDP receive"}
"""They may wait for a peer that has nothing to say, such as a server's on an idle connection: long is not slow."""


def headline(
    fold: Fold,
    *,
    summary: Summary,
    findings: tuple[Finding, ...],
    trust: Trust,
    selection: Selection,
    containers: tuple[str, ...],
    seen: bool,
) -> Headline:
    """The headline; `seen` says whether any of the selected `containers` appeared in the stream."""
    trusted = trust_line(trust)
    ran = selection.of("cpu.switch").count or selection.of("cpu.run").sum_ns
    if summary.events == 0 and not ran:
        verdict, next_step = _silence(fold, summary, containers, seen=seen)
        return Headline(verdict=verdict, facts=(), next_step=next_step, trust=trusted)
    what = f"{units.counted(summary.events, 'event')} in {units.seconds(summary.duration_s)}"
    if findings:
        facts = tuple(f"{finding.title}: {finding.fact}" for finding in findings[:FACTS])
        return Headline(
            verdict=f"{_issues(findings)}; {what}", facts=facts, next_step=findings[0].next_step, trust=trusted
        )
    return Headline(
        verdict=f"no issue found; {what}",
        facts=_healthy_facts(selection),
        next_step="none needed; if trouble comes and goes, trace longer (--diagnose 10m)",
        trust=trusted,
    )


def trust_line(trust: Trust) -> str:
    """Complete or not, what was lost, and how many probes are missing, in one sentence."""
    absent = [probe for probe in trust.probes if not probe.attached]
    bypassed = trust.bypassed_operations
    complete = f"complete but for {units.counted(bypassed, 'operation')} through io_uring" if bypassed else "complete"
    parts = [complete if trust.complete else f"incomplete: {trust.notes[0]}" if trust.notes else "not finished"]
    losses = [
        f"{units.count(number)} {word}"
        for number, word in ((trust.lost, "lost in the kernel"), (trust.dropped, "dropped by the tracer"))
        if number
    ]
    if trust.missing_lines:
        losses.append(f"{units.counted(trust.missing_lines, 'line')} missing")
    if trust.noise_lines:
        losses.append(units.counted(trust.noise_lines, "noise line"))
    parts.extend(losses or ["nothing lost"])
    if bypassed and not trust.complete:
        parts.append(f"{units.counted(bypassed, 'operation')} through io_uring not counted")
    if absent:
        parts.append(f"{len(absent)} of {units.counted(len(trust.probes), 'probe')} absent")
    elif trust.probes:
        parts.append(f"{units.counted(len(trust.probes), 'probe')} attached")
    return "; ".join(parts)


def _issues(findings: tuple[Finding, ...]) -> str:
    by_severity = [
        units.counted(number, severity, {"critical": "critical", "warning": "warnings", "info": "info"}[severity])
        for severity in SEVERITIES
        if (number := sum(finding.severity == severity for finding in findings))
    ]
    return f"{units.counted(len(findings), 'issue')} ({', '.join(by_severity)})"


def _healthy_facts(selection: Selection) -> tuple[str, ...]:
    """What comes closest to trouble where there is none: the slowest operation and the share of errors."""
    facts = [*_slowest(selection)]
    waited = selection.latency("cpu.run_queue")
    if waited.count and not facts:
        facts.append(f"longest wait for a CPU: {units.duration(waited.max_ns)} (p99 {units.duration(waited.p99_ns)})")
    if selection.event_operations != EVENT_OPERATIONS:
        return tuple(facts)  # of cpu alone: a switch cannot fail
    errors = sum(counters.errors for name, counters in selection.counters.items() if name in EVENT_OPERATIONS)
    by_name = selection.errors_by_name("files.open")
    searching = sum(count for name, count in by_name.items() if name in SEARCHING)
    failed = errors + selection.of("connections.failure").count - searching
    share = f"{units.count(failed)} operations failed ({units.ratio(failed / selection.events)})" if failed else "none"
    absent = f", beside {units.count(searching)} opens of files that are not there" if searching else ""
    facts.append(f"errors: {share}{absent}")
    return tuple(facts[:FACTS])


def _slowest(selection: Selection) -> tuple[str, ...]:
    """The operation that took longest; a receive where nothing else was timed."""
    for labels, note in ((_LABELS, ""), (_RECEIVES, ", its wait for data included")):
        slowest = max(labels, key=lambda name: selection.of(name).max_ns)
        latency = selection.latency(slowest)
        if latency.count:
            p99 = f"p99 of {units.count(latency.count)}: {units.duration(latency.p99_ns)}"
            return (f"slowest: a {labels[slowest]} of {units.duration(latency.max_ns)}{note} ({p99})",)
    return ()


def _silence(fold: Fold, summary: Summary, containers: tuple[str, ...], *, seen: bool) -> tuple[str, str]:
    """Why there are no events, as far as known, and what to do."""
    if fold.refusal is not None:
        return f"nothing was traced: {fold.refusal.text}", fold.refusal.hint or "see the text above"
    if fold.header is None:
        return "nothing was traced: the tracer never answered", "run again with -v to see what the tracer said"
    if not fold.started_ns:
        return (
            "nothing was traced: the stream ended before the probes were attached",
            "run again; if it happens again, run with -v to see how far the tracer came",
        )
    who = f"container {', '.join(containers)}" if containers else "the target"
    if not seen:
        return (
            f"no events in {units.seconds(summary.duration_s)}: {who} was not seen running",
            "check that it runs (kubectl get pod, kubectl describe pod)",
        )
    return (
        f"no events in {units.seconds(summary.duration_s)}: {who} did nothing that was traced",
        "send it traffic while tracing, trace longer, or trace without --filter",
    )
