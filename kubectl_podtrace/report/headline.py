"""The first lines of a report: verdict, the worst facts, what to do next, and how far to trust it."""

from __future__ import annotations

from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.files import SEARCHING
from kubectl_podtrace.analysis.findings.finding import SEVERITIES, Finding
from kubectl_podtrace.analysis.findings.silence import NO_EVENTS
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


def headline(*, summary: Summary, findings: tuple[Finding, ...], trust: Trust, selection: Selection) -> Headline:
    """The headline. A trace without an event says first why it has none."""
    trusted = trust_line(trust)
    silence = next((finding for finding in findings if finding.rule == NO_EVENTS), None)
    what = f"{units.counted(summary.events, 'event')} in {units.seconds(summary.duration_s)}"
    if findings:
        told = [finding for finding in findings if finding is not silence]
        return Headline(
            verdict=f"{silence.title}: {silence.evidence}" if silence else f"{_tally(findings)}; {what}",
            facts=tuple(f"{finding.title}: {finding.fact}" for finding in told[:FACTS]),
            next_step=findings[0].next_step,
            trust=trusted,
        )
    return Headline(
        verdict=f"no findings; {what}",
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


def _tally(findings: tuple[Finding, ...]) -> str:
    """How many, and how many of each severity that there is, the worst first."""
    by_severity = [
        units.counted(number, severity, severity + "s" if severity == "warning" else severity)
        for severity in SEVERITIES
        if (number := sum(finding.severity == severity for finding in findings))
    ]
    return ", ".join((units.counted(len(findings), "finding"), *by_severity))


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
