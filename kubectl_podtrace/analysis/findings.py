"""What a report's reader should look at first: rules over the numbers, each with its evidence and a next step.

A rule looks at one kind of trouble and stays silent below its threshold, so that a healthy target has no findings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from kubectl_podtrace import units
from kubectl_podtrace.analysis.connections import Connections
from kubectl_podtrace.analysis.dns import Dns, errors_by_name
from kubectl_podtrace.analysis.endpoints import endpoint
from kubectl_podtrace.analysis.files import Files, TopFile
from kubectl_podtrace.analysis.pod_timeline import Incident, PodTimeline
from kubectl_podtrace.analysis.sections import Sections
from kubectl_podtrace.analysis.selection import OTHER, Op, SlowOp
from kubectl_podtrace.analysis.tcp import Rtt

Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "info")

SPIKE_RATIO: Final = 0.05
SLOW_RATIO: Final = 0.01
SLOW_FACTOR: Final = 10
"""One operation that took so many times its threshold is worth a finding by itself."""
CRITICAL_RATIO: Final = 0.5
FEW: Final = 10
"""Of fewer operations a ratio says little: the finding is there, as information."""
SEARCHING: Final = frozenset({"ENOENT"})
"""Programs look for files along search paths: not finding one is no failure."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to look at. `rule` names it for programs; `evidence` is its numbers, `fact` the most telling ones."""

    rule: str
    severity: Severity
    title: str
    fact: str
    evidence: str
    next_step: str


def find(sections: Sections, *, error_ratio: float) -> tuple[Finding, ...]:
    """The findings, most severe first. `error_ratio` is the threshold."""
    found: list[Finding] = []
    if pod := sections.kubernetes_events:
        found.extend(_ended_runs(pod))
        found.extend(_failed_probes(pod))
    if connections := sections.connections:
        found.extend(_failed_connections(connections, error_ratio))
    if tcp := sections.tcp:
        found.extend(_failing_operations({"TCP sends": tcp.send, "TCP receives": tcp.receive}, error_ratio))
        found.extend(_rtt_spikes(tcp.rtt))
    if udp := sections.udp:
        found.extend(_failing_operations({"UDP sends": udp.send, "UDP receives": udp.receive}, error_ratio))
    if dns := sections.dns:
        found.extend(_failed_lookups(dns, error_ratio))
    if files := sections.files:
        found.extend(_failing_operations(_file_operations(files), error_ratio))
        for name, operation in (("reads", files.read), ("writes", files.write), ("fsyncs", files.fsync)):
            found.extend(_slow_files(name, operation, files))
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def _severity(part: int, whole: int) -> Severity:
    if whole < FEW:
        return "info"
    return "critical" if part >= CRITICAL_RATIO * whole else "warning"


def _share(part: int, whole: int) -> str:
    return f"{units.count(part)} of {units.count(whole)} ({units.ratio(part / whole)})"


def _list(errors: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {units.count(number)}" for name, number in list(errors.items())[:3])


def _ended_runs(section: PodTimeline) -> Iterator[Finding]:
    """Runs that ended in the trace though nobody had asked for it; an end with exit code 0 is no trouble by itself."""
    deletions = [entry for entry in section.incidents if entry.kind == "deletion"]
    asked_at = deletions[0].at if deletions else None
    ended = [
        entry
        for entry in section.incidents
        if entry.exit_code and not (deletions and (asked_at is None or entry.at is None or entry.at >= asked_at))
    ]
    killed = [entry for entry in ended if entry.kind == "oom_kill"]
    if killed:
        whose = _counted_containers(killed)
        yield Finding(
            rule="container-oom-killed",
            severity="critical",
            title="out of memory",
            fact=f"killed at their memory limit: {whose}",
            evidence=f"the kernel killed containers at their memory limit: {whose}",
            next_step="compare the container's memory limit with what it needs, or look for what grows in it",
        )
    failed = [entry for entry in ended if entry.kind == "end"]
    if failed:
        last = failed[-1]
        codes = ", ".join(dict.fromkeys(f"exit {entry.exit_code}" for entry in failed[-FEW:]))
        whose = _counted_containers(failed)
        yield Finding(
            rule="container-failed",
            severity="warning",
            title="containers end with errors",
            fact=f"{whose} ({codes})",
            evidence=f"ended during the trace: {whose}, with {codes}",
            next_step=f"its last words: kubectl logs --previous -c {last.container}",
        )


def _counted_containers(entries: list[Incident]) -> str:
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry.container or ""] = counts.get(entry.container or "", 0) + entry.count
    return ", ".join(f"{name} {units.counted(number, 'time')}" for name, number in counts.items())


def _failed_probes(section: PodTimeline) -> Iterator[Finding]:
    failures = [entry for entry in section.incidents if entry.kind == "probe_failure"]
    if not failures:
        return
    whose = _counted_containers(failures)
    yield Finding(
        rule="probe-failed",
        severity="warning",
        title="probes fail",
        fact=whose,
        evidence=f"{whose}, last: {failures[-1].text}",
        next_step="compare the probe's timeout with the latencies here; what it runs in the container is traced too",
    )


def _failed_connections(section: Connections, error_ratio: float) -> Iterator[Finding]:
    if section.failed_ratio <= error_ratio:
        return
    worst = max(section.top_targets, key=lambda target: target.failed, default=None)
    peer = address = ""
    if worst and worst.failed and worst.address != OTHER:
        peer = endpoint(worst.name or worst.address, worst.port)
        address = f" ({worst.address})" if worst.name else ""
    most = f", most to {peer}" if peer else ""
    share, limit = _share(section.failed, section.total), units.ratio_threshold(error_ratio)
    yield Finding(
        rule="connections-failed",
        severity=_severity(section.failed, section.total),
        title="connections fail",
        fact=f"{share}{most}",
        evidence=f"{share} failed, threshold {limit}: {_list(section.errors)}{most}{address}",
        next_step=_connection_step(next(iter(section.errors), ""), peer or "the remote side"),
    )


def _connection_step(error: str, peer: str) -> str:
    match error:
        case "ECONNREFUSED":
            return f"nothing listens on {peer}: check the service behind it"
        case "ETIMEDOUT" | "EHOSTUNREACH" | "ENETUNREACH":
            return f"no way to {peer}: check NetworkPolicies, firewalls, routes"
        case "EADDRNOTAVAIL":
            return "local ports ran out: reuse connections (keep-alive, a pool)"
        case "ABORTED":
            return f"the program gave up on {peer}: compare its connect timeout with the latency"
        case _:
            return f"look for {error or 'the error'} and {peer} in the program's log"


def _failed_lookups(section: Dns, error_ratio: float) -> Iterator[Finding]:
    if section.error_ratio <= error_ratio:
        return
    errors = errors_by_name(section)
    kind = next(iter(errors))
    name = max(
        (entry for entry in section.top_names if entry.name != OTHER), key=lambda entry: entry.errors, default=None
    )
    most = f", most for {name.name}" if name and name.errors else ""
    # In a window, errors of earlier lookups can be more than its own lookups.
    share, limit = _share(min(section.errors, section.lookups), section.lookups), units.ratio_threshold(error_ratio)
    yield Finding(
        rule="error-rate",
        severity=_severity(section.errors, section.lookups),
        title="DNS lookups fail",
        fact=f"{share}, most with {kind}{most}",
        evidence=f"{share} failed, threshold {limit}: {_list(errors)}{most}",
        next_step=_lookup_step(kind),
    )


def _lookup_step(kind: str) -> str:
    match kind:
        case "timeouts":
            return "the resolver does not answer: check its pods, and NetworkPolicies for port 53 over UDP and TCP"
        case "SERVFAIL":
            return "the resolver got no answer itself: look into its log, and check the servers that it forwards to"
        case "REFUSED":
            return "the resolver does not serve these names: check which one /etc/resolv.conf in the container names"
        case _:
            return "look for these names in the resolver's log"


def _file_operations(section: Files) -> dict[str, Op]:
    return {
        "file reads": section.read,
        "file writes": section.write,
        "fsyncs": section.fsync,
        "file opens": section.open,
        "unlinks": section.unlink,
        "renames": section.rename,
    }


def _failing_operations(operations: Mapping[str, Op], error_ratio: float) -> Iterator[Finding]:
    for name, operation in operations.items():
        searching = operation.errors.keys() & SEARCHING if name in ("file opens", "unlinks") else set()
        errors = {error: number for error, number in operation.errors.items() if error not in searching}
        failed = sum(errors.values())
        if not failed or failed <= error_ratio * operation.count:
            continue
        limit = units.ratio_threshold(error_ratio)
        yield Finding(
            rule="error-rate",
            severity=_severity(failed, operation.count),
            title=f"{name} fail",
            fact=f"{_share(failed, operation.count)}, most with {next(iter(errors))}",
            evidence=f"{_share(failed, operation.count)} failed, threshold {limit}: {_list(errors)}",
            next_step=_error_step(next(iter(errors))),
        )


def _error_step(error: str) -> str:
    match error:
        case "ENOSPC" | "EDQUOT":
            return "free space, or raise the volume's size or quota (df -h in the container)"
        case "EACCES" | "EPERM" | "EROFS":
            return "check the container's user, file modes and read-only mounts"
        case "EMFILE" | "ENFILE":
            return "descriptors ran out: look for ones never closed, or raise the limit"
        case "ECONNREFUSED":
            return "nothing listens on the remote port: check the service behind it"
        case "ECONNRESET" | "EPIPE":
            return "the other side closed: check its log, idle timeout and restarts"
        case _:
            return f"look for {error} in the program's log"


def _rtt_spikes(rtt: Rtt) -> Iterator[Finding]:
    if not rtt.spikes or rtt.spikes <= SPIKE_RATIO * rtt.count:
        return
    yield Finding(
        rule="rtt-spikes",
        severity=_severity(rtt.spikes, rtt.count),
        title="round-trip times spike",
        fact=f"{_share(rtt.spikes, rtt.count)} above {units.threshold(rtt.threshold_ns)}",
        evidence=f"{_share(rtt.spikes, rtt.count)} samples above {units.threshold(rtt.threshold_ns)}: "
        f"p99 {units.duration(rtt.p99_ns)}, max {units.duration(rtt.max_ns)}",
        next_step="compare retransmits: many mean packet loss, few a far or busy peer",
    )


def _slow_files(name: str, operation: SlowOp, section: Files) -> Iterator[Finding]:
    latency, limit = operation.latency, section.slow_threshold_ns
    if not operation.slow or not latency.count:
        return
    if operation.slow <= SLOW_RATIO * latency.count and latency.max_ns < SLOW_FACTOR * max(limit, 1):
        return
    slowest: TopFile | None = max(
        (file for file in section.top_files if file.path != OTHER), key=lambda file: file.slow, default=None
    )
    where = f", most slow operations on {slowest.path}" if slowest and slowest.slow else ""
    share = f"{_share(operation.slow, latency.count)} took longer than {units.threshold(limit)}"
    longest = units.duration(latency.max_ns)
    yield Finding(
        rule="slow-files",
        severity=_severity(operation.slow, latency.count),
        title=f"{name} are slow",
        fact=f"{share}, max {longest}",
        evidence=f"{share}: p99 {units.duration(latency.p99_ns)}, max {longest}{where}",
        next_step="check the volume (type, IOPS limit)"
        + (" and whether each fsync is needed" if name == "fsyncs" else " and other users of its disk"),
    )
