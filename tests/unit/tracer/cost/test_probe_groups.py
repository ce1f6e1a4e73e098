"""Which probes go together, and what the topics lack then."""

from __future__ import annotations

import pytest

from kubectl_podtrace.wire.topics import FILTERS, OPERATION_NAMES, TOPICS
from podtrace_tracer.collectors import base
from podtrace_tracer.collectors.registry import collectors_of
from podtrace_tracer.cost.probe_groups import groups_of
from podtrace_tracer.cost.shedding import ProbeGroup
from podtrace_tracer.programs.program import probes_of

BOOK = {probe.tracepoint for probe in base.PROBES} | {"mark_victim"}
"""What is never given up: the book, and a probe that hardly ever runs."""


def found(*topics: str) -> tuple[ProbeGroup, ...]:
    return groups_of(topics, probes_of(topics))


@pytest.mark.parametrize("topics", [*FILTERS.values(), TOPICS, ("files", "cpu"), ("descriptors",)])
def test_every_probe_but_the_book_of_processes_can_go_and_says_what_is_lacking(topics: tuple[str, ...]) -> None:
    groups = found(*topics)
    assert {name for group in groups for name in group.tracepoints} == set(probes_of(topics)) - BOOK
    for group in groups:
        assert group.topics
        assert set(group.topics) <= set(topics)
        assert set(group.operations) <= OPERATION_NAMES
        assert group.lacks
        assert group.probes
    assert len({group.lacks for group in groups}) >= len(groups) - 1  # both of io_uring's probes cost the same


@pytest.mark.parametrize("topics", [*FILTERS.values(), TOPICS])
def test_when_all_groups_are_gone_no_system_call_of_a_topic_is_looked_at(topics: tuple[str, ...]) -> None:
    wanted = {call for collector in collectors_of(topics) for call in collector.syscalls}
    of_calls = [group for group in found(*topics) if group.tracepoints == base.CALL_ENDS]
    assert bool(of_calls) == bool(wanted)
    if of_calls:
        *partly, last = of_calls
        assert last.calls == frozenset()
        counted = {collector.topic for collector in collectors_of(topics) if collector.syscalls}
        # The ends of system calls are where waits off the CPU get their stacks.
        assert counted | ({"cpu"} & set(topics)) == {topic for group in of_calls for topic in group.topics}
        assert all(group.calls < wanted for group in partly)


def test_transfers_go_before_the_other_calls_and_their_topics_are_those_that_need_them() -> None:
    first, last = [group for group in found(*TOPICS) if group.tracepoints == base.CALL_ENDS]
    assert {"read", "sendmmsg", "copy_file_range"} <= first.calls
    assert not first.calls & {"fsync", "openat", "close", "connect", "execve"}
    assert set(first.topics) == {"tcp", "udp", "dns", "files", "descriptors"}
    assert set(last.topics) == {"tcp", "connections", "files", "processes", "descriptors", "cpu"}
    assert "no stacks" in last.lacks
    assert "no stacks" not in first.lacks
    assert "files.read" in first.operations
    assert "files.open" in last.operations
    assert not set(first.operations) & set(last.operations)


def test_where_there_are_transfers_only_or_none_the_probes_are_detached_at_once() -> None:
    (dns,) = [group for group in found("dns") if group.tracepoints == base.CALL_ENDS]
    assert (dns.calls, dns.topics, dns.lacks.split()[0]) == (frozenset(), ("dns",), "reads,")
    (processes,) = found("processes")
    assert (processes.calls, processes.topics, processes.operations) == (frozenset(), ("processes",), ())


def test_probes_that_make_no_sense_alone_go_together() -> None:
    together = {group.tracepoints for group in found(*TOPICS) if len(group.tracepoints) > 1}
    assert together == {
        base.CALL_ENDS, ("sched_switch", "sched_wakeup", "sched_waking", "cpu_clock"),
        ("inet_sock_set_state", "tcp_destroy_sock"),
    }  # fmt: skip


def test_probes_that_are_not_attached_are_in_no_group() -> None:
    groups = groups_of(("cpu",), ["sched_switch", "sched_wakeup"])
    assert [group.tracepoints for group in groups] == [("sched_switch", "sched_wakeup")]
    assert groups_of(TOPICS, []) == ()


def test_an_open_is_lacking_for_descriptors_too_where_files_are_not_traced() -> None:
    assert [group for group in found("descriptors") if "files.open" in group.operations]
    assert not [group for group in found("tcp", "connections") if "files.open" in group.operations]
