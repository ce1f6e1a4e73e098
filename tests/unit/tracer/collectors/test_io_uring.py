"""Which request is of which kind, and where each kernel's tracepoint has it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from podtrace_tracer.collectors.io_uring import KINDS, KNOWN_OPCODES, PROBES, defines
from podtrace_tracer.kernel.btf import Btf
from tests.unit.tracer.btf_blob import BtfBlob

HEADER = Path("/usr/include/linux/io_uring.h")
PLACES = {"IO_URING_REQUEST", "IO_URING_OPCODE"}


def kernel(tracepoint: str = "", arguments: Sequence[str] = (), *, has_requests: bool = True) -> Btf:
    blob = BtfBlob()
    byte = blob.integer("unsigned char", 1)
    types = {"void *": blob.pointer(0), "unsigned char": byte, "u8": blob.typedef("u8", byte)}
    if has_requests:
        types["struct io_kiocb *"] = blob.pointer(blob.struct("io_kiocb", 64, []))
    if tracepoint:
        blob.tracepoint(tracepoint, [types[argument] for argument in arguments])
    return Btf.parse(blob.to_bytes())


def place(btf: Btf) -> dict[str, int]:
    return {name: value for name, value in defines(btf).items() if name in PLACES}


@pytest.mark.parametrize(
    ("tracepoint", "arguments", "expected"),
    [
        ("io_uring_submit_req", ("struct io_kiocb *",), {"IO_URING_REQUEST": 0}),
        ("io_uring_submit_sqe", ("struct io_kiocb *", "u8"), {"IO_URING_REQUEST": 0}),
        ("io_uring_submit_sqe", ("void *", "u8", "void *"), {"IO_URING_OPCODE": 1}),
        ("io_uring_submit_sqe", ("void *", "void *", "unsigned char"), {"IO_URING_OPCODE": 2}),
        ("", (), {}),
    ],
)
def test_the_opcode_is_where_the_kernel_s_own_types_say(
    tracepoint: str, arguments: Sequence[str], expected: dict[str, int]
) -> None:
    assert place(kernel(tracepoint, arguments)) == expected


def test_a_probe_is_missing_only_where_there_is_io_uring_and_no_way_to_see_it() -> None:
    newer, older = PROBES
    for name in (newer.tracepoint, older.tracepoint):
        assert not any(probe.is_missing(kernel(name, ("struct io_kiocb *",))) for probe in PROBES)
    assert all(probe.is_missing(kernel()) for probe in PROBES)
    assert not any(probe.is_missing(kernel(has_requests=False)) for probe in PROBES)


def test_no_opcode_is_of_two_kinds_and_all_fit_into_a_word_of_bits() -> None:
    numbers = [number for names in KINDS.values() for number in names.values()]
    assert len(numbers) == len(set(numbers))
    assert max(numbers) < min(64, KNOWN_OPCODES)
    assert defines(kernel())["IO_URING_CLOSES"] == 1 << 19


@pytest.mark.skipif(not HEADER.exists(), reason="this machine has no linux/io_uring.h")
def test_the_numbers_are_those_of_the_kernel_s_header() -> None:
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    names = re.findall(r"^\s*IORING_OP_(\w+)\s*(?:=\s*0)?,", text, re.MULTILINE)
    known = {name: number for kind in KINDS.values() for name, number in kind.items()}
    assert len(names) >= 40
    assert {name: number for number, name in enumerate(names) if name in known} == {
        name: number for name, number in known.items() if name in names
    }
