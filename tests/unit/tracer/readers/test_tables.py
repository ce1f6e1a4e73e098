from __future__ import annotations

import socket
from dataclasses import asdict
from ipaddress import ip_address

import pytest

from kubectl_podtrace.wire.file_records import FailedOpenRow
from kubectl_podtrace.wire.records import ErrorRow, ExitRow, LostRow, TableRow
from kubectl_podtrace.wire.topics import OPERATIONS
from podtrace_tracer.programs.program import EVENT_RANKS, LOST, TIMED, operation_index
from podtrace_tracer.readers.paths import UNKNOWN, Paths
from podtrace_tracer.readers.tables import SETTLED_NS, Tables
from tests.unit.tracer.memory_programs import MemoryPrograms, constants


@pytest.fixture
def programs() -> MemoryPrograms:
    return MemoryPrograms()


@pytest.fixture
def paths() -> Paths:
    return Paths()


@pytest.fixture
def tables(programs: MemoryPrograms, paths: Paths) -> Tables:
    return Tables(programs, paths=paths, topics_of_probes={"sys_exit": "all", "sched_switch": "cpu"})


def put_total(programs: MemoryPrograms, scope: int, operation: str, *of_cpus: dict[str, int]) -> None:
    values = [programs.value("totals", **of_cpu) for of_cpu in of_cpus]
    programs.put("totals", scope * len(OPERATIONS) + operation_index(operation), *values)


def lose(programs: MemoryPrograms, name: str, *counts: int) -> None:
    programs.put("lost", [lost.name for lost in LOST].index(name), *counts)


def test_counters_of_the_cpus_are_added_up_and_maxima_are_the_largest(programs: MemoryPrograms, tables: Tables) -> None:
    first = {"count": 3, "errors": 1, "bytes": 10, "timed": 2, "sum_ns": 70, "max_ns": 50, "max_bytes": 4}
    second = {"count": 4, "would_block": 5, "interrupted": 6, "messages": 7, "slow": 8, "max_ns": 20, "max_bytes": 9}
    put_total(programs, 1, "files.read", first, second)
    (row,) = tables.totals([0, 1]).values()
    assert asdict(row) == {
        "scope": 1,
        "operation": "files.read",
        "count": 7,
        "errors": 1,
        "would_block": 5,
        "interrupted": 6,
        "bytes": 10,
        "messages": 7,
        "timed": 2,
        "slow": 8,
        "sum_ns": 70,
        "max_ns": 50,
        "max_bytes": 9,
    }


def test_operations_that_did_not_happen_and_scopes_that_were_not_asked_for_have_no_row(
    programs: MemoryPrograms, tables: Tables
) -> None:
    put_total(programs, 0, "files.read", {}, {})
    put_total(programs, 2, "files.read", {"count": 1}, {})
    put_total(programs, 1, "tcp.send", {"would_block": 1}, {})
    assert set(tables.totals([0, 1])) == {(1, "tcp.send")}


def test_histograms_hold_the_buckets_that_are_not_empty(programs: MemoryPrograms, tables: Tables) -> None:
    put_total(programs, 1, "tcp.rtt", {"count": 3, "timed": 3}, {})
    put_total(programs, 1, "processes.exec", {"count": 3}, {})
    buckets = [0] * constants()["HISTOGRAM_BUCKETS"]
    buckets[0], buckets[17], buckets[575] = 1, 2, 3
    whole = b"".join(count.to_bytes(8, "little") for count in buckets)
    programs.put("histograms", 1 * TIMED + operation_index("tcp.rtt"), whole)
    (histogram,) = tables.histograms(tables.totals([1]).values())
    assert (histogram.scope, histogram.operation) == (1, "tcp.rtt")
    assert histogram.buckets == (0, 1, 17, 2, 575, 3)


def test_a_histogram_too_long_for_a_line_comes_in_parts_that_share_no_bucket(
    programs: MemoryPrograms, tables: Tables
) -> None:
    put_total(programs, 0, "tcp.send", {"count": 1, "timed": 1}, {})
    whole = b"".join((2**50 + place).to_bytes(8, "little") for place in range(constants()["HISTOGRAM_BUCKETS"]))
    programs.put("histograms", operation_index("tcp.send"), whole)
    parts = list(tables.histograms(tables.totals([0]).values()))
    flat = [number for part in parts for number in part.buckets]
    assert len(parts) == 3
    assert dict(zip(flat[0::2], flat[1::2], strict=True)) == {place: 2**50 + place for place in range(576)}


def test_errors_are_told_by_operation_and_number(programs: MemoryPrograms, tables: Tables) -> None:
    key = programs.key("errors", scope=3, operation=operation_index("files.open"), number=2)
    programs.put("errors", key, 41)
    assert tables.errors() == [ErrorRow(scope=3, operation="files.open", errno=2, count=41)]


def test_files_have_their_path_once_it_is_known(programs: MemoryPrograms, paths: Paths, tables: Tables) -> None:
    known, unknown = (programs.key("files", dentry=number, scope=2) for number in (1, 2))
    counters = {"operations": 5, "bytes": 6, "slow": 1, "total_ns": 9, "opened": 3, "named": 1}
    for key in (known, unknown):
        programs.put("files", key, programs.value("files", **counters))
    paths.learn(known, b"db\0data\0", 0)
    rows = tables.files()
    assert {row.path for row in rows.values()} == {"/data/db", UNKNOWN}
    assert {number: row.key for number, row in rows.items()} == {0: 0, 1: 1}
    row = next(row for row in rows.values() if row.path == "/data/db")
    assert (row.scope, row.operations, row.bytes, row.slow, row.total_ns, row.opened) == (2, 5, 6, 1, 9, 3)


def test_failed_opens_have_the_path_that_the_program_gave(programs: MemoryPrograms, tables: Tables) -> None:
    programs.put("failed_opens", programs.key("failed_opens", scope=1, path=b"../none\xff"), 7)
    assert list(tables.failed_opens().values()) == [FailedOpenRow(scope=1, key=0, path="../none\\xff", failed=7)]


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_targets_are_added_up_over_the_cpus(programs: MemoryPrograms, tables: Tables, address: str) -> None:
    raw = ip_address(address)
    family = socket.AF_INET if raw.version == 4 else socket.AF_INET6
    key = (9).to_bytes(4, "little") + int(family).to_bytes(2, "little") + (5432).to_bytes(2, "little")
    first = {"attempts": 3, "failed": 1, "established": 2, "handshake_ns": 30, "max_ns": 20}
    second = {"attempts": 1, "established": 1, "handshake_ns": 5, "max_ns": 5}
    values = [programs.value("targets", **counters) for counters in (first, second)]
    programs.put("targets", key + raw.packed.ljust(16, b"\0"), *values)
    (row,) = tables.targets().values()
    assert (row.scope, row.address, row.port) == (9, address, 5432)
    assert (row.attempts, row.failed, row.established, row.handshake_ns, row.max_ns) == (4, 1, 3, 35, 20)


def test_processes_stay_known_after_their_end_and_a_reused_pid_is_another_one(
    programs: MemoryPrograms, tables: Tables
) -> None:
    def process(start_ns: int, events: int, ended_ns: int = 0) -> bytes:
        return programs.value(
            "processes", start_ns=start_ns, ended_ns=ended_ns, tgid=1007, pid=7, node_pid=1007, events=events, scope=1,
            comm=b"w\xff",
        )  # fmt: skip

    programs.put("processes", 1007, process(100, 1))
    (row,) = tables.processes().values()
    assert (row.scope, row.pid, row.node_pid, row.start_ns, row.comm) == (1, 7, 1007, 100, "w\\xff")
    assert (row.events, row.alive) == (1, True)
    programs.put("processes", 1007, process(200, 2))
    programs.put("ended", programs.key("ended", start_ns=100, tgid=1007), process(100, 5, ended_ns=150))
    for _ in range(2):
        rows = tables.processes()
        assert {(row.start_ns, row.events, row.alive) for row in rows.values()} == {(100, 5, False), (200, 2, True)}
        assert programs.tables["ended"] == {}


def test_of_too_many_ended_processes_the_least_busy_are_let_go_and_counted(
    programs: MemoryPrograms, paths: Paths
) -> None:
    tables = Tables(programs, paths=paths, max_ended=20)
    for pid in range(23):
        value = programs.value("ended", start_ns=pid, ended_ns=5, events=pid, tgid=pid, comm=b"job")
        programs.put("ended", programs.key("ended", start_ns=pid, tgid=pid), value)
    kept = sorted(row.events for row in tables.processes().values())
    assert kept == list(range(5, 23))
    assert [(row.topic, row.count) for row in tables.dropped()] == [("processes", 5)]


def test_an_ended_process_stays_in_the_kernel_until_no_other_thread_can_end_it_again(
    programs: MemoryPrograms, paths: Paths
) -> None:
    now = [SETTLED_NS]
    tables = Tables(programs, paths=paths, clock=lambda: now[0])
    value = programs.value("ended", start_ns=1, ended_ns=5, events=3, tgid=7, comm=b"job")
    programs.put("ended", programs.key("ended", start_ns=1, tgid=7), value)
    tables.drain_ended()
    assert len(programs.tables["ended"]) == 1
    now[0] += 6
    assert [row.events for row in tables.processes().values()] == [3]
    assert programs.tables["ended"] == {}


def test_an_ended_process_that_is_let_go_is_counted_once(programs: MemoryPrograms, paths: Paths) -> None:
    now = [SETTLED_NS]
    tables = Tables(programs, paths=paths, max_ended=20, clock=lambda: now[0])
    for pid in range(23):
        value = programs.value("ended", start_ns=pid, ended_ns=5, events=pid, tgid=pid, comm=b"job")
        programs.put("ended", programs.key("ended", start_ns=pid, tgid=pid), value)
    for _ in range(3):
        assert len(tables.processes()) == 23
    assert tables.dropped() == ()
    now[0] += 6
    for _ in range(3):
        assert len(tables.processes()) == 18
    assert [row.count for row in tables.dropped()] == [5]


@pytest.mark.parametrize(("status", "code", "signal"), [(0, 0, 0), (3 << 8, 3, 0), (9, 0, 9), (0x80 | 11, 0, 11)])
def test_exits_are_told_by_code_or_signal(
    programs: MemoryPrograms, tables: Tables, status: int, code: int, signal: int
) -> None:
    programs.put("exits", programs.key("exits", scope=1, status=status, comm=b"job"), 4)
    assert tables.exits() == [ExitRow(scope=1, comm="job", code=code, signal=signal, count=4)]


def test_losses_are_told_under_the_topic_that_they_touch(programs: MemoryPrograms, tables: Tables) -> None:
    texts = {lost.name: lost.text for lost in LOST}
    lose(programs, "EVENTS", 2, 3)
    lose(programs, "SOCKETS", 1, 0)
    lose(programs, "PATHS", 9, 9)
    lose(programs, "FILES", 4, 0)
    assert tables.lost() == (
        LostRow(source=texts["EVENTS"], topic="all", count=5),
        LostRow(source=texts["PATHS"], topic="files", count=18),
        LostRow(source=texts["SOCKETS"], topic="connections", count=1),
    )


def test_what_a_table_had_no_place_for_is_told_with_the_table(programs: MemoryPrograms, tables: Tables) -> None:
    lose(programs, "FILES", 4, 1)
    for number in range(3):
        programs.put("files", programs.key("files", dentry=number), programs.value("files"))
    capacity = constants()["MAX_FILES"]
    rows = {row.table: row for row in tables.table_rows()}
    assert rows["files"] == TableRow(table="files", keys=3, capacity=capacity, unlisted=5)
    own = {"processes", "files", "failed_opens", "targets", "exits", "long_waits"}
    assert set(rows) == own | {"cpu_processes", "lock_threads", "dns_names", "dns_types", "resolvers", "queries"}


def test_missed_events_stay_told_after_the_programs_are_gone(programs: MemoryPrograms, tables: Tables) -> None:
    programs.misses.update(sys_exit=3, sys_enter=0, sched_switch=5)
    tables.note_misses()
    programs.detach()
    tables.note_misses()
    assert [(row.source, row.topic, row.count) for row in tables.lost()] == [
        ("sys_exit: interrupted by itself", "all", 3),
        ("sched_switch: interrupted by itself", "cpu", 5),
    ]


def test_suppressed_events_of_all_budgets_are_added_up_by_operation(programs: MemoryPrograms, tables: Tables) -> None:
    place = operation_index("files.open") * EVENT_RANKS
    for offset in range(EVENT_RANKS):
        values = [programs.value("event_budgets", used=50, suppressed=count) for count in (2, 3)]
        programs.put("event_budgets", place + offset, *values)
    assert {name: count for name, count in tables.suppressed().items() if count} == {"files.open": 15}


def test_topics_that_were_not_asked_for_have_no_rows() -> None:
    tables = Tables(MemoryPrograms(("processes",)), paths=Paths())
    assert (tables.files(), tables.failed_opens(), tables.targets()) == ({}, {}, {})
    assert {row.table for row in tables.table_rows()} == {"processes", "exits"}
