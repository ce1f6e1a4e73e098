"""The numbers of each topic, against what was put into the stream."""

from __future__ import annotations

import pytest

from kubectl_podtrace.analysis.connections import connections
from kubectl_podtrace.analysis.descriptors import descriptors
from kubectl_podtrace.analysis.files import files
from kubectl_podtrace.analysis.network_io import network_io
from kubectl_podtrace.analysis.processes import processes
from kubectl_podtrace.analysis.selection import select
from kubectl_podtrace.analysis.summary import summary
from kubectl_podtrace.analysis.tables import State, difference
from kubectl_podtrace.analysis.tcp import tcp
from kubectl_podtrace.wire.connection_records import OneShotRow, OneShots
from kubectl_podtrace.wire.file_records import FailedOpenRow, FailedOpens, FileRow, Files
from kubectl_podtrace.wire.records import (
    Errors,
    ExitRow,
    Exits,
    Processes,
    ProcessRow,
    TargetRow,
    Targets,
    Totals,
)
from tests.unit.analysis.selections import selection_of
from tests.unit.shop import shop_stream
from tests.unit.streams import OFFSET, SECOND, STARTED, Stream, error_rows, timed, totals_row

MILLISECOND = 1_000_000


def file_row(
    key: int, path: str, operations: int, *, size: int = 0, opened: int = 0, slow: int = 0, scope: int = 0
) -> FileRow:
    return FileRow(
        scope=scope, key=key, path=path, operations=operations, bytes=size, slow=slow, total_ns=0, opened=opened
    )


def attempts_stream(per_second: list[int]) -> Stream:
    """So many connection attempts in each second."""
    stream, total = Stream(), 0
    for second, count in enumerate(per_second, start=1):
        total += count
        if count:
            stream.add(Totals(rows=(totals_row("connections.attempt", count=total),)), at_s=second)
        stream.beat(second)
    stream.end(len(per_second))
    return stream


def test_events_are_the_operations_that_the_definition_lists() -> None:
    stream = Stream()
    names = ("tcp.send", "connections.accept", "files.fsync", "processes.exit", "files.unlink", "tcp.retransmit")
    stream.add(Totals(rows=tuple(totals_row(name, count=10**n) for n, name in enumerate(names))))
    stream.end(4)
    section = summary(selection_of(stream.fold()), realtime_offset_ns=OFFSET)
    assert section.events == 1 + 10 + 100 + 1_000
    assert section.events_per_s == pytest.approx(1_111 / 4)
    assert section.start is not None
    assert section.start.isoformat() == "2026-01-01T00:00:00+00:00"
    assert section.duration_s == 4


def test_a_distribution_carries_its_sum_and_its_histogram_by_lower_bounds() -> None:
    stream = Stream()
    row, histogram = timed("files.fsync", [100, 130, 130, 3 * MILLISECOND])
    stream.add(Totals(rows=(row,)), histogram)
    stream.end(1)
    latency = selection_of(stream.fold()).latency("files.fsync")
    assert latency.sum_ns == 360 + 3 * MILLISECOND
    assert latency.buckets == {96: 1, 128: 2, 2_883_584: 1}


def test_tcp_counts_rates_bytes_and_states_are_exact() -> None:
    section = tcp(selection_of(shop_stream().fold()), rtt_threshold_ns=100 * MILLISECOND)
    assert (section.send.count, section.receive.count) == (5_003, 4_999)
    assert section.send.per_s == pytest.approx(5_003 / 30)
    assert (section.send.bytes, section.receive.bytes) == (1_234_567, 7_654_321)
    assert section.receive.errors == {"ECONNRESET": 3}
    assert section.receive.would_block == 311
    assert section.error_ratio == pytest.approx(3 / 10_002)
    assert (section.rtt.count, section.rtt.spikes, section.rtt.max_ns) == (10_002, 2, 120 * MILLISECOND)
    assert (section.retransmits, section.resets_sent, section.resets_received) == (5, 0, 201)
    assert section.peak_bytes_per_op == 65_536
    assert section.throughput_bytes_per_s == pytest.approx((1_234_567 + 7_654_321) / 30)
    assert section.states == {"ESTABLISHED": 1_813, "SYN_SENT": 2_010}


def test_connections_that_failed_are_told_by_errno_and_none_is_counted_twice() -> None:
    section = connections(selection_of(shop_stream().fold()))
    assert (section.total, section.failed, section.pending, section.accepted) == (2_010, 210, 0, 13)
    assert section.errors == {"ECONNREFUSED": 201, "ETIMEDOUT": 8, "ABORTED": 1}
    assert section.failed_ratio == pytest.approx(210 / 2_010)
    assert section.latency.count == 1_800
    assert section.existing is not None
    assert section.existing.states == {"ESTABLISHED": 2, "LISTEN": 1}
    assert section.unique_targets == 3


def test_attempts_that_are_under_way_at_the_end_are_pending() -> None:
    stream = Stream()
    handshake, histogram = timed("connections.handshake", [1_000] * 5)
    stream.add(
        Totals(
            rows=(totals_row("connections.attempt", count=11), handshake, totals_row("connections.failure", count=2))
        ),
        histogram,
    )
    assert connections(selection_of(stream.fold())).pending == 4


def test_targets_add_up_to_the_attempts_with_an_exact_other() -> None:
    stream = Stream()
    rows = tuple(
        TargetRow(
            scope=0, address="10.0.0.1", port=1_000 + n, attempts=1 + n, failed=n % 2, established=0, handshake_ns=0,
            max_ns=0,
        )
        for n in range(101)
    )  # fmt: skip
    total = sum(row.attempts for row in rows) + 7
    stream.add(Targets(rows=rows[:60]), Targets(rows=rows[60:]))
    stream.add(
        Totals(rows=(totals_row("connections.attempt", count=total), totals_row("connections.failure", count=53)))
    )
    section = connections(selection_of(stream.fold()))
    assert len(section.top_targets) == 101
    assert section.top_targets[0].count == 101
    assert section.top_targets[-1].address == "(other)"
    assert section.top_targets[-1].count == 1 + 7
    assert sum(target.count for target in section.top_targets) == total
    assert sum(target.failed for target in section.top_targets) == 53


@pytest.mark.parametrize(
    ("per_second", "pattern", "peak"),
    [
        ([10] * 20, "steady", 10),
        ([0, 0, 100, 0, 0, 0, 0, 0, 0, 0], "bursty", 100),
        ([10, 13, 7, 10, 12, 8, 10, 14, 6, 10], "sporadic", 14),
        ([0] * 10, None, 0),
        ([5, 5, 5], "steady", 5),
        ([0, 9, 0], "bursty", 9),
        ([9, 3], "sporadic", 9),
        ([9], None, 9),
    ],
)
def test_a_pattern_follows_from_the_spread_over_ten_windows(
    per_second: list[int], pattern: str | None, peak: int
) -> None:
    section = connections(selection_of(attempts_stream(per_second).fold()))
    assert section.pattern == pattern
    assert section.peak_per_s == pytest.approx(peak)


def test_network_io_has_average_and_peak_in_bytes_and_operations() -> None:
    stream = Stream()
    for second, (count, size) in enumerate([(10, 1_000), (50, 90_000), (60, 91_000), (100, 100_000)], start=1):
        stream.add(
            Totals(rows=(totals_row("tcp.send", count=count, bytes=size), totals_row("tcp.receive", count=count // 2))),
            at_s=second,
        )
    stream.end(4)
    section = network_io(selection_of(stream.fold()))
    assert section.send_receive_ratio == pytest.approx(2)
    assert section.average_bytes_per_s == pytest.approx(25_000)
    assert section.peak_bytes_per_s == pytest.approx(89_000)
    assert section.average_ops_per_s == pytest.approx(37.5)
    assert section.peak_ops_per_s == pytest.approx(60)


def test_network_io_adds_up_tcp_and_udp() -> None:
    stream = Stream()
    names = ("tcp.send", "tcp.receive", "udp.send", "udp.receive")
    for second in (1, 2):
        rows = (totals_row(name, count=second * 10**n, bytes=second * 7 * 10**n) for n, name in enumerate(names))
        stream.add(Totals(rows=tuple(rows)), at_s=second)
    stream.end(2)
    section = network_io(selection_of(stream.fold()))
    assert section.send_receive_ratio == pytest.approx((1 + 100) / (10 + 1_000))
    assert section.average_ops_per_s == section.peak_ops_per_s == pytest.approx(1_111)
    assert section.average_bytes_per_s == section.peak_bytes_per_s == pytest.approx(7_777)


def test_network_io_without_a_receive_has_no_ratio() -> None:
    stream = Stream()
    stream.add(Totals(rows=(totals_row("tcp.send", count=3),)))
    assert network_io(selection_of(stream.fold())).send_receive_ratio is None


def test_file_operations_are_exact_by_kind() -> None:
    section = files(selection_of(shop_stream().fold()), slow_threshold_ns=10 * MILLISECOND)
    assert (section.read.count, section.write.count, section.fsync.count, section.open.count) == (2_011, 997, 97, 307)
    assert section.fsync.slow == 30
    assert section.open.errors == {"ENOENT": 11, "EACCES": 1}
    assert section.throughput_bytes_per_s == pytest.approx((8_237_056 + 510_464) / 30)


def test_a_path_that_several_keys_share_is_listed_once() -> None:
    stream = Stream()
    stream.add(
        Files(rows=(file_row(1, "/tmp/a", 3, size=10), file_row(2, "/tmp/a", 4, size=20), file_row(3, "/tmp/b", 5))),
        Totals(rows=(totals_row("files.read", count=12, bytes=30),)),
    )
    section = files(selection_of(stream.fold()), slow_threshold_ns=1)
    assert [(file.path, file.count, file.bytes) for file in section.top_files] == [("/tmp/a", 7, 30), ("/tmp/b", 5, 0)]


def test_files_add_up_to_the_totals_with_an_exact_other() -> None:
    stream = Stream()
    rows = tuple(file_row(n, f"/data/{n:04}", 2, size=5, slow=1) for n in range(150))
    stream.add(Files(rows=rows[:50]), Files(rows=rows[50:100]), Files(rows=rows[100:]))
    stream.add(
        Totals(
            rows=(
                totals_row("files.read", count=200, bytes=700, slow=100),
                totals_row("files.write", count=100, bytes=100, slow=50),
                totals_row("files.fsync", count=17, slow=3),
            )
        )
    )
    listed = files(selection_of(stream.fold()), slow_threshold_ns=1).top_files
    assert len(listed) == 101
    assert (listed[-1].path, listed[-1].count, listed[-1].bytes, listed[-1].slow) == ("(other)", 117, 300, 53)


def test_opened_paths_hold_successes_and_failures() -> None:
    stream = Stream()
    stream.add(
        Files(rows=(file_row(1, "/etc/hosts", 0, opened=7), file_row(2, "/data/db", 9, opened=0))),
        FailedOpens(
            rows=(
                FailedOpenRow(scope=0, key=1, path="/etc/hosts", failed=2),
                FailedOpenRow(scope=0, key=2, path="/etc/none", failed=3),
            )
        ),
        Totals(rows=(totals_row("files.open", count=13, errors=6),)),
    )
    section = files(selection_of(stream.fold()), slow_threshold_ns=1)
    assert [(entry.path, entry.count, entry.failed) for entry in section.top_opened] == [
        ("/etc/hosts", 9, 2),
        ("/etc/none", 3, 3),
        ("(other)", 1, 1),
    ]


def test_processes_are_told_by_their_own_start_and_add_up() -> None:
    stream = Stream()
    stream.add(
        Processes(
            rows=(
                ProcessRow(scope=0, pid=7, node_pid=900, start_ns=1, comm="old", events=30, alive=False),
                ProcessRow(scope=0, pid=7, node_pid=900, start_ns=2, comm="new", events=60, alive=True),
                ProcessRow(scope=0, pid=8, node_pid=901, start_ns=3, comm="idle", events=0, alive=True),
            )
        ),
        Totals(rows=(totals_row("files.read", count=100), totals_row("processes.exec", count=3, errors=0))),
        Errors(rows=error_rows("processes.exec", {2: 4, 13: 1})),
        Exits(rows=(ExitRow(scope=0, comm="old", code=3, signal=0, count=1),)),
        Totals(rows=(totals_row("processes.exit", count=2), totals_row("processes.fork_process", count=1))),
    )
    section = processes(selection_of(stream.fold()))
    assert section.active == 2
    assert [(top.comm, top.events) for top in section.top] == [("new", 60), ("old", 30), ("(other)", 16)]
    assert sum(top.share_ratio for top in section.top) == pytest.approx(1)
    assert (section.exec, section.exec_errors) == (3, {"ENOENT": 4, "EACCES": 1})
    assert [(end.comm, end.code, end.count) for end in section.exits] == [("old", 3, 1), ("(other)", 0, 1)]


def test_descriptors_are_opened_closed_and_ended_by_kind_and_failed_opens_stand_apart() -> None:
    section = descriptors(selection_of(shop_stream().fold()))
    assert (section.opened, section.failed_opens, section.closed) == (295 + 2_025 + 2, 12, 288 + 2_016)
    assert section.ended_with_process == 7
    assert section.by_kind is not None
    assert (section.by_kind.socket.opened, section.by_kind.socket.closed) == (2_025, 2_016)
    assert (section.by_kind.pipe.opened, section.by_kind.pipe.ended_with_process) == (0, 6)


def test_descriptors_of_an_older_tracer_have_no_kinds() -> None:
    stream = Stream()
    stream.add(Totals(rows=(totals_row("files.open", count=9, errors=2), totals_row("descriptors.close", count=5))))
    section = descriptors(selection_of(stream.fold()))
    assert (section.opened, section.failed_opens, section.closed, section.by_kind) == (7, 2, 5, None)


def test_only_the_selected_scopes_count_and_their_histograms_add() -> None:
    stream = Stream()
    for scope, duration in ((0, 1_000), (1, 5_000), (2, 900_000)):
        row, histogram = timed("files.read", [duration] * 10, scope=scope)
        stream.add(Totals(rows=(row,)), histogram)
    fold = stream.fold()
    both = selection_of(fold, frozenset({0, 1})).latency("files.read")
    assert (both.count, both.max_ns, both.avg_ns) == (20, 5_000, 3_000)
    assert both.p50_ns == pytest.approx(3_000, rel=0.032)
    assert selection_of(fold).latency("files.read").count == 30
    assert selection_of(fold, frozenset()).events == 0


def test_percentiles_of_a_section_are_those_of_the_durations() -> None:
    stream = Stream()
    durations = [number * number for number in range(12, 1_212)]
    row, histogram = timed("files.fsync", durations)
    stream.add(Totals(rows=(row,)), histogram)
    dist = selection_of(stream.fold()).latency("files.fsync")
    assert dist.avg_ns == round(sum(durations) / len(durations))
    assert dist.max_ns == max(durations)
    for found, fraction in ((dist.p50_ns, 0.5), (dist.p95_ns, 0.95), (dist.p99_ns, 0.99)):
        assert found == pytest.approx(sorted(durations)[round(fraction * (len(durations) - 1))], rel=0.04)


def test_errors_whose_number_did_not_arrive_are_named_unknown() -> None:
    stream = Stream()
    stream.add(Totals(rows=(totals_row("files.open", count=9, errors=5),)))
    stream.add(Errors(rows=error_rows("files.open", {13: 3})))
    assert selection_of(stream.fold()).errors_by_name("files.open") == {"EACCES": 3, "UNKNOWN": 2}


def test_an_empty_trace_has_zeros_and_divides_by_nothing() -> None:
    selection = selection_of(Stream().fold())
    assert connections(selection).per_s == 0
    assert network_io(selection).peak_bytes_per_s == 0
    assert files(selection, slow_threshold_ns=1).top_files == ()
    assert processes(selection).top == ()


def test_the_difference_of_two_states_is_what_happened_between_them() -> None:
    def state(durations: list[int], events: int) -> State:
        row, histogram = timed("files.read", durations)
        stream = Stream()
        process = ProcessRow(scope=0, pid=1, node_pid=1, start_ns=1, comm="a", events=events, alive=True)
        stream.add(Totals(rows=(row,)), histogram, Processes(rows=(process,)))
        return stream.fold().state()

    change = difference(state([1_000, 1_000, 90_000, 7_000, 7_000], 12), state([1_000, 90_000], 10))
    row = change.totals[0, "files.read"]
    assert (row.count, row.timed, row.sum_ns) == (3, 3, 15_000)
    assert row.max_ns == pytest.approx(7_000, rel=0.032)
    assert sum(change.histograms[0, "files.read"].values()) == 3
    assert [row.events for row in change.tables[Processes].values()] == [2]


def test_a_key_that_did_not_change_is_not_in_the_difference() -> None:
    state = shop_stream().fold().state()
    change = difference(state, state)
    assert not change.tables[Processes]
    assert not change.tables[Files]
    assert not any(change.histograms.values())
    assert {row.count for row in change.totals.values()} == {0}


def test_a_hostile_end_makes_no_endless_work() -> None:
    stream = Stream()
    stream.add(Totals(rows=(totals_row("connections.attempt", count=5),)))
    fold = stream.fold()
    far = select(fold.state(), None, start_ns=STARTED, end_ns=2**64 - 1)
    assert connections(far).peak_per_s == far.per_s(5)
    assert far.duration_s > 10**9 - SECOND / SECOND


def test_a_peak_is_that_of_one_second_also_in_a_trace_of_two_and_a_half() -> None:
    stream = Stream()
    stream.add(Totals(rows=(totals_row("connections.attempt", count=36),)), at_s=1)
    stream.end(2.5)
    assert connections(selection_of(stream.fold())).peak_per_s == pytest.approx(36)


def test_targets_of_one_request_are_added_up_over_containers_and_unknown_without_tcp() -> None:
    stream = Stream()
    rows = [OneShotRow(scope=scope, address="10.0.0.7", port=80, connections=7, handshake_ns=50) for scope in (0, 1)]
    stream.add(OneShots(rows=(*rows, OneShotRow(scope=0, address="10.0.0.8", port=80, connections=9, handshake_ns=5))))
    chosen = selection_of(stream.fold())
    found = connections(chosen).one_shot
    assert found is not None
    assert [(each.address, each.connections, each.handshake_total_ns) for each in found] == [
        ("10.0.0.7", 14, 100), ("10.0.0.8", 9, 5),
    ]  # fmt: skip
    assert connections(chosen, sees_exchanges=False).one_shot is None
