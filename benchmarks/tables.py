"""Measured numbers as rows of words, the first one the heading; and rows as text."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.marks import GOALS, LEAST_THROUGHPUT, MARKS
from benchmarks.programs import ProgramCost
from benchmarks.rounds import Ratio, Rounds, is_steady
from benchmarks.tracing import ANOTHER, EMPTY, EVERYTHING, MODES, UNTRACED, Footprint, filter_name

Row = tuple[str, ...]
NOTHING = "-"
_LEAST_SHARE = 0.01


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One measured number beside the mark that it must not exceed."""

    name: str
    value: float
    unit: str
    mark: float | None = None

    @property
    def is_kept(self) -> bool:
        """Is it within its mark?"""
        return self.mark is None or self.value <= self.mark


def text_of(rows: Sequence[Row], *, markdown: bool) -> str:
    """The table."""
    if markdown:
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines.insert(1, "|" + "---|" * len(rows[0]))
        return "\n".join(lines)
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def call_rows(rounds: Rounds, loads: Sequence[str], modes: Sequence[str]) -> list[Row]:
    """CPU time of an operation, in ns, beside its mark."""
    rows: list[Row] = [("load", "traced by", "ns per operation", "of untraced", "least to most", "mark")]
    for load in loads:
        for mode in modes:
            median = f"{statistics.median(rounds.cpu_ns(load, mode)):.0f}"
            rows.append((load, mode, median, *_ratio(rounds.cpu_ratio(load, mode)), _number(MARKS.get((load, mode)))))
    return rows


def server_rows(rounds: Rounds, loads: Sequence[str], modes: Sequence[str]) -> list[Row]:
    """CPU time of a request, in microseconds, beside its goal; throughput; the 99th percentile where it is steady."""
    heading = ("server", "traced by", "us of CPU per request", "of untraced", "least to most", "goal, at most")
    rows: list[Row] = [(*heading, "requests/s", "of untraced", "goal, at least", "p99, ms")]
    for load in loads:
        for mode in modes:
            latencies = rounds.p99_ns(load, mode)
            rows.append(
                (
                    load,
                    mode,
                    f"{statistics.median(rounds.cpu_ns(load, mode)) / 1e3:.2f}",
                    *_ratio(rounds.cpu_ratio(load, mode)),
                    _number(GOALS.get((load, mode))),
                    f"{statistics.median(rounds.per_s(load, mode)):.0f}",
                    f"{rounds.throughput_ratio(load, mode).median:.2f}",
                    _number(LEAST_THROUGHPUT if (load, mode) in GOALS else None),
                    f"{statistics.median(latencies) / 1e6:.2f}" if is_steady(latencies) else NOTHING,
                )
            )
    return rows


def topic_rows(rounds: Rounds, loads: Sequence[str], modes: Sequence[str]) -> list[Row]:
    """CPU time to that of the untraced load: a row for each load, a column for each kind of tracing."""
    ratios = [(load, *(f"{rounds.cpu_ratio(load, mode).median:.2f}" for mode in modes)) for load in loads]
    return [("load", *modes), *ratios]


def program_rows(costs: Mapping[str, Sequence[ProgramCost]]) -> list[Row]:
    """By load: each program that takes at least a hundredth of all, the others together, and all together."""
    rows: list[Row] = [("load", "program", "runs per operation", "ns per run", "ns per operation", "share")]
    for load, programs in costs.items():
        total = sum(cost.ns_per_operation for cost in programs)
        large = [cost for cost in programs if cost.ns_per_operation >= _LEAST_SHARE * total]
        others = sum(cost.ns_per_operation for cost in programs if cost not in large)
        for cost in large:
            runs, own = f"{cost.runs_per_operation:.2f}", cost.ns_per_operation
            rows.append((load, f"`{cost.program}`", runs, f"{cost.ns_per_run:.0f}", f"{own:.0f}", f"{own / total:.0%}"))
        if others and round(100 * others / total):
            rows.append((load, "others", "", "", f"{others:.0f}", f"{others / total:.0%}"))
        rows.append((load, "all", "", "", f"{total:.0f}", ""))
    return rows


def tables_of(
    rounds: Rounds, costs: Mapping[str, Sequence[ProgramCost]], facts: Sequence[Fact], servers: Sequence[str]
) -> dict[str, list[Row]]:
    """All tables of what was measured, by their names on the page. `servers`: which loads are servers."""
    main_modes = [mode.name for mode in (UNTRACED, EVERYTHING, EMPTY, ANOTHER)]
    traced = [mode.name for mode in MODES if mode != UNTRACED]
    measured = list(dict.fromkeys(load for load, _ in rounds.samples))
    calls, asked = [name for name in measured if name not in servers], [name for name in measured if name in servers]
    found = {
        "calls": call_rows(rounds, calls, [*main_modes, filter_name("net")]) if calls else [],
        "servers": server_rows(rounds, asked, main_modes) if asked else [],
        "topics": topic_rows(rounds, measured, traced) if measured else [],
        "programs": program_rows(costs) if costs else [],
        "footprint": fact_rows(facts),
    }
    return {name: rows for name, rows in found.items() if rows}


def facts_of(footprint: Footprint) -> list[Fact]:
    """What the tracer took, if it traced everything at all."""
    if not footprint.peak_rss:
        return []
    return [
        Fact(name="stream, at its most", value=max(footprint.stream_bytes_per_s) / 1024, unit="KiB/s", mark=64),
        Fact(name="tracer's CPU, of one processor", value=100 * max(footprint.cpu_ratio), unit="%"),
        Fact(name="tracer's memory when attached", value=max(footprint.attached_rss) / 1e6, unit="MB", mark=130),
        Fact(name="tracer's memory at its peak", value=max(footprint.peak_rss) / 1e6, unit="MB", mark=190),
    ]


def fact_rows(facts: Sequence[Fact]) -> list[Row]:
    """Each number beside its mark."""
    rows: list[Row] = [("what", "measured", "mark")]
    for fact in facts:
        mark = "" if fact.mark is None else f"{fact.mark:g} {fact.unit}"
        rows.append((fact.name, f"{fact.value:.1f} {fact.unit}", mark))
    return rows


def _ratio(found: Ratio) -> tuple[str, str]:
    between = "" if found.least == found.most == 1 else f"{found.least:.2f} to {found.most:.2f}"
    return f"{found.median:.2f}", between


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
