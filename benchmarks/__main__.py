"""The cost of tracing, as tables. Exit status 1 if a mark is missed."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.overhead import (
    ANOTHER,
    EVERYTHING,
    ONE_FILTER,
    ROOT,
    Footprint,
    Load,
    Result,
    help_ms,
    measure,
    ratio,
)

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One measured number beside the mark that it must not exceed."""

    name: str
    value: float
    unit: str
    mark: float | None

    @property
    def kept(self) -> bool:
        """Is it within its mark?"""
        return self.mark is None or self.value <= self.mark


def loads(directory: Path) -> dict[Load, Path]:
    """The loads, compiled into a directory."""
    found = (
        Load(
            name="read/write loop",
            arguments=(str(directory / "data"), "300000"),
            filter_name="fs",
            marks={EVERYTHING: 2.5, ANOTHER: 1.8},
        ),
        Load(
            name="TCP ping-pong",
            arguments=("40000",),
            filter_name="net",
            marks={EVERYTHING: 1.35, ONE_FILTER: 1.15, ANOTHER: 1.8},
        ),
    )
    programs = dict(zip(found, ("rw", "pingpong"), strict=True))
    for name in programs.values():
        source = ROOT / "benchmarks" / "loads" / f"{name}.c"
        subprocess.run(["gcc", "-O2", "-static", "-o", str(directory / name), str(source)], check=True)
    return {load: directory / name for load, name in programs.items()}


def facts(footprint: Footprint) -> list[Fact]:
    """What the tracer and the plugin took."""
    return [
        Fact(name="stream, at its most", value=max(footprint.stream_bytes_per_s) / 1024, unit="KiB/s", mark=64),
        Fact(name="tracer's CPU, of one processor", value=100 * max(footprint.cpu_ratio), unit="%", mark=None),
        Fact(name="tracer's memory when attached", value=max(footprint.attached_rss) / 1e6, unit="MB", mark=130),
        Fact(name="tracer's memory at its peak", value=max(footprint.peak_rss) / 1e6, unit="MB", mark=190),
        Fact(name="`kubectl podtrace --help`", value=help_ms(11), unit="ms", mark=150),
    ]


def table(rows: Sequence[Sequence[str]], *, markdown: bool) -> str:
    """Rows as text, the first one as the heading."""
    if markdown:
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines.insert(1, "|" + "---|" * len(rows[0]))
        return "\n".join(lines)
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def ratio_rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Each load in each mode: median, spread, ratio, mark."""
    rows: list[tuple[str, ...]] = [("load", "traced by", "ns per operation", "spread", "of untraced", "mark")]
    for result in results:
        mark = result.load.marks.get(result.mode)
        mode = f"`--filter {result.load.filter_name}`" if result.mode == ONE_FILTER else result.mode
        rows.append(
            (
                result.load.name,
                mode,
                f"{statistics.median(result.ns):.0f}",
                f"{min(result.ns):.0f} to {max(result.ns):.0f}",
                f"{ratio(result, results):.2f}",
                "" if mark is None else f"{mark:.2f}",
            )
        )
    return rows


def fact_rows(found: Sequence[Fact]) -> list[tuple[str, ...]]:
    """Each number beside its mark."""
    rows: list[tuple[str, ...]] = [("what", "measured", "mark")]
    for fact in found:
        mark = "" if fact.mark is None else f"{fact.mark:g} {fact.unit}"
        rows.append((fact.name, f"{fact.value:.1f} {fact.unit}", mark))
    return rows


def main() -> int:
    """Measures and prints; 1 if a mark was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="tables for docs/overhead.md")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured (7)")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.stderr.write("error: measuring the tracer needs root\n")
        return 2
    footprint = Footprint()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        cgroup = _cgroup()
        try:
            results = measure(loads(Path(directory)), cgroup, arguments.rounds, footprint, _say)
        finally:
            cgroup.rmdir()
    found = facts(footprint)
    print(f"{platform.machine()}, Linux {platform.release()}, {os.cpu_count()} processors, {arguments.rounds} rounds\n")
    print(table(ratio_rows(results), markdown=arguments.markdown), end="\n\n")
    print(table(fact_rows(found), markdown=arguments.markdown))
    missed = [r for r in results if ratio(r, results) > r.load.marks.get(r.mode, float("inf"))]
    return 1 if missed or not all(fact.kept for fact in found) else 0


def _cgroup() -> Path:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    root = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    if root is None:
        raise SystemExit("error: no cgroup v2 hierarchy is mounted")
    path = root / f"podtrace-bench-{os.getpid()}"
    path.mkdir()
    return path


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
