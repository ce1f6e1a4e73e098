"""Whatever a healthy target does, and however much of it, raises nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.analysis.cpu import Throttled
from kubectl_podtrace.analysis.descriptors import Leak
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.findings.registry import diagnose
from kubectl_podtrace.analysis.processes import Exit
from kubectl_podtrace.analysis.selection import Dist, Op, SlowOp
from kubectl_podtrace.units import MILLISECOND_NS, SECOND_NS
from tests.unit.analysis.findings import seen
from tests.unit.analysis.findings.seen import dist

MANY = 10**7
counts = st.integers(min_value=0, max_value=MANY)
plans = st.sampled_from(["ENOENT", "ENOTDIR"])
troubles = st.sampled_from(["EACCES", "ECONNRESET", "ETIMEDOUT", "EPERM", "EPIPE"])


@st.composite
def usual_dists(draw: st.DrawFn, *, count: int, below_ns: int) -> Dist:
    each = draw(st.integers(min_value=100, max_value=below_ns // 2))
    return dist(count, each, p95_ns=draw(st.integers(min_value=each, max_value=below_ns)))


@st.composite
def usual_ops(draw: st.DrawFn) -> Op:
    """Up to a twentieth of them fail: half of the threshold."""
    count = draw(counts)
    errors = {draw(troubles): draw(st.integers(min_value=0, max_value=count // 20))}
    return seen.op(count, {name: number for name, number in errors.items() if number}, bytes_=draw(counts))


@st.composite
def usual_file_ops(draw: st.DrawFn) -> SlowOp:
    """Some are slow: one in two hundred, or so few and short that together they are nothing."""
    plain = draw(usual_ops())
    latency = draw(usual_dists(count=plain.count, below_ns=9 * MILLISECOND_NS))
    slow = draw(st.integers(min_value=0, max_value=plain.count // 200))
    longest = draw(st.integers(min_value=latency.max_ns, max_value=999 * MILLISECOND_NS)) if slow else latency.max_ns
    return SlowOp(**{**vars(plain), "latency": replace(latency, max_ns=longest), "slow": slow})


@st.composite
def usual_opens(draw: st.DrawFn) -> Op:
    """Most of them may fail: along search paths."""
    plain = draw(usual_ops())
    searched = draw(st.integers(min_value=0, max_value=plain.count - sum(plain.errors.values())))
    return replace(plain, errors={draw(plans): searched, **plain.errors} if searched else plain.errors)


@st.composite
def healthy_targets(draw: st.DrawFn) -> Observations:
    tcp = replace(
        seen.TCP, send=draw(usual_ops()), receive=draw(usual_ops()), retransmits=draw(st.integers(0, 9)),
        resets_received=draw(counts), resets_sent=draw(counts),
    )  # fmt: skip
    samples = draw(counts)
    tcp = replace(tcp, rtt=replace(tcp.rtt, count=samples, spikes=draw(st.integers(0, samples // 20))))
    attempts = draw(counts)
    connections = replace(
        seen.CONNECTIONS, total=attempts, failed=draw(st.integers(0, attempts // 20)),
        latency=draw(usual_dists(count=max(attempts, MANY), below_ns=100 * MILLISECOND_NS)),
    )  # fmt: skip
    lookups = draw(counts)
    dns = replace(
        seen.DNS, lookups=lookups, timeouts=draw(st.integers(0, lookups // 200)), errors=lookups // 20,
        retransmits=draw(st.integers(0, lookups // 20)), rcodes={"NXDOMAIN": lookups, "SERVFAIL": lookups // 20},
        resolvers=(replace(seen.RESOLVER, latency=draw(usual_dists(count=lookups, below_ns=100 * MILLISECOND_NS))),),
    )  # fmt: skip
    files = replace(
        seen.FILES, read=draw(usual_file_ops()), write=draw(usual_file_ops()), fsync=draw(usual_file_ops()),
        open=draw(usual_opens()), unlink=draw(usual_opens()), rename=draw(usual_ops()),
    )  # fmt: skip
    return seen.but(
        tcp=tcp, connections=connections, dns=dns, files=files, cpu=draw(cpus()), udp=draw(udps()),
        processes=replace(seen.PROCESSES, exits=tuple(draw(st.lists(usual_exits(), max_size=5)))),
        descriptors=replace(seen.DESCRIPTORS, leaks=tuple(draw(st.lists(warm_ups(), max_size=2)))),
    )  # fmt: skip


@st.composite
def udps(draw: st.DrawFn) -> object:
    receive = draw(usual_ops())
    return replace(seen.UDP, send=draw(usual_ops()), receive=receive, drops=draw(st.integers(0, receive.count // 200)))


@st.composite
def cpus(draw: st.DrawFn) -> object:
    """Whatever part of four CPUs it uses, it waits for them less than it runs."""
    ratio = draw(st.floats(min_value=0.01, max_value=4.0))
    waits = draw(st.integers(min_value=1, max_value=100_000))
    each_ns = int(ratio * seen.DURATION_S * SECOND_NS / waits * draw(st.floats(min_value=0, max_value=0.99)))
    cpu = seen.with_cpu(waits=waits, each_ns=each_ns, total_ratio=ratio).sections.cpu
    assert cpu is not None
    periods = draw(counts)
    throttling = Throttled(periods=periods, throttled=draw(st.integers(0, periods // 20)), total_ns=draw(counts))
    return replace(cpu, throttling=draw(st.sampled_from([None, throttling])))


@st.composite
def usual_exits(draw: st.DrawFn) -> Exit:
    code, signal = draw(st.sampled_from([(0, 0), (1, 0), (0, 15), (0, 13), (0, 2), (0, 1)]))
    return Exit(comm=draw(st.text(max_size=15)), code=code, signal=signal, count=draw(st.integers(1, MANY)))


@st.composite
def warm_ups(draw: st.DrawFn) -> Leak:
    """A pool that fills."""
    return Leak(
        pid=1, node_pid=2, comm="pool", kind="socket", growth=draw(st.integers(1, 9)), open=20, limit=1_024,
        exhausted_in_s=draw(st.floats(min_value=3_601, max_value=10**9)),
    )  # fmt: skip


@given(healthy_targets())
def test_a_healthy_target_has_no_findings(observations: Observations) -> None:
    assert diagnose(observations).findings == ()
