"""Reports for tests: typical, healthy, silent, truncated, partial, gated, hostile, local."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.analysis.pod_history import ContainerRun, Deletion, Occurrence, PodHistory
from kubectl_podtrace.report.build import ClientFacts, ReportOptions, build_report
from kubectl_podtrace.report.gate.conditions import parse_condition
from kubectl_podtrace.report.gate.judge import judged
from kubectl_podtrace.report.model import Remark, Report
from kubectl_podtrace.report.target import TargetInfo
from kubectl_podtrace.wire.dns_records import (
    AddressNameRow,
    AddressNames,
    DnsNameRow,
    DnsNames,
    ResolverRow,
    Resolvers,
)
from kubectl_podtrace.wire.file_records import FailedOpenRow, FailedOpens, FileRow, Files
from kubectl_podtrace.wire.records import (
    Errors,
    ExitRow,
    Exits,
    LostRow,
    Notice,
    Processes,
    ProcessRow,
    Record,
    TargetRow,
    Targets,
    Totals,
)
from tests.unit.shop import shop_stream
from tests.unit.streams import (
    CONTAINER_ID,
    CPU_SHED,
    HEADER,
    LOSSES,
    SIDECAR_ID,
    TRANSFERS_SHED,
    Stream,
    cost,
    error_rows,
    folded,
    probe,
    process_end,
    scope,
    timed,
    totals_row,
)

CLIENT: Final = ClientFacts(
    version="0.1.0",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    ended_at=datetime(2026, 1, 1, 0, 1, tzinfo=UTC),
)
SECOND_ID: Final = "5e" * 32
THIRD_ID: Final = "37" * 32
API: Final = TargetInfo(
    namespace="shop",
    pods=("api-0",),
    containers=("api", "proxy"),
    nodes=("worker-1",),
    container_names={CONTAINER_ID: "api"},
    selected=frozenset({"api"}),
)
HOSTILE: Final = (
    "\x1b[31mred\x1b]0;title\x07 \u202egnp.exe\u202c a|b `c` <script>alert(1)</script> [x](http://evil) *_~ "
    "[bold]m[/bold] @you #1 $x$ :boom: \u2028\u200b\x00\x9b1m line\nbreak\r\ttab https://evil.example www.evil.example"
)


def report_of(
    fold: Fold, target: TargetInfo = API, options: ReportOptions | None = None, client: ClientFacts = CLIENT
) -> Report:
    return build_report(fold, target=target, options=options or ReportOptions(), client=client)


def typical() -> Report:
    return report_of(shop_stream().fold())


def healthy() -> Report:
    """A command in local mode that wrote a file and ended well."""
    stream = Stream(replace(HEADER, topics=("files", "processes", "descriptors"), node="laptop"))
    stream.add(scope(container_id=""), probe("raw_tracepoint:sys_exit", "files"), at_s=0.1)
    row, histogram = timed("files.write", [40_000] * 17, bytes=17 * 4_096)
    stream.add(
        Totals(rows=(row, totals_row("processes.exec", count=1), totals_row("processes.exit", count=1))),
        histogram,
        Files(
            rows=(
                FileRow(
                    scope=0, key=1, path="/tmp/" + "deeply/nested/" * 9 + "file.txt", operations=17, bytes=17 * 4_096,
                    slow=0, total_ns=1, opened=0,
                ),
            )
        ),
        Processes(rows=(ProcessRow(scope=0, pid=812, node_pid=812, start_ns=1, comm="dd", events=19, alive=False),)),
        Exits(rows=(ExitRow(scope=0, comm="dd", code=0, signal=0, count=1),)),
    )  # fmt: skip
    stream.end(2)
    target = TargetInfo(pid=812, cgroup="/podtrace/812", command=("dd", "of=/tmp/a b"), exit_status=0)
    return report_of(stream.fold(), target)


def restarted() -> Report:
    """A container that was killed for its memory, failed its probe and ended again; the sidecar just went on."""
    stream = Stream()
    stream.add(scope(), scope(1, SECOND_ID), scope(2, SIDECAR_ID), scope(3, THIRD_ID))
    stream.add(probe("raw_tracepoint:sys_exit", "files"), at_s=0.1)
    stream.add(
        process_end("shop", pid=1, signal=9, at_s=7.412),
        process_end("worker", pid=12, signal=9, at_s=7.413),
        process_end("worker", pid=13, signal=9, at_s=7.413),
        process_end("thumbnails", pid=40, signal=9, at_s=13.5, scope_index=1, name="OOM"),
        process_end("indexer", pid=41, signal=9, at_s=13.6, scope_index=1),
        process_end("shop", pid=1, code=3, at_s=21.9, scope_index=1),
        at_s=22,
    )
    rows = tuple(
        totals_row("files.read", scope=index, count=count) for index, count in enumerate((1_009, 509, 101, 53))
    )
    stream.add(Totals(rows=rows), at_s=29)
    stream.end(30)
    first = ContainerRun(container="api", container_id=CONTAINER_ID, number=1, started_at=second(-3_600))
    second_run = ContainerRun(container="api", container_id=SECOND_ID, number=2, started_at=second(8))
    third = ContainerRun(container="api", container_id=THIRD_ID, number=3, started_at=second(22))
    sidecar = ContainerRun(container="proxy", container_id=SIDECAR_ID, number=1, started_at=second(-3_600))
    history = PodHistory(
        phase="Running",
        runs=(
            replace(first, ended_at=second(7), reason="OOMKilled", exit_code=137),
            replace(second_run, ended_at=second(22), reason="Error", exit_code=3),
            third,
            sidecar,
        ),
        occurrences=(
            unhealthy(18, count=1),
            unhealthy(20, count=2),
            Occurrence(
                reason="BackOff", message="Back-off restarting failed container", warning=True, container="api",
                count=1, first_at=second(22), last_at=second(22),
            ),
        ),
    )  # fmt: skip
    names = {run.container_id: run.container for run in history.runs}
    return report_of(stream.fold(), replace(API, container_names=names, selected=None, history=history))


def second(number: int) -> datetime:
    """So many seconds after the probes were attached."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)


def unhealthy(at: int, *, count: int) -> Occurrence:
    """A liveness probe failed."""
    return Occurrence(
        reason="Unhealthy",
        message='Liveness probe failed: Get "http://10.0.0.7:8080/healthz": context deadline exceeded',
        warning=True,
        container="api",
        count=count,
        first_at=second(at),
        last_at=second(at),
    )


def silent() -> Report:
    """A container that ran and did nothing."""
    stream = Stream()
    stream.add(scope(), probe("raw_tracepoint:sys_exit", "files"), at_s=0.1)
    stream.end(30)
    return report_of(stream.fold())


def truncated() -> Report:
    """A stream with a hole, noise, losses, absent probes and no end."""
    stream = shop_stream(trailer=False)
    stream.beat(31, lost=LOSSES)
    stream.add(probe("raw_tracepoint:inet_sock_set_state", "connections", attached=False), at_s=31)
    return report_of(folded([*stream.lines[:12], *stream.lines[17:], b"Killed\n"]))


def partial() -> Report:
    """The same shop on a node for which tracing it all was too dear; something was lost that touches every topic."""
    stream = shop_stream(trailer=False)
    stream.add(TRANSFERS_SHED, CPU_SHED, at_s=29.97)
    stream.beat(29.98, lost=(LostRow(source="sys_exit: interrupted by itself", topic="all", count=3), *LOSSES))
    stream.end(30)
    return report_of(stream.fold())


GATE: Final = (
    "connections.failed_ratio > 1%", "findings.critical > 0", "files.fsync.latency.max > 100ms",
    "files.unlink.latency.p99 > 1ms", "files.unlink.latency.p99 > 1ms if any", "dns.latency.p99 > 50ms",
    "cpu.throttling.total > 1s", "trust.lost > 0", "tcp.send.errors.ECONNRESET > 1_000", "trust.complete == false",
    "files.write.bytes > 1GiB", "summary.events_per_s < 10",
)  # fmt: skip


def gated() -> Report:
    """The same, with a gate: conditions that hold, that do not, and that cannot be judged."""
    return judged(partial(), [parse_condition(text) for text in GATE])


def _hostile_lookups() -> tuple[Record, ...]:
    return (
        DnsNames(
            rows=(
                DnsNameRow(
                    scope=0, key=1, name=HOSTILE, lookups=11, answers=0, errors=0, nxdomain=0, timeouts=11, total_ns=0,
                    max_ns=0,
                ),
            )
        ),
        Resolvers(
            rows=(
                ResolverRow(
                    scope=0, address=HOSTILE, port=53, lookups=11, answers=0, timeouts=11, sum_ns=0, max_ns=0,
                    buckets=(),
                ),
            )
        ),
        AddressNames(rows=(AddressNameRow(scope=0, address=HOSTILE, name=HOSTILE),)),
    )  # fmt: skip


def _hostile_history() -> PodHistory:
    run = ContainerRun(
        container=HOSTILE, container_id=HOSTILE, number=2, ended_at=second(2), reason=HOSTILE, exit_code=1
    )
    other = replace(run, container_id="x", number=1, ended_at=second(1), reason="OOMKilled", exit_code=2**31)
    told = Occurrence(
        reason=HOSTILE, message=HOSTILE, warning=True, container=HOSTILE, count=11, first_at=second(1),
        last_at=second(4),
    )  # fmt: skip
    return PodHistory(
        phase=HOSTILE,
        runs=(run, other),
        occurrences=(told, replace(told, reason="Unhealthy")),
        deletion=Deletion(asked_at=second(5)),
    )


def hostile() -> Report:
    """Everything that a container, a node or a command line can name, named by an enemy."""
    stream = Stream(replace(HEADER, node=HOSTILE, kernel=HOSTILE, tracer_version=HOSTILE))
    stream.add(scope(container_id=HOSTILE), Notice(slug=HOSTILE, text=HOSTILE))
    stream.add(process_end(HOSTILE, pid=7, signal=9, at_s=4), process_end(HOSTILE, pid=8, signal=9, at_s=2))
    stream.add(replace(probe(HOSTILE, "tcp", attached=False, required=False), costs=HOSTILE, reason=HOSTILE))
    reads, histogram = timed("files.read", [20_000_000] * 11, slow_above=10_000_000, bytes=11)
    stream.add(
        Totals(
            rows=(
                reads, totals_row("connections.attempt", count=11), totals_row("connections.failure", count=11),
                totals_row("files.open", count=11, errors=11), totals_row("processes.exit", count=1),
                totals_row("dns.lookup", count=11, errors=11), totals_row("dns.timeout", count=11),
            )
        ),
        histogram,
        Errors(rows=(*error_rows("connections.failure", {111: 11}), *error_rows("files.open", {4_001: 11}))),
        Files(
            rows=(
                FileRow(scope=0, key=1, path=HOSTILE, operations=11, bytes=11, slow=11, total_ns=1, opened=0),
            )
        ),
        FailedOpens(rows=(FailedOpenRow(scope=0, key=1, path=HOSTILE, failed=11),)),
        Targets(
            rows=(
                TargetRow(
                    scope=0, address=HOSTILE, port=1, attempts=11, failed=11, established=0, handshake_ns=0, max_ns=0
                ),
            )
        ),
        *_hostile_lookups(),
        Processes(rows=(ProcessRow(scope=0, pid=1, node_pid=2, start_ns=1, comm=HOSTILE, events=33, alive=True),)),
        Exits(rows=(ExitRow(scope=0, comm=HOSTILE, code=1, signal=0, count=1),)),
    )  # fmt: skip
    stream.add(replace(CPU_SHED, probes=(HOSTILE,), lacks=HOSTILE), cost(5, **{HOSTILE: 1_000_000}))
    stream.end(5)
    target = TargetInfo(
        namespace=HOSTILE,
        pods=(HOSTILE,),
        containers=(HOSTILE,),
        nodes=(HOSTILE,),
        container_names={"x": HOSTILE},
        history=_hostile_history(),
        command=(HOSTILE,),
        cgroup=HOSTILE,
    )
    client = replace(CLIENT, notices=(Remark(slug="plugin", text=HOSTILE),))
    return report_of(stream.fold(), target, client=client)


REPORTS: Final[dict[str, Callable[[], Report]]] = {
    "typical": typical,
    "healthy": healthy,
    "restarted": restarted,
    "silent": silent,
    "truncated": truncated,
    "partial": partial,
    "gated": gated,
    "hostile": hostile,
}
