"""The cost of tracing, as tables. Exit status 1 if a mark is missed; goals are only shown."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import page
from benchmarks.calls import CallLoad, call_loads
from benchmarks.cgroups import cgroup, unified_root
from benchmarks.failure import BenchmarkError
from benchmarks.marks import MARKS
from benchmarks.programs import ProgramCost, costs_between, costs_of, statistics_on
from benchmarks.rounds import Rounds, order_of
from benchmarks.servers import ServerLoad, require_programs, server_loads
from benchmarks.tables import Fact, facts_of, tables_of, text_of
from benchmarks.tracing import (
    ANOTHER,
    EMPTY,
    EVERYTHING,
    MODES,
    ROOT,
    UNTRACED,
    Footprint,
    Processors,
    Scene,
)

PARTS = ("calls", "servers", "programs")
PAGE = ROOT / "docs" / "overhead.md"
_PROGRAM_ROUNDS = 3

Load = CallLoad | ServerLoad


def main() -> int:
    """Measures and prints; 1 if a mark was missed."""
    arguments = _parser().parse_args()
    if os.geteuid() != 0:
        return _refuse("measuring the tracer needs root")
    if arguments.docs and arguments.only:
        return _refuse("--docs rewrites all tables, so it measures all")
    parts = set(arguments.only or PARTS)
    # Like Ctrl+C: the servers, their cgroups and the tracer must not outlive us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if parts != {"calls"}:
            require_programs()
        return _measured(parts, arguments)
    except BenchmarkError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return _refuse("interrupted")


def _measured(parts: set[str], arguments: argparse.Namespace) -> int:
    rounds, costs, footprint = Rounds(untraced=UNTRACED.name), {}, Footprint()
    began = time.monotonic()
    with _stage(parts, footprint) as (scene, loads_of):
        loads = [load for each in loads_of.values() for load in each]
        for load in loads:
            _say(f"{load.name}: {load.run()[0].cpu_ns:.0f} ns, not counted")
        compared = [load for part, each in loads_of.items() if part in parts for load in each]
        if compared:
            _run_rounds(rounds, scene, compared, arguments.rounds)
        if "programs" in parts:
            costs = _program_costs(scene, loads, min(arguments.rounds, _PROGRAM_ROUNDS))
    facts = [*facts_of(footprint), Fact(name="`kubectl podtrace --help`", value=_help_ms(11), unit="ms", mark=150)]
    markdown = arguments.markdown or arguments.docs
    found = tables_of(rounds, costs, facts, [load.name for load in loads_of.get("servers", [])])
    texts = {"machine": _machine(arguments.rounds, loads)}
    texts |= {name: text_of(rows, markdown=markdown) for name, rows in found.items()}
    print("\n\n".join(texts.values()))
    _say(f"measured in {time.monotonic() - began:.0f} s")
    if arguments.docs:
        PAGE.write_text(page.with_tables(PAGE.read_text(encoding="utf-8"), texts), encoding="utf-8")
    missed = [f"{load}, {mode}" for load, mode in rounds.missed(MARKS)]
    missed += [fact.name for fact in facts if not fact.is_kept]
    if missed:
        _say(f"missed marks: {'; '.join(missed)}")
    return 1 if missed else 0


@contextmanager
def _stage(parts: set[str], footprint: Footprint) -> Iterator[tuple[Scene, dict[str, list[Load]]]]:
    """The loads of each part, ready to run, below one cgroup."""
    root, processors = unified_root(Path("/proc/self/mounts").read_text(encoding="utf-8")), Processors.of_this_process()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        traced = stack.enter_context(cgroup(root, f"podtrace-bench-{os.getpid()}")).path
        empty = stack.enter_context(cgroup(root, f"podtrace-bench-{os.getpid()}-empty")).path
        loads: dict[str, list[Load]] = {}
        if parts != {"servers"}:
            loads["calls"] = [*stack.enter_context(call_loads(directory, traced, processors))]
        if parts != {"calls"}:
            loads["servers"] = [*stack.enter_context(server_loads(directory, traced, processors))]
        yield Scene(traced=traced, empty=empty, processors=processors, footprint=footprint), loads


def _run_rounds(rounds: Rounds, scene: Scene, loads: Sequence[Load], count: int) -> None:
    """All loads under all kinds of tracing, again and again."""
    modes = {mode.name: mode for mode in MODES}
    for number in range(count):
        for name in order_of(modes, number):
            with scene.start(modes[name]):
                for load in loads:
                    sample, _ = load.run()
                    rounds.add(load.name, name, sample)
                    _say(f"round {number + 1}: {load.name}, {name}: {sample.cpu_ns:.0f} ns")


def _program_costs(scene: Scene, loads: Sequence[Load], count: int) -> dict[str, list[ProgramCost]]:
    """By load: what the programs cost; for the first load also what they cost another process, and empty ones."""
    costs: dict[str, list[ProgramCost]] = {}
    with statistics_on():
        with scene.start(EVERYTHING) as pid:
            costs |= {load.name: _costs_under(load, pid, count) for load in loads}
        for mode in (ANOTHER, EMPTY):
            with scene.start(mode) as pid:
                costs[f"{loads[0].name}, {mode.name}"] = _costs_under(loads[0], pid, count)
    return costs


def _costs_under(load: Load, pid: int, count: int) -> list[ProgramCost]:
    operations, before = 0, costs_of(pid)
    for _ in range(count):
        operations += load.run(traced_client=True)[1]
    _say(f"programs: {load.name}")
    return costs_between(before, costs_of(pid), operations)


def _help_ms(count: int) -> float:
    """Median wall time of `kubectl-podtrace --help`."""
    times = []
    for _ in range(count):
        began = time.monotonic()
        command = [str(ROOT / ".venv" / "bin" / "kubectl-podtrace"), "--help"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.monotonic() - began)
    return 1000 * statistics.median(times)


def _machine(rounds: int, loads: Sequence[Load]) -> str:
    servers = [f"{load.name} {load.version}" for load in loads if isinstance(load, ServerLoad)]
    where = [platform.machine(), f"Linux {platform.release()}", f"{os.cpu_count()} processors", f"{rounds} rounds"]
    return ", ".join([*where, *servers])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be given again")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--docs", action="store_true", help="also write them into docs/overhead.md")
    return parser


def _refuse(why: str) -> int:
    _say(f"error: {why}")
    return 2


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
