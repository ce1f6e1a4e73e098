"""The probes of a trace in groups that can be given up: which topics lack what without each."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from kubectl_podtrace.wire.topics import BYPASSES, DESCRIPTOR_KINDS, OPERATIONS, RESTS_ON, TCP_STATES
from podtrace_tracer.collectors import base, cpu
from podtrace_tracer.collectors.registry import collectors_of
from podtrace_tracer.cost.shedding import ProbeGroup
from podtrace_tracer.kernel import syscalls
from podtrace_tracer.programs import program

_TOGETHER: Final = {
    (
        "sched_switch",
        "sched_wakeup",
        "sched_waking",
        "cpu_clock",
    ): "switches, waits and the time on a CPU are not counted",
    ("inet_sock_set_state", "tcp_destroy_sock"): (
        "connection attempts, handshakes, their errors and states of sockets are not counted"
    ),
}
"""Probes that make no sense without each other, and what is lacking without all of them."""
_COUNTED_AT: Final = {
    "inet_sock_set_state": (
        "connections.attempt", "connections.handshake", "connections.failure",
        *(f"tcp.state_{state.lower()}" for state in TCP_STATES),
    ),
    "tcp_retransmit_skb": ("tcp.retransmit",),
    "tcp_send_reset": ("tcp.reset_sent",),
    "tcp_receive_reset": ("tcp.reset_received",),
    "udp_fail_queue_rcv_skb": ("udp.drop",),
    "sched_switch": tuple(operation.full_name for operation in OPERATIONS if operation.topic in ("cpu", "locks")),
    "io_uring_submit_req": tuple(BYPASSES),
    "io_uring_submit_sqe": tuple(BYPASSES),
}  # fmt: skip
"""What is counted there and nowhere else."""
_RARE: Final = frozenset({"mark_victim"})
"""Probes that hardly ever run: to give them up would spare nothing."""
_OF_TRANSFERS: Final = (
    "files.read", "files.write", "tcp.send", "tcp.receive", "tcp.rtt", "udp.send", "udp.receive",
    *(operation.full_name for operation in OPERATIONS if operation.topic == "dns"),
)  # fmt: skip
_OF_OTHER_CALLS: Final = (
    "files.fsync", "files.open", "files.unlink", "files.rename", "connections.accept", "descriptors.close",
    *(f"descriptors.{what}_{kind}" for what in ("opened", "closed") for kind in DESCRIPTOR_KINDS),
)  # fmt: skip
_TRANSFERS: Final = "reads, writes, sends and receives are not counted"
_OTHER_CALLS: Final = "opens, closes, accepts and the other system calls are not counted"
_NO_STACKS: Final = "waits off the CPU have no stacks"


def groups_of(topics: tuple[str, ...], attached: Collection[str]) -> tuple[ProbeGroup, ...]:
    """The groups of a trace whose probes at these tracepoints (and clocks) are attached.

    The book of processes, on which everything rests, is in none.
    """
    make = _Maker(topics)
    groups = []
    for tracepoints, lacks in {**_TOGETHER, **make.singles()}.items():
        found = tuple(name for name in tracepoints if name in attached)
        if found:
            groups.append(make.of_probes(found, lacks))
    ends = tuple(name for name in base.CALL_ENDS if name in attached)
    return (*groups, *(make.of_calls(ends) if ends else ()))


class _Maker:
    """Makes the groups for some topics."""

    def __init__(self, topics: tuple[str, ...]) -> None:
        # An open counts for descriptors too, a wait for a lock for cpu, and what bypasses the counting for all.
        others = {"descriptors": "files", "locks": "cpu"}
        self._counted = {*topics, "io_uring", *(others[topic] for topic in topics if topic in others)}
        self._collectors = collectors_of(topics)
        self._probes = {name: probe for name, (probe, _) in program.probes_of(topics).items()}

    def singles(self) -> dict[tuple[str, ...], str]:
        """The probes that stand alone, and what their absence costs."""
        others = {name for names in _TOGETHER for name in names} | _RARE
        others |= {probe.tracepoint for probe in (*base.PROBES, *base.SYSTEM_CALL_PROBES)}
        return {(name,): probe.costs for name, probe in self._probes.items() if name not in others}

    def of_probes(self, tracepoints: tuple[str, ...], lacks: str) -> ProbeGroup:
        """Those that are detached as they are."""
        topics = tuple(
            each.topic for each in self._collectors if any(probe.tracepoint in tracepoints for probe in each.probes)
        )
        operations = tuple(operation for name in tracepoints for operation in _COUNTED_AT.get(name, ()))
        return self._group(tracepoints, lacks, topics, operations)

    def of_calls(self, ends: tuple[str, ...]) -> tuple[ProbeGroup, ...]:
        """Transfers are by far the most frequent calls, so they go first, and the others still count."""
        wanted: frozenset[str] = frozenset().union(*(each.syscalls for each in self._collectors))
        transfers = wanted & syscalls.TRANSFERS
        if not wanted:
            return (self._last(ends, "", wanted, ()),)
        if transfers == wanted:
            return (self._last(ends, _TRANSFERS, wanted, _OF_TRANSFERS),)
        others = self._last(ends, _OTHER_CALLS, wanted - transfers, _OF_OTHER_CALLS)
        if not transfers:
            return (others,)
        return (self._group(ends, _TRANSFERS, self._needing(transfers), _OF_TRANSFERS, transfers), others)

    def _last(
        self, ends: tuple[str, ...], lacks: str, calls: frozenset[str], operations: tuple[str, ...]
    ) -> ProbeGroup:
        """The group with which the probes are detached, so that the stacks of waits go too."""
        waiting = {each.topic for each in self._collectors if set(cpu.COLLECTOR.probes) <= set(each.probes)}
        lacks = "; ".join(filter(None, (lacks, _NO_STACKS if waiting else "")))
        of_waits = tuple(sorted(topic for topic in waiting if RESTS_ON.get(topic) not in waiting))
        return self._group(ends, lacks, (*self._needing(calls), *of_waits), operations)

    def _needing(self, calls: frozenset[str]) -> tuple[str, ...]:
        return tuple(each.topic for each in self._collectors if each.syscalls & calls)

    def _group(
        self,
        tracepoints: tuple[str, ...],
        lacks: str,
        topics: tuple[str, ...],
        operations: tuple[str, ...],
        calls: frozenset[str] = frozenset(),
    ) -> ProbeGroup:
        return ProbeGroup(
            tracepoints=tracepoints,
            probes=tuple(self._probes[name].name for name in tracepoints),
            topics=topics,
            operations=tuple(name for name in operations if name.partition(".")[0] in self._counted),
            lacks=lacks,
            calls=calls,
        )
