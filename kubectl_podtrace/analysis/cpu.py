"""CPU: switches, what threads waited for while they were off a CPU, who ran how much, and throttling."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from kubectl_podtrace.analysis.cpu_stacks import CpuStack, OffCpuStack, cpu_stacks, off_cpu_stacks
from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import LISTED, OTHER, Dist, Selection
from kubectl_podtrace.analysis.stacks import FrameBook
from kubectl_podtrace.wire import cpu_records, stack_records


@dataclass(frozen=True, kw_only=True)
class BlockByCause:
    """Times off a CPU by what they were spent on; a wait that a wake-up ended has its part in `run_queue` too."""

    run_queue: Dist
    lock: Dist
    disk: Dist
    network: Dist
    sleep: Dist
    other: Dist


@dataclass(frozen=True, kw_only=True)
class Throttled:
    """How often a CPU limit was enforced: periods, those in which it held threads back, and for how long."""

    periods: int
    throttled: int
    total_ns: int


@dataclass(frozen=True, kw_only=True)
class CpuProcess:
    """A process by its pid in the container, `node_pid` on the node; `cpu_ratio` 1.0 is one core.

    `on_cpu_ns` is how long its threads ran. `(other)`, pid 0, holds all not listed.
    """

    pid: int
    node_pid: int
    comm: str
    on_cpu_ns: int
    cpu_ratio: float
    switches: int
    samples: int


@dataclass(frozen=True, kw_only=True)
class TopFunction:
    """A function by the samples that found a thread in it; null for all of a file that names no functions.

    The module `[kernel]` is time in the kernel, whatever function called it; `(other)` holds all not listed, and
    samples whose place is not known.
    """

    symbol: str | None
    module: str
    samples: int
    share_ratio: float


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """The section `cpu`; `throttling` is null where no cgroup of the target has a CPU controller.

    `on_cpu_ns` is how long threads ran, all of them together.
    """

    switches: int
    per_s: float
    block: Dist
    block_by_cause: BlockByCause
    throttling: Throttled | None
    top_functions: tuple[TopFunction, ...]
    stacks: tuple[CpuStack, ...]
    off_cpu: tuple[OffCpuStack, ...]
    processes: tuple[CpuProcess, ...]
    on_cpu_ns: int
    total_ratio: float
    samples: int
    partial: tuple[Partial, ...]


def cpu(selection: Selection) -> Cpu:
    """The section `cpu` of the selected scopes."""
    selection = selection.while_counted("cpu.switch", "cpu.run")
    switches, run = selection.of("cpu.switch"), selection.of("cpu.run")
    return Cpu(
        switches=switches.count,
        per_s=selection.per_s(switches.count),
        block=selection.latency("cpu.block"),
        block_by_cause=BlockByCause(
            run_queue=selection.latency("cpu.run_queue"),
            lock=selection.latency("cpu.lock"),
            disk=selection.latency("cpu.disk"),
            network=selection.latency("cpu.network"),
            sleep=selection.latency("cpu.sleep"),
            other=selection.latency("cpu.other"),
        ),
        throttling=_throttling(selection),
        top_functions=_top_functions(selection, run.count),
        stacks=cpu_stacks(selection),
        off_cpu=off_cpu_stacks(selection),
        processes=_processes(selection),
        on_cpu_ns=run.sum_ns,
        total_ratio=_cores(selection, run.sum_ns),
        samples=run.count,
        partial=selection.partial_of("cpu"),
    )


def _cores(selection: Selection, on_cpu_ns: int) -> float:
    """How many cores so much time on a CPU kept busy."""
    length_ns = selection.end_ns - selection.start_ns
    return on_cpu_ns / length_ns if length_ns > 0 else 0.0


def _throttling(selection: Selection) -> Throttled | None:
    rows = selection.rows(cpu_records.Throttling)
    if not rows:
        return None
    return Throttled(
        periods=sum(row.periods for row in rows),
        throttled=sum(row.throttled for row in rows),
        total_ns=sum(row.total_ns for row in rows),
    )


def _top_functions(selection: Selection, total: int) -> tuple[TopFunction, ...]:
    book = FrameBook(selection)
    samples: Counter[tuple[str | None, str]] = Counter()
    for row in selection.rows(stack_records.CpuFunctions):
        (frame,) = book.frames((row.frame,))
        samples[frame.symbol, frame.module] += row.samples
    ordered = sorted(samples.items(), key=lambda item: (-item[1], item[0][1], item[0][0] or ""))[:LISTED]
    # The functions can be a second behind the totals, or a moment ahead.
    total = max(total, sum(samples.values()))
    found = [
        TopFunction(symbol=symbol, module=module, samples=count, share_ratio=count / total)
        for (symbol, module), count in ordered
        if count
    ]
    rest = total - sum(each.samples for each in found)
    if rest:
        found.append(TopFunction(symbol=OTHER, module=OTHER, samples=rest, share_ratio=rest / total))
    return tuple(found)


def _processes(selection: Selection) -> tuple[CpuProcess, ...]:
    rows = [row for row in selection.rows(cpu_records.CpuProcesses) if row.on_cpu_ns or row.switches]
    listed = sorted(rows, key=lambda row: (-row.on_cpu_ns, -row.switches, row.node_pid, row.start_ns))[:LISTED]
    found = [
        CpuProcess(
            pid=row.pid,
            node_pid=row.node_pid,
            comm=row.comm,
            on_cpu_ns=row.on_cpu_ns,
            cpu_ratio=_cores(selection, row.on_cpu_ns),
            switches=row.switches,
            samples=row.samples,
        )
        for row in listed
    ]
    # A process's own counters can be ahead of the totals, which travel before them.
    run = selection.of("cpu.run")
    rest_ns = max(run.sum_ns - sum(row.on_cpu_ns for row in listed), 0)
    switches = max(selection.of("cpu.switch").count - sum(row.switches for row in listed), 0)
    if rest_ns or switches:
        samples = max(run.count - sum(row.samples for row in listed), 0)
        found.append(
            CpuProcess(
                pid=0, node_pid=0, comm=OTHER, on_cpu_ns=rest_ns, cpu_ratio=_cores(selection, rest_ns),
                switches=switches, samples=samples,
            )
        )  # fmt: skip
    return tuple(found)
