"""The BTF reader, on small files written for the test and on the running kernel's own."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtrace_tracer.kernel.btf import Btf, BtfError, Field
from tests.unit.tracer.btf_blob import POINTER_BITS, BtfBlob, small_kernel

VMLINUX = Path("/sys/kernel/btf/vmlinux")
needs_kernel_btf = pytest.mark.skipif(not VMLINUX.exists(), reason="this kernel publishes no BTF")

SMALL = small_kernel().to_bytes()


@pytest.fixture
def btf() -> Btf:
    return Btf.parse(SMALL)


def place_of(field: Field | None) -> tuple[int, int] | None:
    return None if field is None else (field.offset_bits, field.size_bits)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("pid", (0, 32)),
        ("files", (64, POINTER_BITS)),
        ("comm", (128, 128)),
        ("sum", (256, 64)),
        ("high", (288, 32)),
        ("live", (320, 32)),
        ("live.counter", (320, 32)),
        ("where.zone", (448, 32)),
        ("odd", (488, 32)),
    ],
)
def test_a_field_is_found_by_its_path_through_nested_and_anonymous_members(
    btf: Btf, path: str, place: tuple[int, int]
) -> None:
    assert place_of(btf.field("task", path)) == place


@pytest.mark.parametrize("path", ["", "pidd", "pid.x", "files.x", "where.nowhere", "where.", ".pid"])
def test_a_field_that_is_not_there_is_none(btf: Btf, path: str) -> None:
    assert btf.field("task", path) is None


def test_a_bit_field_is_told_from_a_field_of_whole_bytes(btf: Btf) -> None:
    assert btf.field("task", "exiting") == Field(type_id=2, offset_bits=355, size_bits=1, is_bit_field=True)
    pid = btf.field("task", "pid")
    assert pid is not None
    assert not pid.is_bit_field


def test_a_bit_field_of_the_older_encoding_is_told_by_its_integers_bits() -> None:
    blob = BtfBlob()
    flags = blob.integer("unsigned int", 4, bits=5)
    blob.struct("old", 4, [("flags", flags, 3)])
    assert Btf.parse(blob.to_bytes()).field("old", "flags") == Field(
        type_id=flags, offset_bits=3, size_bits=5, is_bit_field=True
    )


def test_a_struct_has_an_id_and_a_size_by_its_tag_and_by_its_typedef(btf: Btf) -> None:
    assert btf.size(btf.struct("task") or 0) == 68
    assert btf.size(btf.struct("counter_t") or 0) == 4


@pytest.mark.parametrize("name", ["", "nothing", "files", "int", "kind", "zone_t", "task\0"])
def test_what_is_no_struct_of_this_kernel_is_none(btf: Btf, name: str) -> None:
    assert btf.struct(name) is None
    assert btf.field(name, "pid") is None


@pytest.mark.parametrize(
    ("enum", "name", "value"),
    [
        ("kind", "SECOND", 7),
        ("kind", "HIGHEST", 0xFFFFFFFF),
        ("error", "WORST", -4095),
        ("mask", "WIDE", 1 << 40),
        ("depth", "DEEP", -(1 << 40)),
        ("kind", "NONE", None),
        ("nothing", "FIRST", None),
    ],
)
def test_an_enum_gives_the_number_behind_a_name(btf: Btf, enum: str, name: str, value: int | None) -> None:
    assert btf.enum_value(enum, name) == value


def test_a_raw_tracepoint_gives_its_arguments_without_the_callbacks_own(btf: Btf) -> None:
    assert btf.raw_tracepoint("task_done") == ("struct task *", "bool", "struct files **")


@pytest.mark.parametrize("name", ["task", "task_don", "task_done2", ""])
def test_a_raw_tracepoint_that_the_kernel_lacks_is_none(btf: Btf, name: str) -> None:
    assert btf.raw_tracepoint(name) is None


def test_a_function_has_an_id_and_what_is_none_has_not() -> None:
    blob = small_kernel()
    function = blob.function("do_task", [blob.integer("int", 4, signed=True)])
    btf = Btf.parse(blob.to_bytes())
    assert (btf.function("do_task"), btf.function("task"), btf.function("ghost")) == (function, None, None)


def test_naming_what_will_be_asked_changes_no_answer(btf: Btf) -> None:
    hinted = Btf.parse(SMALL, wanted={"task", "kind", "nothing"})
    for name in ("task", "place", "counter_t", "nothing"):
        assert hinted.struct(name) == btf.struct(name)
    assert hinted.enum_value("kind", "SECOND") == btf.enum_value("kind", "SECOND")
    assert len(hinted) == len(btf)


def test_an_array_is_as_large_as_its_elements_together() -> None:
    blob = BtfBlob()
    grid = blob.array(blob.array(blob.integer("short", 2), 3), 5)
    assert Btf.parse(blob.to_bytes()).size(grid) == 30


def test_a_union_of_an_incomplete_type_is_named_as_one() -> None:
    blob = BtfBlob()
    blob.tracepoint("seen", [blob.pointer(blob.forward("either", union=True)), blob.pointer(0)])
    assert Btf.parse(blob.to_bytes()).raw_tracepoint("seen") == ("union either *", "void *")


def test_a_missing_file_says_which(tmp_path: Path) -> None:
    with pytest.raises(BtfError, match=r"no-btf: No such file"):
        Btf.load(tmp_path / "no-btf")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes are no whole header"),
        (b"\x9f" + SMALL[1:2], "2 bytes are no whole header"),
        (SMALL[1::-1] + SMALL[2:], "byte order"),
        (SMALL[:2] + b"\x02" + SMALL[3:], "version 2"),
        (SMALL[:-1], "truncated"),
        (SMALL[:-1] + b"x", "zero byte"),
    ],
)
def test_a_file_that_is_no_whole_btf_says_why(data: bytes, message: str) -> None:
    with pytest.raises(BtfError, match=message):
        Btf.parse(data)


def test_a_kind_from_the_future_is_named() -> None:
    blob = small_kernel()
    number = blob.raw(27)
    with pytest.raises(BtfError, match=f"type {number} is of kind 27"):
        Btf.parse(blob.to_bytes())


def test_types_that_end_in_the_middle_of_a_record_are_truncated() -> None:
    header, types_end = bytearray(SMALL), 24 + struct.unpack_from("=I", SMALL, 12)[0]
    struct.pack_into("=I", header, 12, types_end - 24 - 8)
    with pytest.raises(BtfError, match="cut off"):
        Btf.parse(bytes(header))


def test_a_typedef_of_itself_ends_in_an_error() -> None:
    blob = BtfBlob()
    blob.typedef("loop", 1)
    with pytest.raises(BtfError, match="refers to itself"):
        Btf.parse(blob.to_bytes()).struct("loop")


def test_a_struct_inside_itself_ends_in_an_error() -> None:
    blob = BtfBlob()
    blob.struct("", 8, [("", 1, 0)])
    blob.typedef("self_t", 1)
    with pytest.raises(BtfError, match="nested too deeply"):
        Btf.parse(blob.to_bytes()).field("self_t", "x")


def test_an_array_of_itself_ends_in_an_error() -> None:
    blob = BtfBlob()
    blob.array(1, 2)
    with pytest.raises(BtfError, match="nested too deeply"):
        Btf.parse(blob.to_bytes()).size(1)


def test_a_type_that_is_not_there_ends_in_an_error() -> None:
    blob = BtfBlob()
    blob.struct("odd", 8, [("x", 99, 0)])
    with pytest.raises(BtfError, match="type 99 is named but there are 1 types"):
        Btf.parse(blob.to_bytes()).field("odd", "x")


def test_a_tracepoint_that_is_no_callback_ends_in_an_error() -> None:
    blob = BtfBlob()
    blob.typedef("btf_trace_odd", blob.integer("int", 4))
    with pytest.raises(BtfError, match="btf_trace_odd"):
        Btf.parse(blob.to_bytes()).raw_tracepoint("odd")


def ask_everything(data: bytes) -> None:
    """Ask what a tracer may ask; only a ``BtfError`` may come of it."""
    try:
        btf = Btf.parse(data, wanted={"task"})
    except BtfError:
        return
    for ask in (
        lambda: btf.field("task", "where.zone"),
        lambda: btf.field("task", "odd"),
        lambda: btf.field("counter_t", "counter"),
        lambda: btf.enum_value("kind", "NO"),
        lambda: btf.enum_value("mask", "NO"),
        lambda: btf.raw_tracepoint("task_done"),
    ):
        try:
            ask()
        except BtfError:
            continue


@given(st.integers(min_value=0, max_value=len(SMALL)))
def test_a_truncated_file_raises_nothing_but_its_own_error(length: int) -> None:
    ask_everything(SMALL[:length])


@given(st.binary(max_size=400))
def test_any_bytes_raise_nothing_but_its_own_error(data: bytes) -> None:
    ask_everything(data)
    ask_everything(SMALL[:4] + data)


@given(st.lists(st.tuples(st.integers(min_value=4, max_value=len(SMALL) - 1), st.integers(min_value=0, max_value=255))))
def test_changed_bytes_raise_nothing_but_its_own_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SMALL)
    for at, value in changes:
        data[at] = value
    ask_everything(bytes(data))


@needs_kernel_btf
def test_the_running_kernels_structs_are_found() -> None:
    btf = Btf.load(VMLINUX, wanted={"task_struct", "file", "sock", "pid_type"})
    assert btf.size(btf.struct("task_struct") or 0) > 1000
    assert place_of(btf.field("file", "f_path.dentry")) is not None
    net = btf.field("sock", "__sk_common.skc_net.net")
    assert net is not None
    assert net.size_bits == POINTER_BITS
    assert btf.field("task_struct", "no_such_field") is None
    assert btf.enum_value("pid_type", "PIDTYPE_TGID") == 1


@needs_kernel_btf
def test_the_running_kernels_tracepoints_are_found() -> None:
    btf = Btf.load(VMLINUX)
    assert btf.raw_tracepoint("sys_enter") == ("struct pt_regs *", "long int")
    assert btf.raw_tracepoint("inet_sock_set_state") == ("struct sock *", "int", "int")
    assert btf.raw_tracepoint("no_such_tracepoint") is None


@needs_kernel_btf
def test_the_running_kernels_types_are_read_in_a_moment() -> None:
    started = time.process_time()
    Btf.load(VMLINUX, wanted={"task_struct", "file", "sock"})
    # Measured: 0.05 to 0.1 s. The limit only catches a reader that has become an order of magnitude slower.
    assert time.process_time() - started < 1
