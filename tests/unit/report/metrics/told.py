"""What every metric has to say, read out of the JSON report: a second source for each number.

A value is a number, or for histograms `(count, sum in ns, buckets)`; labels are in the metric's order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

Json = Any
Told = dict[tuple[str, ...], Any]
TRANSFERS: Final = ("send", "receive")
FILE_OPERATIONS: Final = ("read", "write", "fsync", "open", "unlink", "rename")


def dist(found: Json) -> tuple[int, int, dict[str, int]]:
    return found["count"], found["sum_ns"], found["buckets"]


def one(section: str, *path: str) -> Callable[[Json], Told]:
    def read(report: Json) -> Told:
        found = report[section]
        for key in path if found is not None else ():
            found = found[key] if found is not None else None
        return {} if found is None else {(): found}

    return read


def one_dist(section: str, *path: str) -> Callable[[Json], Told]:
    read = one(section, *path)
    return lambda report: {labels: dist(found) for labels, found in read(report).items()}


def by(section: str, names: tuple[str, ...], read: Callable[[Json], Any]) -> Callable[[Json], Told]:
    return lambda report: {(name,): read(report[section][name]) for name in names} if report[section] else {}


def counted(section: str, key: str) -> Callable[[Json], Told]:
    return lambda report: {(name,): number for name, number in report[section][key].items()} if report[section] else {}


def errors(section: str, names: tuple[str, ...]) -> Callable[[Json], Told]:
    return lambda report: (
        {(name, error): number for name in names for error, number in report[section][name]["errors"].items()}
        if report[section]
        else {}
    )


def failed(operation: Json) -> int:
    return sum(operation["errors"].values())


def rows(section: str, table: str, labels: Callable[[Json], tuple[str, ...]], key: str) -> Callable[[Json], Told]:
    def read(report: Json) -> Told:
        found = report[section]
        return {} if found is None or found[table] is None else {labels(row): row[key] for row in found[table]}

    return read


def pairs(section: str, pairs: dict[str, str]) -> Callable[[Json], Told]:
    return lambda report: {(label,): report[section][key] for label, key in pairs.items()} if report[section] else {}


def target(row: Json) -> tuple[str, ...]:
    if row["address"] == "(other)":
        return ("(other)", "")
    host = f"[{row['address']}]" if ":" in row["address"] else row["address"]
    return (f"{host}:{row['port']}", row["name"] or "")


def resolver(row: Json) -> tuple[str, ...]:
    return (f"{row['address']}:{row['port']}",)


def process(row: Json) -> tuple[str, ...]:
    return (row["comm"], str(row["pid"] or ""), str(row["node_pid"] or ""))


def end(row: Json) -> tuple[str, ...]:
    if row["comm"] == "(other)":
        return ("(other)", "", "")
    return (row["comm"], str(row["code"]), {0: "", 9: "SIGKILL"}[row["signal"]])


def statement(row: Json) -> tuple[str, ...]:
    return (row["protocol"], row["statement"])


def queries(read: Callable[[Json], int]) -> Callable[[Json], Told]:
    return lambda report: {statement(row): read(row) for row in report["queries"] or ()}


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def about(report: Json) -> Told:
    found = report["target"]
    shared = (
        found["namespace"] or "",
        ",".join(found["pods"]),
        ",".join(found["nodes"]),
        found["kernel"] or "",
        str(found["pid"] or ""),
        found["cgroup"] or "",
        " ".join(found["command"] or ()),
    )
    return {(container, *shared): 1 for container in found["containers"] or ("",)}


def partial(report: Json) -> Told:
    return {
        (name, part["lacks"]): seconds(part["until"])
        for name, section in report.items()
        if isinstance(section, dict)
        for part in section.get("partial", ())
    }


def dns_errors(report: Json) -> Told:
    dns = report["dns"]
    if dns is None:
        return {}
    codes = {name: dns["rcodes"].get(name, 0) for name in ("FORMERR", "SERVFAIL", "NOTIMP", "REFUSED")}
    return {(name,): number for name, number in {**codes, "timeouts": dns["timeouts"]}.items() if number}


def losses(report: Json) -> Told:
    return {
        (kind, loss["source"], loss["topic"]): loss["count"]
        for kind in ("lost", "dropped")
        for loss in report["trust"][f"{kind}_by"]
    }


def topics(report: Json) -> Told:
    names = ["tcp", "udp", "connections", "dns", "files", "cpu", "locks", "processes", "memory", "descriptors"]
    found: Told = {(name,): int(report[name] is not None) for name in names}
    return {**found, ("queries",): int(report["query_libraries"] is not None)}


def transfers(topic: str) -> dict[str, Callable[[Json], Told]]:
    prefix = f"podtrace_{topic}"
    return {
        f"{prefix}_operations_total": by(topic, TRANSFERS, lambda op: op["count"]),
        f"{prefix}_failures_total": by(topic, TRANSFERS, failed),
        f"{prefix}_bytes_total": by(topic, TRANSFERS, lambda op: op["bytes"]),
        f"{prefix}_errors_total": errors(topic, TRANSFERS),
        f"{prefix}_would_block_total": by(topic, TRANSFERS, lambda op: op["would_block"]),
        f"{prefix}_interrupted_total": by(topic, TRANSFERS, lambda op: op["interrupted"]),
        f"{prefix}_duration_seconds": by(topic, TRANSFERS, lambda op: dist(op["latency"])),
    }


TRACE: Final[dict[str, Callable[[Json], Told]]] = {
    "podtrace_info": lambda report: {(report["tool"]["version"], report["tool"]["tracer_version"] or ""): 1},
    "podtrace_target_info": about,
    "podtrace_start_timestamp_seconds": lambda report: {(): seconds(report["summary"]["start"])},
    "podtrace_report_timestamp_seconds": lambda report: {(): seconds(report["summary"]["end"])},
    "podtrace_topic_measured": topics,
    "podtrace_partial_since_timestamp_seconds": partial,
    "podtrace_events_total": one("summary", "events"),
    "podtrace_container_events_total": rows("target", "container_events", lambda row: (row["name"],), "events"),
    "podtrace_container_runs": rows("target", "container_events", lambda row: (row["name"],), "runs"),
    "podtrace_findings": lambda report: dict(Counter((each["rule"], each["severity"]) for each in report["findings"])),
    "podtrace_findings_rules": lambda report: {(): len(report["looked_for"])},
    "podtrace_trust_complete": lambda report: {
        (): int(report["trust"]["complete"] or not report["trust"]["notes"][1:])
    },
    "podtrace_trust_lost_total": one("trust", "lost"),
    "podtrace_trust_dropped_total": one("trust", "dropped"),
    "podtrace_trust_losses_total": losses,
    "podtrace_trust_gaps": lambda report: {(): len(report["trust"]["gaps"])},
    "podtrace_trust_missing_lines": lambda report: {(): sum(gap["lines"] for gap in report["trust"]["gaps"])},
    "podtrace_trust_noise_lines_total": one("trust", "noise_lines"),
    "podtrace_trust_broken_rows_total": one("trust", "broken_rows"),
    "podtrace_trust_bypassed_total": rows("trust", "bypassed", lambda row: (row["operation"],), "count"),
    "podtrace_trust_suppressed_events_total": counted("trust", "suppressed"),
    "podtrace_trust_probes": lambda report: {
        ("attached",): sum(probe["attached"] for probe in report["trust"]["probes"]),
        ("absent",): sum(not probe["attached"] for probe in report["trust"]["probes"]),
    },
    "podtrace_cost_tracer_cpu_seconds_total": one("cost", "tracer_cpu_s"),
    "podtrace_cost_tracer_resident_bytes": one("cost", "tracer_rss_bytes"),
    "podtrace_cost_stream_bytes_total": one("cost", "stream_bytes"),
    "podtrace_cost_overhead_ratio": one("cost", "overhead_ratio"),
    "podtrace_cost_program_seconds_total": rows("cost", "programs", lambda row: (row["name"],), "run_ns"),
    "podtrace_cost_program_runs_total": rows("cost", "programs", lambda row: (row["name"],), "runs"),
    "podtrace_cost_program_misses_total": rows("cost", "programs", lambda row: (row["name"],), "misses"),
    "podtrace_cost_shed": lambda report: {(): len(report["cost"]["shed"])},
}
NETWORK: Final[dict[str, Callable[[Json], Told]]] = {
    **transfers("tcp"),
    **transfers("udp"),
    "podtrace_tcp_rtt_seconds": one_dist("tcp", "rtt"),
    "podtrace_tcp_rtt_spikes_total": one("tcp", "rtt", "spikes"),
    "podtrace_tcp_retransmits_total": one("tcp", "retransmits"),
    "podtrace_tcp_resets_total": pairs("tcp", {"sent": "resets_sent", "received": "resets_received"}),
    "podtrace_tcp_state_changes_total": counted("tcp", "states"),
    "podtrace_udp_drops_total": one("udp", "drops"),
    "podtrace_connections_attempts_total": one("connections", "total"),
    "podtrace_connections_failures_total": one("connections", "failed"),
    "podtrace_connections_errors_total": counted("connections", "errors"),
    "podtrace_connections_accepted_total": one("connections", "accepted"),
    "podtrace_connections_accept_errors_total": counted("connections", "accept_errors"),
    "podtrace_connections_handshake_seconds": one_dist("connections", "latency"),
    "podtrace_connections_pending": one("connections", "pending"),
    "podtrace_connections_targets": one("connections", "unique_targets"),
    "podtrace_connections_target_attempts_total": rows("connections", "top_targets", target, "count"),
    "podtrace_connections_target_failures_total": rows("connections", "top_targets", target, "failed"),
    "podtrace_dns_lookups_total": one("dns", "lookups"),
    "podtrace_dns_lookup_seconds": one_dist("dns", "latency"),
    "podtrace_dns_failures_total": one("dns", "errors"),
    "podtrace_dns_errors_total": dns_errors,
    "podtrace_dns_answers_total": counted("dns", "rcodes"),
    "podtrace_dns_queries_total": counted("dns", "query_types"),
    "podtrace_dns_retransmits_total": one("dns", "retransmits"),
    "podtrace_dns_resolver_lookups_total": rows("dns", "resolvers", resolver, "count"),
    "podtrace_dns_resolver_timeouts_total": rows("dns", "resolvers", resolver, "timeouts"),
    "podtrace_dns_name_lookups_total": rows("dns", "top_names", lambda row: (row["name"],), "count"),
    "podtrace_dns_name_errors_total": rows("dns", "top_names", lambda row: (row["name"],), "errors"),
    "podtrace_dns_name_nxdomain_total": rows("dns", "top_names", lambda row: (row["name"],), "nxdomain"),
}
NODE: Final[dict[str, Callable[[Json], Told]]] = {
    "podtrace_queries_executions_total": queries(lambda row: row["count"]),
    "podtrace_queries_errors_total": queries(lambda row: row["errors"]),
    "podtrace_queries_seconds_total": queries(lambda row: row["latency"]["sum_ns"]),
    "podtrace_files_operations_total": by("files", FILE_OPERATIONS, lambda op: op["count"]),
    "podtrace_files_failures_total": by("files", FILE_OPERATIONS, failed),
    "podtrace_files_bytes_total": by("files", FILE_OPERATIONS[:2], lambda op: op["bytes"]),
    "podtrace_files_errors_total": errors("files", FILE_OPERATIONS),
    "podtrace_files_slow_total": by("files", FILE_OPERATIONS[:3], lambda op: op["slow"]),
    "podtrace_files_duration_seconds": by("files", FILE_OPERATIONS, lambda op: dist(op["latency"])),
    "podtrace_files_file_operations_total": rows("files", "top_files", lambda row: (row["path"],), "count"),
    "podtrace_files_file_bytes_total": rows("files", "top_files", lambda row: (row["path"],), "bytes"),
    "podtrace_files_file_slow_total": rows("files", "top_files", lambda row: (row["path"],), "slow"),
    "podtrace_cpu_seconds_total": one("cpu", "on_cpu_ns"),
    "podtrace_cpu_switches_total": one("cpu", "switches"),
    "podtrace_cpu_off_cpu_seconds": one_dist("cpu", "block"),
    "podtrace_cpu_wait_seconds": lambda report: (
        {(cause,): dist(found) for cause, found in report["cpu"]["block_by_cause"].items()} if report["cpu"] else {}
    ),
    "podtrace_cpu_process_seconds_total": rows("cpu", "processes", process, "on_cpu_ns"),
    "podtrace_cpu_process_switches_total": rows("cpu", "processes", process, "switches"),
    "podtrace_cpu_limit_periods_total": one("cpu", "throttling", "periods"),
    "podtrace_cpu_throttled_periods_total": one("cpu", "throttling", "throttled"),
    "podtrace_cpu_throttled_seconds_total": one("cpu", "throttling", "total_ns"),
    "podtrace_locks_wait_seconds": one_dist("locks", "waits"),
    "podtrace_locks_contended_wait_seconds": one_dist("locks", "contended"),
    "podtrace_locks_timeouts_total": one("locks", "timeouts"),
}
KINDS: Final = ("file", "socket", "pipe", "other")


def kinds(key: str) -> Callable[[Json], Told]:
    def read(report: Json) -> Told:
        found = (report["descriptors"] or {}).get("by_kind")
        return {(kind,): found[kind][key] for kind in KINDS if found[kind][key] is not None} if found else {}

    return read


def containers(key: str) -> Callable[[Json], Told]:
    read = rows("memory", "containers", lambda row: (row["container"],), key)
    return lambda report: {labels: number for labels, number in read(report).items() if number is not None}


def resident(report: Json) -> Told:
    found = rows("memory", "processes", process, "resident_bytes")(report)
    return {labels: number for labels, number in found.items() if number}


PROCESSES: Final[dict[str, Callable[[Json], Told]]] = {
    "podtrace_processes_active": one("processes", "active"),
    "podtrace_processes_events_total": rows("processes", "top", process, "events"),
    "podtrace_processes_execs_total": one("processes", "exec"),
    "podtrace_processes_exec_errors_total": counted("processes", "exec_errors"),
    "podtrace_processes_forks_total": pairs("processes", {"process": "fork_processes", "thread": "fork_threads"}),
    "podtrace_processes_exits_total": rows("processes", "exits", end, "count"),
    "podtrace_lifecycle_failures_total": one("lifecycle", "failed"),
    "podtrace_lifecycle_lifetime_seconds": one_dist("lifecycle", "lifetimes"),
    "podtrace_lifecycle_crash_loops": lambda report: (
        {(): len(report["lifecycle"]["crash_loops"])} if report["lifecycle"] else {}
    ),
    "podtrace_memory_faults_total": pairs("memory", {"minor": "minor_faults", "major": "major_faults"}),
    "podtrace_memory_oom_kills_total": one("memory", "oom_kills"),
    "podtrace_memory_process_major_faults_total": rows("memory", "processes", process, "major_faults"),
    "podtrace_memory_process_resident_bytes": resident,
    "podtrace_memory_limit_bytes": containers("limit_bytes"),
    "podtrace_memory_usage_bytes": containers("current_bytes"),
    "podtrace_memory_peak_bytes": containers("peak_bytes"),
    "podtrace_memory_working_set_bytes": containers("working_set_bytes"),
    "podtrace_descriptors_opened_total": one("descriptors", "opened"),
    "podtrace_descriptors_closed_total": one("descriptors", "closed"),
    "podtrace_descriptors_ended_with_process_total": one("descriptors", "ended_with_process"),
    "podtrace_descriptors_failed_opens_total": one("descriptors", "failed_opens"),
    "podtrace_descriptors_kind_opened_total": kinds("opened"),
    "podtrace_descriptors_kind_closed_total": kinds("closed"),
    "podtrace_descriptors_kind_growth": kinds("growth"),
    "podtrace_descriptors_process_open": rows("descriptors", "fullest", process, "open"),
    "podtrace_descriptors_process_limit": rows("descriptors", "fullest", process, "limit"),
    "podtrace_descriptors_leaks": lambda report: (
        {(): len(report["descriptors"]["leaks"])}
        if report["descriptors"] and report["descriptors"]["leaks"] is not None
        else {}
    ),
}
TOLD: Final = {**TRACE, **NETWORK, **NODE, **PROCESSES}
"""By metric: its series, as the JSON report has them."""
