"""A report whose lists have ten thousand entries in all: more than any trace, whose lists end at a hundred each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import Any, Final, TypeVar

from kubectl_podtrace.analysis.connections import ConnectionTarget, OneShotTarget
from kubectl_podtrace.analysis.cpu import CpuProcess, TopFunction
from kubectl_podtrace.analysis.dns import DnsName
from kubectl_podtrace.analysis.files import OpenedFile, TopFile
from kubectl_podtrace.analysis.lifecycle import Program
from kubectl_podtrace.analysis.memory import MemoryProcess
from kubectl_podtrace.analysis.processes import Exit, TopProcess
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.analysis.stacks import Frame, Stack
from kubectl_podtrace.report.model import Report
from tests.unit.report.reports import typical

ROWS: Final = 10_000
FRAMES: Final = 20
Entry = TypeVar("Entry")


def huge() -> Report:
    """The typical report with long lists, whose entries differ in name and numbers."""
    report = typical()
    assert report.connections
    assert report.dns
    assert report.files
    assert report.cpu
    assert report.processes
    assert report.lifecycle
    assert report.memory
    assert report.queries
    assert report.stacks
    return replace(
        report,
        connections=replace(
            report.connections,
            top_targets=tuple(_target(number) for number in _falling(1_200)),
            one_shot=tuple(_one_shot(number) for number in _falling(500)),
        ),
        dns=replace(report.dns, top_names=tuple(_name(number) for number in _falling(1_200))),
        files=replace(
            report.files,
            top_files=tuple(_file(number) for number in _falling(1_500)),
            top_opened=tuple(
                OpenedFile(path=_path(number), count=number, failed=number % 5) for number in _falling(1_500)
            ),
        ),
        cpu=replace(
            report.cpu,
            processes=tuple(_cpu_process(number) for number in _falling(800)),
            top_functions=tuple(_function(number) for number in _falling(200)),
        ),
        processes=replace(
            report.processes,
            top=tuple(_process(number) for number in _falling(800)),
            exits=tuple(Exit(comm=_comm(number), code=number % 4, signal=0, count=number) for number in _falling(300)),
        ),
        lifecycle=replace(report.lifecycle, programs=tuple(_program(number) for number in _falling(400))),
        memory=replace(report.memory, processes=tuple(_memory_process(number) for number in _falling(800))),
        queries=tuple(
            _many(report.queries, 500, "statement", "select total from orders where shop = ? and year_{} = ?")
        ),
        stacks=tuple(_stack(report.stacks[0], number) for number in _falling(300)),
    )


def _falling(count: int) -> range:
    return range(count, 0, -1)


def _many(entries: Sequence[Entry], count: int, field: str, pattern: str) -> Iterator[Entry]:
    """So many entries after the pattern of those that are no `(other)`."""
    known: list[Any] = [entry for entry in entries if getattr(entry, field) != OTHER]
    for number, entry in enumerate(islice(cycle(known), count)):
        yield replace(entry, **{field: pattern.format(number)})


def _path(number: int) -> str:
    return f"/var/lib/shop/shards/{number % 32:02}/segments/{number:08}.log"


def _comm(number: int) -> str:
    return f"worker-{number}"


def _target(number: int) -> ConnectionTarget:
    return ConnectionTarget(
        address=f"10.96.{number // 256}.{number % 256}",
        port=5432,
        name=f"shard-{number}.orders.svc.cluster.local",
        count=number * 7,
        failed=number % 3,
    )


def _one_shot(number: int) -> OneShotTarget:
    return OneShotTarget(
        address=f"10.97.{number // 256}.{number % 256}",
        port=80,
        name=None,
        connections=number,
        handshake_total_ns=number * 1_234_567,
    )


def _name(number: int) -> DnsName:
    return DnsName(
        name=f"shard-{number}.orders.svc.cluster.local",
        count=number * 3,
        errors=number % 2,
        nxdomain=number % 7,
        addresses=(),
    )


def _file(number: int) -> TopFile:
    return TopFile(path=_path(number), count=number, bytes=number * 4_321, slow=number % 11)


def _process(number: int) -> TopProcess:
    return TopProcess(pid=number, node_pid=40_000 + number, comm=_comm(number), events=number, share_ratio=number / 1e6)


def _cpu_process(number: int) -> CpuProcess:
    return CpuProcess(
        pid=number,
        node_pid=40_000 + number,
        comm=_comm(number),
        cpu_ratio=number / 10_000,
        on_cpu_ns=number * 3_000_000,
        switches=number * 2,
        samples=number,
    )


def _memory_process(number: int) -> MemoryProcess:
    return MemoryProcess(
        pid=number,
        node_pid=40_000 + number,
        comm=_comm(number),
        minor_faults=number * 5,
        major_faults=number % 4,
        resident_bytes=number * 4_096,
        resident_peak_bytes=number * 8_192,
    )


def _function(number: int) -> TopFunction:
    return TopFunction(symbol=f"shop::step_{number}", module="/app/orders", samples=number, share_ratio=number / 20_100)


def _program(number: int) -> Program:
    return Program(
        comm=_comm(number),
        ended=number,
        failed=number % 3,
        codes={},
        signals={},
        oom_kills=0,
        lifetime_avg_ns=number * 1_000_003,
        lifetime_max_ns=number * 3_000_017,
    )


def _stack(pattern: Stack, number: int) -> Stack:
    frames = tuple(_frame((number + depth * (number % 7)) % 150) for depth in range(FRAMES - 3))
    ends = tuple(_frame(900 + place) for place in range(3))
    return replace(pattern, target=f"10.96.1.{number % 9}:5432", count=number, frames=(*frames, *ends))


def _frame(number: int) -> Frame:
    return Frame(symbol=f"shop::step_{number}", module="/app/orders", offset=number, source=None, build_id=None)
