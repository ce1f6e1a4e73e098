"""The reader of the topic queries: which statements are one, and what becomes of libraries that it meets."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from kubectl_podtrace.wire.query_records import ClientLibraries, ClientLibraryRow, Queries, QueryRow
from kubectl_podtrace.wire.records import Probe, Record
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.bpf import BpfError, ConstantsOf
from podtrace_tracer.programs.program import ScopeMatch
from podtrace_tracer.readers.model import TraceContext
from podtrace_tracer.readers.queries import RECORD_STATEMENT, QueryReader
from podtrace_tracer.target.scope import Target
from podtrace_tracer.target.scopes import Scopes
from tests.unit.tracer.memory_programs import MemoryPrograms

LIBRARY = "/app/libpq.so.5"


class AttachablePrograms(MemoryPrograms):
    """Remembers what was attached; `at_once` says whether the kernel attaches one program at many places."""

    def __init__(self) -> None:
        super().__init__(("queries",))
        self.at_once = self.are_compiled = True
        self.refusal = ""
        self.attached: list[tuple[str, dict[int, int], bool]] = []

    def defines(self, program: str) -> bool:
        return program not in {"query_call", "query_return"} or self.are_compiled

    def attach_user_probes(
        self, program: str, path: str, places: Mapping[int, int], *, at_return: bool, constants_of: ConstantsOf,
        one_by_one: bool = True,
    ) -> bool:  # fmt: skip
        assert Path(path).read_bytes().startswith(b"\x7fELF")
        assert len(constants_of(3)) == 1
        if self.refusal:
            raise BpfError(self.refusal)
        if not self.at_once and not one_by_one:
            return False
        self.attached.append((program, dict(places), at_return))
        return True


def elf(*functions: str) -> bytes:
    """A file of 64 bits with these functions, each 16 bytes behind the one before, from 4,096 on."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in functions)
    places = [names.index(b"\0" + name.encode() + b"\0") + 1 for name in functions]
    symbols = bytes(24) + b"".join(
        struct.pack("<IBBHQQ", place, 0x12, 0, 1, 0x401000 + 16 * number, 16) for number, place in enumerate(places)
    )
    at = 64 + 56
    segment = struct.pack("<IIQQQQQQ", 1, 5, 4096, 0x401000, 0x401000, 4096, 4096, 4096)
    sections = bytes(64)
    sections += struct.pack("<IIQQQQIIQQ", 0, 11, 0, 0, at, len(symbols), 2, 0, 8, 24)
    sections += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, at + len(symbols), len(names), 0, 0, 1, 0)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    place = at + len(symbols) + len(names)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, place, 0, 64, 56, 1, 64, 3, 2)
    return (head + segment + symbols + names + sections).ljust(8_192, b"\0")


class Place:
    """A node with a target of one process, whose files a test makes."""

    def __init__(self, root: Path, programs: AttachablePrograms) -> None:
        self.root = root
        self.programs = programs
        self.told: list[Record] = []
        self.is_chosen = True
        self.cgroup = root / "sys/fs/cgroup/target"
        self.cgroup.mkdir(parents=True)
        (self.cgroup / "cgroup.procs").write_text("7\n")
        self.process = root / "proc/7"
        (self.process / "map_files").mkdir(parents=True)
        (self.process / "maps").touch()
        (root / "container").mkdir()
        (self.process / "root").symlink_to(root / "container")
        (root / "shop").write_bytes(b"no program")
        (self.process / "exe").symlink_to(root / "shop")

    def map(self, content: bytes) -> None:
        (self.root / "library").write_bytes(content)
        (self.process / "map_files/1000-2000").symlink_to(self.root / "library")
        (self.process / "maps").write_text(f"1000-2000 r-xp 00000000 00:2a 42   {LIBRARY}\n")

    def put(self, content: bytes) -> None:
        (self.root / "container/lib").mkdir()
        (self.root / "container/lib/libpq.so.5").write_bytes(content)

    def reader(self) -> QueryReader:
        target = Target(match=ScopeMatch(mode="helper", root_id=1, level=1), directory=self.cgroup)
        host = Host(root=self.root, release="6.1", machine="x86_64", is_root=True)
        scopes = Scopes(self.programs, target)
        self.context = TraceContext(
            programs=self.programs,
            host=host,
            target=target,
            scopes=scopes,
            tell=self.told.append,
            is_chosen=self.is_chosen,
        )
        return QueryReader(self.context)


@pytest.fixture
def programs() -> AttachablePrograms:
    return AttachablePrograms()


@pytest.fixture
def place(tmp_path: Path, programs: AttachablePrograms) -> Place:
    return Place(tmp_path, programs)


def rows(reader: QueryReader, record: type) -> list[QueryRow] | list[ClientLibraryRow]:
    (found,) = [table for table in reader.tables() if table.record is record]
    return list(found.rows.values())


def libraries(reader: QueryReader) -> list[tuple[str, int, str]]:
    return [(row.path, row.processes, row.reason) for row in rows(reader, ClientLibraries)]  # type: ignore[union-attr]


def count(place: Place, text_hash: int, number: int, *, protocol: int = 0, errors: int = 0) -> None:
    key = place.programs.key("queries", hash=text_hash, scope=0, protocol=protocol)
    value = place.programs.value("queries", count=number, errors=errors, timed=number, sum_ns=number * 8, max_ns=8)
    place.programs.put("queries", key, value, place.programs.value("queries"))
    histogram = bytes(8) + number.to_bytes(8, "little")
    size = len(place.programs.value("query_histograms"))
    place.programs.put("query_histograms", key, histogram.ljust(size, b"\0"))


def tell(place: Place, text_hash: int, text: bytes, *, protocol: int = 0, is_cut: int = 0) -> None:
    data = struct.pack("=IIQII", RECORD_STATEMENT, protocol, text_hash, len(text), is_cut) + text
    place.context.takers[RECORD_STATEMENT](data)


def test_statements_that_are_alike_without_their_values_are_one(place: Place) -> None:
    reader = place.reader()
    count(place, 77, 3, errors=1)
    count(place, 78, 5)
    count(place, 78, 2, protocol=1)
    for text_hash, text in ((77, b"select ? in (?)"), (78, b"select ? in (?, ?)")):
        tell(place, text_hash, text)
        tell(place, text_hash, text, protocol=1)
    assert rows(reader, Queries) == [
        QueryRow(
            scope=0, key=0, protocol="postgresql", statement="select ? in (?, ...)", count=8, errors=1, sum_ns=64,
            max_ns=8, buckets=(1, 8),
        ),
        QueryRow(
            scope=0, key=1, protocol="mysql", statement="select ? in (?, ...)", count=2, errors=0, sum_ns=16, max_ns=8,
            buckets=(1, 2),
        ),
    ]  # fmt: skip


def test_a_statement_waits_for_its_text(place: Place) -> None:
    reader = place.reader()
    count(place, 77, 3)
    assert rows(reader, Queries) == []
    tell(place, 77, b"select a", is_cut=1)
    (row,) = rows(reader, Queries)
    assert isinstance(row, QueryRow)
    assert (row.statement, row.count) == ("select a…", 3)


def test_statements_without_a_text_say_why(place: Place) -> None:
    reader = place.reader()
    count(place, 0, 2)
    count(place, 1, 3)
    found = {row.statement: row.count for row in rows(reader, Queries) if isinstance(row, QueryRow)}
    assert found == {"(text could not be read)": 2, "(prepared before the trace)": 3}


def test_a_mapped_library_gets_probes_at_its_functions_and_is_told(place: Place) -> None:
    place.map(elf("PQexec", "PQfinish", "unrelated"))
    reader = place.reader()
    assert place.programs.attached == [
        ("query_return", {4096: 1}, True), ("query_call", {4096: 1, 4112: 9}, False),
    ]  # fmt: skip
    assert libraries(reader) == [(LIBRARY, 1, "")]
    (probe,) = place.told
    assert isinstance(probe, Probe)
    assert (probe.name, probe.topic, probe.attached) == (f"uprobe:{LIBRARY}", "queries", True)


def test_a_library_that_was_mapped_late_is_found_within_some_seconds_and_once(place: Place) -> None:
    reader = place.reader()
    place.map(elf("mysql_query"))
    for _ in range(12):
        reader.second()
    assert len(place.programs.attached) == 2
    assert len(place.told) == 1


def test_a_library_that_nobody_maps_is_not_told(place: Place) -> None:
    place.put(elf("PQexec"))
    reader = place.reader()
    assert len(place.programs.attached) == 2
    assert place.told == []
    assert libraries(reader) == [("/lib/libpq.so.5", 0, "")]


def test_where_probes_are_costly_to_remove_only_a_mapped_library_gets_them(place: Place) -> None:
    place.programs.at_once = False
    place.put(elf("PQexec"))
    reader = place.reader()
    assert place.programs.attached == []
    assert libraries(reader) == []
    place.map(elf("PQexec"))
    for _ in range(5):
        reader.second()
    assert len(place.programs.attached) == 2
    assert libraries(reader) == [(LIBRARY, 1, "")]


def test_a_library_for_which_no_programs_were_compiled_says_so(place: Place) -> None:
    place.programs.are_compiled = False
    place.map(elf("PQexec"))
    ((_, processes, reason),) = libraries(place.reader())
    assert (processes, place.programs.attached) == (1, [])
    assert "trace again" in reason


def test_a_library_that_takes_no_probes_says_why(place: Place) -> None:
    place.programs.refusal = "the kernel takes no program there: Operation not permitted"
    place.map(elf("PQexec"))
    assert libraries(place.reader()) == [(LIBRARY, 1, place.programs.refusal)]
    (probe,) = place.told
    assert isinstance(probe, Probe)
    assert (probe.attached, probe.required, probe.reason) == (False, False, place.programs.refusal)


def test_what_ended_processes_left_behind_is_forgotten_before_it_fills_the_tables(place: Place) -> None:
    reader = place.reader()
    capacity = place.programs.capacity("query_prepared")
    for number in range(capacity // 2 + 1):
        key = place.programs.key("query_prepared", connection=number, tgid=7 if number < 3 else 8)
        place.programs.put("query_prepared", key, 5)
    place.programs.put("processes", 7, place.programs.value("processes"))
    for _ in range(30):
        reader.second()
    assert place.programs.count("query_prepared") == 3


@pytest.mark.parametrize("is_chosen", [False, True])
def test_a_library_whose_users_could_be_ended_by_probes_gets_them_only_where_they_are_asked_for(
    place: Place, is_chosen: bool
) -> None:
    place.is_chosen = is_chosen
    place.map(elf("mysql_real_query", "mysql_real_query_start"))
    reader = place.reader()
    ((_, processes, reason),) = libraries(reader)
    assert processes == 1
    assert bool(place.programs.attached) == is_chosen
    assert ("--filter db" in reason) == (not is_chosen)
