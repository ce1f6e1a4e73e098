"""The pieces that the overview is put together from: each some lines, the most important first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.endpoints import endpoint
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.report.document import Block, Column, Facts, Name, Section, Table, left, right
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.render.layout import Spans, lay_out
from kubectl_podtrace.report.sections.cells import NONE, number_or_dash
from kubectl_podtrace.report.sections.events import events_table
from kubectl_podtrace.report.sections.operations import OperationRow, operation_rows
from kubectl_podtrace.screen.picture import Picture, SeenFinding
from kubectl_podtrace.screen.sparkline import sparkline
from kubectl_podtrace.screen.view import View

LISTED: Final = 8
_MOST_EVENTS: Final = 200
_NARROW, _WIDE = 100, 116
"""From so many columns on there is room for p50, and for the count beside the rate."""
_SPARK: Final = 16
_LONGEST_SPARK: Final = 60


@dataclass(frozen=True, kw_only=True)
class Pane:
    """Lines of which it takes the first `least` to be of use; with `wish` of them it is good to read."""

    lines: tuple[Spans, ...]
    least: int
    wish: int


def operations(picture: Picture, width: int, *, most: int) -> Pane:
    """The table of operations: rates, latencies and errors of the window, totals, and the last minute as bars.

    Of more than `most` rows those stay in which something happened.
    """
    rows = _busiest(list(operation_rows(picture.live)), most)
    titles, cells = _operation_cells(rows, width)
    widths = [max(len(row[place]) for row in (titles, *cells)) for place in range(len(titles))]
    room = min(max(width - sum(widths) - 2 * len(widths) - 2, _SPARK), _LONGEST_SPARK)
    window = units.seconds(picture.live.window.summary.duration_s)
    columns = (left(titles[0]), *right(*titles[1:]), left(f"last {room} s"))
    table = Table(
        columns=columns,
        rows=tuple(
            (*row, sparkline(picture.rates.get(each.name, ()), room)) for each, row in zip(rows, cells, strict=True)
        ),
    )
    lines = _lines(f"last {window}", [table])
    return Pane(lines=lines[1:], least=len(lines) - 1, wish=len(lines) - 1)


def _busiest(rows: list[OperationRow], most: int) -> list[OperationRow]:
    """The rows in their order; where they are too many, idle ones go first, then the last."""
    kept = list(rows)
    for row in reversed(rows):
        if len(kept) > most and not row.count:
            kept.remove(row)
    return kept[:most]


def _operation_cells(rows: Sequence[OperationRow], width: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    has_median, has_count = width >= _NARROW, width >= _WIDE
    titles = ["operation", *(["5 s"] if has_count else []), "rate", *(["p50"] if has_median else []), "p99", "max"]
    cells = []
    for row in rows:
        p50, p99, highest = row.latency_cells
        cells.append((
            row.name,
            *((units.count(row.count),) if has_count else ()),
            units.rate(row.per_s),
            *((p50,) if has_median else ()),
            p99,
            highest,
            row.failed_cell,
            units.count(row.total),
        ))  # fmt: skip
    return (*titles, "errors", "total"), cells


def findings(picture: Picture, *, most: int = LISTED) -> Pane:
    """What is wrong now, then what was."""
    pairs = [(seen.severity, _finding_text(seen)) for seen in picture.findings[:most]]
    if not pairs:
        return Pane(lines=_lines("Findings", [], empty="none in the latest window"), least=1, wish=1)
    return Pane(lines=_lines("Findings", [Facts(pairs=tuple(pairs))]), least=2, wish=4)


def _finding_text(seen: SeenFinding) -> str:
    since = units.clock(seen.since) if seen.since else ""
    when = f"since {since}" if seen.until is None else f"{since} to {units.clock(seen.until)}, over"
    return f"{seen.title} ({when}): {seen.evidence}"


def events(picture: Picture, view: View, *, most: int = _MOST_EVENTS) -> Pane:
    """Single events as they occurred."""
    order = "all, the newest first" if view.every_event else "slow and failed first"
    kept_back = f"; {units.count(picture.kept_back)} more were not sent singly" if picture.kept_back else ""
    title = f"Events ({order}{kept_back})"
    found = picture.events(most, every=view.every_event)
    if not found:
        return Pane(lines=_lines(title, [], empty="none yet"), least=1, wish=1)
    return Pane(lines=_lines(title, [events_table(found, picture.realtime_offset_ns)]), least=3, wish=7)


def tops(report: Report) -> Iterator[Pane]:
    """Who and what stands out in the window: processes, then targets, names and files."""
    yield _pane("Top processes", *_processes(report))
    if report.connections:
        targets = [target for target in report.connections.top_targets if target.address != OTHER]
        yield _pane(
            "Top targets",
            (*right("attempts", "failed"), left("target")),
            [
                (
                    units.count(target.count),
                    number_or_dash(target.failed),
                    Name(" ".join(filter(None, (endpoint(target.address, target.port), target.name)))),
                )
                for target in targets
            ],
        )
    if report.dns:
        names = [entry for entry in report.dns.top_names if entry.name != OTHER]
        rows = [(units.count(each.count), number_or_dash(each.errors), Name(each.name)) for each in names]
        yield _pane("Top names", (*right("lookups", "errors"), left("name")), rows)
    if report.files:
        files = [entry for entry in report.files.top_files if entry.path != OTHER]
        paths = [
            (units.count(each.count), units.size(each.bytes), number_or_dash(each.slow), Name(each.path))
            for each in files
        ]
        yield _pane("Top files", (*right("operations", "bytes", "slow"), left("file")), paths)


def _processes(report: Report) -> tuple[tuple[Column, ...], list[tuple[str, ...]]]:
    """By events where these are counted, else by CPU; the other number beside it, where there is one."""
    ran = {each.node_pid: each.cpu_ratio for each in report.cpu.processes} if report.cpu else {}
    columns = (*right("pid", "events", "CPU"), left("process"))
    if report.processes:
        active = [each for each in report.processes.top if each.node_pid]
        return columns, [
            (str(each.pid), units.count(each.events), _cpu_text(ran.get(each.node_pid)), Name(each.comm))
            for each in active
        ]
    running = [each for each in report.cpu.processes if each.node_pid] if report.cpu else []
    return columns, [(str(each.pid), NONE, units.ratio(each.cpu_ratio), Name(each.comm)) for each in running]


def _cpu_text(ratio: float | None) -> str:
    return NONE if ratio is None else units.ratio(ratio)


def _pane(title: str, columns: tuple[Column, ...], rows: Sequence[tuple[str, ...]]) -> Pane:
    lines = _lines(title, [Table(columns=columns, rows=tuple(rows[:LISTED]))]) if rows else ()
    return Pane(lines=lines, least=min(len(lines), 3), wish=5)


def _lines(title: str, blocks: Sequence[Block], empty: str = "") -> tuple[Spans, ...]:
    return tuple(lay_out(Section(title=title, blocks=tuple(blocks), empty=empty), None))
