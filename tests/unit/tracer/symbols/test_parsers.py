"""Memory maps, lists of compiled functions, tables of Go and of lines: what they say, and that nonsense ends soon."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtrace_tracer.symbols import dwarf_lines, memory_map
from podtrace_tracer.symbols.demangle import demangled
from podtrace_tracer.symbols.elf import Elf
from podtrace_tracer.symbols.go_table import GoTable, GoTableError
from podtrace_tracer.symbols.memory_map import MemoryMap
from podtrace_tracer.symbols.perf_map import PerfMap
from podtrace_tracer.symbols.rust import demangled_v0
from tests.unit.tracer.symbols.elf_blob import Extra, elf, read_of

MAPS = b"""\
55d000000000-55d000001000 r--p 00000000 08:01 41                         /srv/jail/srv/app
55d000001000-55d000003000 r-xp 00001000 08:01 41                         /srv/jail/srv/app (deleted)
7f0000000000-7f0000010000 rwxp 00000000 00:00 0
7f0000020000-7f0000030000 r-xp 00002000 08:01 99                         /srv/jail/a name with spaces
7fff00000000-7fff00002000 r-xp 00000000 00:00 0                          [vdso]
nonsense
"""


def test_only_what_can_run_is_mapped_and_paths_are_those_of_the_process() -> None:
    found = MemoryMap(memory_map.parse(MAPS, "/srv/jail"))
    assert [mapping.path for mapping in found.mappings] == ["/srv/app", "", "/a name with spaces", "[vdso]"]
    assert found.find(0x55D0_0000_0FFF) is None
    mapping = found.find(0x55D0_0000_2FFF)
    assert mapping is not None
    assert (mapping.file, mapping.offset) == (("08:01", 41), 0x1000)
    anonymous = found.find(0x7F00_0000_0000)
    assert anonymous is not None
    assert anonymous.file is None
    assert found.find(0x7F00_0001_0000) is None


def test_what_is_behind_a_file_s_variables_can_be_among_their_zeros() -> None:
    text = b"""2000-3000 r--p 00001000 08:01 41 /srv/app
3000-4000 rw-p 00002000 08:01 41 /srv/app
4000-6000 rw-p 00000000 00:00 0
9000-a000 rw-p 00007000 08:01 99 /lib/libshop.so
"""
    found = MemoryMap(memory_map.parse(text))
    places = [found.find_variables(address) for address in (0x2FFF, 0x3000, 0x5000, 0x9000)]
    assert [place and place.path for place in places] == [None, "/srv/app", "/srv/app", "/lib/libshop.so"]
    assert found.mappings == ()


def test_the_last_entry_of_a_list_of_compiled_functions_holds() -> None:
    text = b"1000 10 JS:~old /app.js:1:1\nbroken\n2000 20 JS:^handle /app.js:2:1\n1000 10 JS:*new /app.js:3:1\n"
    functions = PerfMap(read_of(text))
    assert functions.symbol(0x100F) == "JS:new /app.js:3:1"
    assert functions.symbol(0x2000) == "JS:handle /app.js:2:1"
    assert functions.symbol(0x1010) == functions.symbol(0x10) == ""


@pytest.mark.parametrize(
    ("mangled", "name"),
    [
        ("main", "main"),
        ("_ZN5store7Journal5flushEv", "store::Journal::flush()"),
        ("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad"),
        (
            "_ZN60_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..ops..Drop$GT$4drop17h0123456789abcdefE",
            "<alloc::vec::Vec<T> as core::ops::Drop>::drop",
        ),
        ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
        ("_RNvC6_123foo3bar", "123foo::bar"),
        ("_RNCNvCsgStHSCytQ6I_7mycrate4main0", "mycrate::main::{closure#0}"),
        ("_RINvNtC3std3mem8align_ofjE", "std::mem::align_of::<usize>"),
        ("_RNvMNtC3foo3barNtB2_3Baz3qux", "<foo::bar::Baz>::qux"),
        ("_RNvXs_C3fooNtB4_3BarNtB4_5Trait3baz", "<foo::Bar as foo::Trait>::baz"),
        ("_RINvC3foo3barTlRhSeENtB2_1TE", "foo::bar::<(i32, &u8, [str]), foo::T>"),
        ("_RB_", "_RB_"),
        ("_R", "_R"),
    ],
)
def test_names_are_those_of_the_source(mangled: str, name: str) -> None:
    assert demangled(mangled) == name


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="CNMXYIBFDTSAREKLGUpnsu_0123456789abcvzt", max_size=200))
def test_any_name_of_rust_is_read_to_an_end(text: str) -> None:
    assert len(demangled_v0(f"_R{text}")) < 10_000_000


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"\xf1", b"\xf0", b"\xfa", b"\xfb"]), st.integers(0, 2**64 - 1))
def test_any_table_of_go_is_read_to_an_end(content: bytes, form: bytes, address: int) -> None:
    try:
        table = GoTable(form + b"\xff\xff\xff\0\0\x01\x08" + content, 0x1000)
    except GoTableError:
        return
    table.find(address)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(2, 5), st.binary(max_size=60))
def test_any_table_of_lines_is_read_to_an_end(program: bytes, version: int, ranges: bytes) -> None:
    unit = version.to_bytes(2, "little") + program
    content = len(unit).to_bytes(4, "little") + unit
    extras = (Extra(name=".debug_line", content=content), Extra(name=".debug_aranges", content=ranges))
    dwarf_lines.lines(Elf(read_of(elf(extras=extras))), [0x1000, 0x401000])
