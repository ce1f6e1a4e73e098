"""What a calm target looks like, and the same with one thing changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from kubectl_podtrace.analysis.connections import Connections, ConnectionTarget, OneShotTarget
from kubectl_podtrace.analysis.cpu import BlockByCause, Cpu, Throttled
from kubectl_podtrace.analysis.descriptors import Descriptors, FullTable, Leak
from kubectl_podtrace.analysis.dns import Dns, DnsName, Resolver
from kubectl_podtrace.analysis.files import Files, OpenedFile, TopFile
from kubectl_podtrace.analysis.findings.finding import Finding
from kubectl_podtrace.analysis.findings.observations import Activity, CommandEnd, Observations
from kubectl_podtrace.analysis.findings.registry import diagnose
from kubectl_podtrace.analysis.lifecycle import CrashLoop, Lifecycle, Program
from kubectl_podtrace.analysis.locks import LockHolder, LockHotspot, Locks
from kubectl_podtrace.analysis.memory import ContainerMemory, Memory
from kubectl_podtrace.analysis.pod_timeline import Incident, PodTimeline
from kubectl_podtrace.analysis.processes import Exit, Processes
from kubectl_podtrace.analysis.queries import Query
from kubectl_podtrace.analysis.search_waste import SearchWaste
from kubectl_podtrace.analysis.sections import Sections
from kubectl_podtrace.analysis.selection import Dist, Op, SlowOp
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.analysis.tcp import Rtt, Tcp
from kubectl_podtrace.analysis.trust import Trust
from kubectl_podtrace.analysis.udp import Udp
from kubectl_podtrace.units import MILLISECOND_NS, SECOND_NS
from kubectl_podtrace.wire.topics import TOPICS

DURATION_S: Final = 30.0
NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)


def dist(count: int = 0, each_ns: int = 1_000, *, p95_ns: int | None = None, max_ns: int | None = None) -> Dist:
    """Durations that are all alike, but for what is named."""
    p95 = each_ns if p95_ns is None else p95_ns
    return Dist(
        count=count, sum_ns=count * each_ns, avg_ns=each_ns, max_ns=max(p95, max_ns or 0), p50_ns=each_ns, p95_ns=p95,
        p99_ns=max(p95, each_ns), buckets={},
    )  # fmt: skip


def op(count: int = 1_000, errors: dict[str, int] | None = None, *, bytes_: int = 0) -> Op:
    return Op(
        count=count, per_s=count / DURATION_S, bytes=bytes_, errors=errors or {}, would_block=0, interrupted=0,
        latency=dist(count),
    )  # fmt: skip


def file_op(count: int = 1_000, errors: dict[str, int] | None = None, *, slow: int = 0, **latency: int) -> SlowOp:
    plain = replace(op(count, errors), latency=dist(count, **latency))
    return SlowOp(**{**vars(plain), "slow": slow})


TCP: Final = Tcp(
    send=op(), receive=op(), error_ratio=0.0, retransmits=0, resets_sent=0, resets_received=0, peak_bytes_per_op=1,
    throughput_bytes_per_s=1.0, states={}, partial=(),
    rtt=Rtt(**vars(dist(1_000)), spikes=0, threshold_ns=100 * MILLISECOND_NS),
)  # fmt: skip
UDP: Final = Udp(
    send=op(), receive=op(), error_ratio=0.0, drops=0, peak_bytes_per_op=1, throughput_bytes_per_s=1.0, partial=()
)
SHOP: Final = ConnectionTarget(address="10.0.0.7", port=80, name="shop", count=1_000, failed=0)
CONNECTIONS: Final = Connections(
    total=1_000, per_s=33.3, accepted=0, accept_errors={}, latency=dist(1_000), failed=0, failed_ratio=0.0, errors={},
    top_targets=(SHOP,), pattern=None, peak_per_s=1.0, unique_targets=1, pending=0, one_shot=(), existing=None,
    partial=(),
)  # fmt: skip
NO_WASTE: Final = SearchWaste(
    useful=0, wasted=0, per_useful=None, empty_aaaa=0, search=(), ndots=1, names=(), advice=None
)
RESOLVER: Final = Resolver(address="10.96.0.10", port=53, count=1_000, timeouts=0, latency=dist(1_000))
DNS: Final = Dns(
    lookups=1_000, per_s=33.3, latency=dist(1_000), answers=1_000, errors=0, error_ratio=0.0, timeouts=0,
    retransmits=0, nxdomain_ratio=0.0, search_waste=NO_WASTE, rcodes={"NOERROR": 1_000}, query_types={"A": 1_000},
    top_names=(DnsName(name="db.shop", count=1_000, errors=0, nxdomain=0, addresses=()),), resolvers=(RESOLVER,),
    partial=(),
)  # fmt: skip
FILES: Final = Files(
    read=file_op(), write=file_op(), fsync=file_op(), open=op(), unlink=op(), rename=op(),
    slow_threshold_ns=10 * MILLISECOND_NS, throughput_bytes_per_s=1.0,
    top_files=(TopFile(path="/data/orders.db", count=3_000, bytes=1, slow=0),),
    top_opened=(OpenedFile(path="/etc/shop.conf", count=1_000, failed=0),), partial=(),
)  # fmt: skip
NO_WAITS: Final = BlockByCause(run_queue=dist(), lock=dist(), disk=dist(), network=dist(), sleep=dist(), other=dist())
CPU: Final = Cpu(
    switches=3_000, per_s=100.0, block=dist(), block_by_cause=NO_WAITS, throttling=None, top_functions=(), stacks=(),
    off_cpu=(), processes=(), on_cpu_ns=0, total_ratio=0.5, samples=1, partial=(),
)  # fmt: skip
PROCESSES: Final = Processes(
    active=1, top=(), exec=1, fork_processes=1, fork_threads=0, exec_errors={}, exits=(), partial=()
)
LIFECYCLE: Final = Lifecycle(ended=0, failed=0, oom_kills=0, lifetimes=dist(), programs=(), crash_loops=(), partial=())
LOCKS: Final = Locks(waits=dist(), contended=dist(), timeouts=0, hotspots=(), partial=())
MEMORY: Final = Memory(
    minor_faults=0, minor_faults_per_s=0.0, major_faults=7, major_faults_per_s=0.1, oom_kills=0, limit_bytes=None,
    current_bytes=None, peak_bytes=None, peak_is_exact=None, working_set_peak_bytes=None, used_ratio=None,
    containers=(), processes=(), partial=(),
)  # fmt: skip
QUERY: Final = Query(
    protocol="postgresql", statement="SELECT * FROM orders WHERE id = ?", count=1_000, errors=0, latency=dist(1_000)
)
DESCRIPTORS: Final = Descriptors(
    opened=1_000, failed_opens=0, closed=1_000, ended_with_process=0, by_kind=None, fullest=(), leaks=(),
    estimated_tables=0, partial=(),
)  # fmt: skip
TRUST: Final = Trust(
    complete=True, lost=0, dropped=0, gaps=(), truncated=False, noise_lines=0, probes=(), lost_by=(), dropped_by=(),
    bypassed=(), suppressed={}, tables=(), duplicates=0, broken_rows=0, notes=(), remarks=(),
)  # fmt: skip
CALM: Final = Observations(
    sections=Sections(
        tcp=TCP, udp=UDP, connections=CONNECTIONS, dns=DNS, files=FILES, cpu=CPU, processes=PROCESSES,
        lifecycle=LIFECYCLE,
        queries=(QUERY,),
        memory=MEMORY,
        locks=LOCKS,
        descriptors=DESCRIPTORS, kubernetes_events=PodTimeline(incidents=(), left_out=0),
    ),
    settings=Settings(
        topics=TOPICS, error_threshold_ratio=0.10, rtt_threshold_ns=100 * MILLISECOND_NS,
        fs_threshold_ns=10 * MILLISECOND_NS,
    ),
    trust=TRUST,
    activity=Activity(events=10_000, ran=True, containers=("api",), phase="Running"),
    duration_s=DURATION_S,
    cpus=4,
    command=CommandEnd(words=("serve",), status=0),
)  # fmt: skip
"""A busy target that has everything measured, and nothing wrong."""


def but(**sections: Any) -> Observations:
    """The calm target with other sections."""
    return replace(CALM, sections=replace(CALM.sections, **sections))


def with_tcp(**changes: Any) -> Observations:
    return but(tcp=replace(TCP, **changes))


def with_rtt(*, spikes: int, count: int = 1_000) -> Observations:
    return with_tcp(rtt=replace(TCP.rtt, count=count, spikes=spikes))


def with_udp(**changes: Any) -> Observations:
    return but(udp=replace(UDP, **changes))


def with_connections(**changes: Any) -> Observations:
    return but(connections=replace(CONNECTIONS, **changes))


def with_failures(failed: int, *, total: int = 1_000, error: str = "ECONNREFUSED") -> Observations:
    target = replace(SHOP, count=total, failed=failed)
    return with_connections(
        total=total, failed=failed, failed_ratio=failed / total, errors={error: failed}, top_targets=(target,)
    )


def with_dns(**changes: Any) -> Observations:
    return but(dns=replace(DNS, **changes))


def with_codes(**rcodes: int) -> Observations:
    return with_dns(rcodes={"NOERROR": 1, **rcodes}, errors=sum(rcodes.values()))


def with_files(**changes: Any) -> Observations:
    return but(files=replace(FILES, **changes))


def with_cpu(*, waits: int = 0, each_ns: int = 0, **changes: Any) -> Observations:
    return but(cpu=replace(CPU, block_by_cause=replace(NO_WAITS, run_queue=dist(waits, each_ns)), **changes))


def with_throttling(*, throttled: int, total_ns: int, periods: int = 300) -> Observations:
    return with_cpu(throttling=Throttled(periods=periods, throttled=throttled, total_ns=total_ns))


def with_exits(*exits: Exit) -> Observations:
    return but(processes=replace(PROCESSES, exits=exits))


def with_oom_kills(number: int, *exits: Exit) -> Observations:
    program = Program(
        comm="greedy", ended=9, failed=number, codes={}, signals={"SIGKILL": number}, oom_kills=number,
        lifetime_avg_ns=1, lifetime_max_ns=1,
    )  # fmt: skip
    lifecycle = replace(LIFECYCLE, oom_kills=number, programs=(program,))
    return but(lifecycle=lifecycle, processes=replace(PROCESSES, exits=exits))


def with_loop(**changes: Any) -> Observations:
    loop = CrashLoop(
        kind="program", name="migrate", count=7, code=3, signal=0, reason="", oom_kills=0, every_s=2.0,
        lifetime_avg_ns=150 * MILLISECOND_NS, first_s=1.0, last_s=13.0,
    )  # fmt: skip
    return but(lifecycle=replace(LIFECYCLE, crash_loops=(replace(loop, **changes),)))


def with_hotspot(**changes: Any) -> Observations:
    holder = LockHolder(tid=14, node_tid=4_014, comm="writer", waits=900, total_wait_ns=8 * SECOND_NS)
    spot = LockHotspot(
        address="0x7f00", symbol=None, kind="lock", pid=12, node_pid=4_012, comm="worker", waiters=4, max_waiters=3,
        waits=1_000, timeouts=0, total_wait_ns=9 * SECOND_NS, max_wait_ns=50 * MILLISECOND_NS, holder=holder,
    )  # fmt: skip
    return but(locks=replace(LOCKS, hotspots=(replace(spot, **changes),)))


def with_memory(used: int, limit: int | None) -> Observations:
    container = ContainerMemory(
        container="api", limit_bytes=limit, current_bytes=used, peak_bytes=used, peak_is_exact=True,
        working_set_bytes=used, working_set_peak_bytes=used, used_ratio=used / limit if limit else None, oom_kills=0,
    )  # fmt: skip
    return but(memory=replace(MEMORY, containers=(container,)))


def with_waste(wasted: int, advice: str | None = None) -> Observations:
    waste = SearchWaste(
        useful=100, wasted=wasted, per_useful=wasted / 100, empty_aaaa=0, search=("shop.svc.cluster.local",), ndots=5,
        names=(), advice=advice,
    )  # fmt: skip
    return with_dns(search_waste=waste)


def with_one_shots(connections: int, handshake_total_ns: int) -> Observations:
    target = OneShotTarget(
        address="10.0.0.9", port=443, name="api", connections=connections, handshake_total_ns=handshake_total_ns
    )
    return with_connections(one_shot=(target,))


def with_leak(growth: int, exhausted_in_s: float | None = None, **opened: Any) -> Observations:
    leak = Leak(
        pid=12, node_pid=4_012, comm="worker", kind="socket", growth=growth, open=growth + 20, limit=1_024,
        exhausted_in_s=exhausted_in_s, **opened,
    )  # fmt: skip
    return but(descriptors=replace(DESCRIPTORS, leaks=(leak,)))


def with_table(open_: int, limit: int) -> Observations:
    table = FullTable(pid=12, node_pid=4_012, comm="worker", open=open_, limit=limit, share_ratio=open_ / limit)
    return but(descriptors=replace(DESCRIPTORS, fullest=(table,)))


def with_incidents(*incidents: Incident) -> Observations:
    return but(kubernetes_events=PodTimeline(incidents=incidents, left_out=0))


def ended(code: int, *, kind: Any = "end", reason: str = "Error", signal: int | None = None) -> Incident:
    return Incident(at=NOON, kind=kind, container="api", run=1, reason=reason, exit_code=code, signal=signal)


def with_trust(**changes: Any) -> Observations:
    return replace(CALM, trust=replace(TRUST, **changes))


def with_activity(**changes: Any) -> Observations:
    activity = Activity(**{"events": 0, "containers": ("api",), "phase": "Running", **changes})
    return replace(CALM, activity=activity, sections=Sections())


def found(seen: Observations) -> list[str]:
    """The rules that are raised."""
    return [finding.rule for finding in diagnose(seen).findings]


def only(seen: Observations) -> Finding:
    """The one finding that there is."""
    (finding,) = diagnose(seen).findings
    return finding
