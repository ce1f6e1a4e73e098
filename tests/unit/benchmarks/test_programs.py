from __future__ import annotations

import struct
from pathlib import Path

import pytest

from benchmarks.programs import Cost, cost_in, costs_between, held_in, texts_in

PROGRAM = """\
pos:\t0
flags:\t02000002
mnt_id:\t15
ino:\t1036
prog_type:\t17
prog_jited:\t1
prog_tag:\t8669c3b9fc0dfdbc
memlock:\t4096
prog_id:\t{number}
run_time_ns:\t218627
run_cnt:\t1185
"""
LINK = """\
pos:\t0
flags:\t02000002
link_type:\traw_tracepoint
link_id:\t16278
prog_tag:\t0956ec70341a4c84
prog_id:\t{number}
tp_name:\tsched_process_fork
cookie:\t0
"""
MAP = "pos:\t0\nflags:\t02000002\nmap_type:\t1\nkey_size:\t4\nmap_id:\t7\n"


def test_a_program_is_called_by_its_tracepoint_whichever_of_its_descriptors_comes_first() -> None:
    program, link, other = PROGRAM.format(number=41), LINK.format(number=41), PROGRAM.format(number=42)
    assert held_in([program, link, MAP, other]) == {41: "sched_process_fork", 42: ""}
    assert held_in([link, program]) == {41: "sched_process_fork"}


def test_a_descriptor_that_is_closed_while_they_are_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "3").write_text(MAP)
    # Listed, and gone when it is opened: what a link to nothing looks like.
    (tmp_path / "4").symlink_to(tmp_path / "closed")
    assert list(texts_in(tmp_path)) == [MAP]


def test_name_and_numbers_stand_where_the_kernel_s_header_says() -> None:
    # include/uapi/linux/bpf.h: all before `name`; the name; `run_time_ns` and `run_cnt`.
    before_name = struct.pack("=II8sIIQQQIIQ", 17, 41, b"tagtagta", 0, 0, 0, 0, 0, 0, 0, 0)
    assert len(before_name) == 64
    info = bytearray(232)
    info[:64] = before_name
    info[64:80] = b"on_sched_proces\0"
    info[192:208] = struct.pack("=QQ", 218_627, 1_185)
    assert cost_in(bytes(info)) == ("on_sched_proces", Cost(runs=1_185, ns=218_627))


def test_only_what_was_added_meanwhile_counts_and_the_most_expensive_comes_first() -> None:
    before = {"sys_enter": Cost(runs=100, ns=5_000), "sys_exit": Cost(runs=100, ns=10_000), "idle": Cost(runs=3, ns=9)}
    after = {
        "sys_enter": Cost(runs=300, ns=25_000),
        "sys_exit": Cost(runs=300, ns=70_000),
        "idle": Cost(runs=3, ns=9),
        "late": Cost(runs=10, ns=100),
    }
    found = costs_between(before, after, operations=50)
    assert [cost.program for cost in found] == ["sys_exit", "sys_enter", "late"]
    assert [(cost.runs_per_operation, cost.ns_per_run) for cost in found] == [(4, 300), (4, 100), (0.2, 10)]
    assert [cost.ns_per_operation for cost in found] == pytest.approx([1_200, 400, 2])
