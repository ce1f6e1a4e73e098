"""What stands on the page of an HTML report, and in which order: verdict and findings, time, then the sections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.finding import SEVERITIES, Finding, Severity
from kubectl_podtrace.analysis.findings.registry import PART_OF_RULE
from kubectl_podtrace.report.charts import charts
from kubectl_podtrace.report.charts.chart import Chart, TimeChart
from kubectl_podtrace.report.document import Block, Facts, Name, Section, Table
from kubectl_podtrace.report.model import Headline, Report, Tool
from kubectl_podtrace.report.render.html.glance import Tile, glance
from kubectl_podtrace.report.render.html.tables import Entry, entries
from kubectl_podtrace.report.sections import PARTS, parts
from kubectl_podtrace.report.sections.cells import SHOWN
from kubectl_podtrace.report.sections.overview import target_title
from kubectl_podtrace.wire.topics import RESTS_ON

FIRST: Final = ("gate", "timeline", "kubernetes_events")
"""These come before the others: whether it passed, and when what happened."""
FINDINGS: Final = "findings"
TITLES: Final = {
    "tcp": "TCP", "udp": "UDP", "connections": "Connections", "dns": "DNS", "queries": "Database statements",
    "files": "File system", "cpu": "CPU", "locks": "Locks", "processes": "Process activity", "memory": "Memory",
    "descriptors": "Process and system call activity",
}  # fmt: skip
"""The titles of topics' sections, for those that could not be measured."""


@dataclass(frozen=True, kw_only=True)
class DrawnChart:
    """A chart and the id of its element."""

    id: str
    chart: Chart


@dataclass(frozen=True, kw_only=True)
class DrawnTable:
    """A table, the id of its element, and the rows that stand in the document itself."""

    id: str
    table: Table
    rows: tuple[Entry, ...]
    label: str
    total: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """A section on the page; `severity` is that of the worst finding about it."""

    key: str
    title: str
    empty: str
    caveats: tuple[tuple[str, str], ...]
    lead: Facts | None
    charts: tuple[DrawnChart, ...]
    blocks: tuple[Facts | DrawnTable, ...]
    severity: Severity | None

    @property
    def name(self) -> str:
        """Its title without what it lacks."""
        return self.title.partition(" (partial")[0]

    @property
    def is_quiet(self) -> bool:
        """Whether it has nothing but one line to say so."""
        return bool(self.empty) and not (self.caveats or self.charts)

    @property
    def tables(self) -> tuple[DrawnTable, ...]:
        """Its tables."""
        return tuple(block for block in self.blocks if isinstance(block, DrawnTable))

    @property
    def time_charts(self) -> tuple[TimeChart, ...]:
        """Its charts over time, whose markers are told below them."""
        return tuple(each.chart for each in self.charts if isinstance(each.chart, TimeChart))


@dataclass(frozen=True, kw_only=True)
class Told:
    """A finding, and the part of the page where its numbers are."""

    finding: Finding
    part: Part | None


@dataclass(frozen=True, kw_only=True)
class Page:
    """All of it. `is_whole` says that nothing is missing; `nothing_found` is what was looked for where nothing was."""

    target: Name
    about: tuple[str, ...]
    headline: Headline
    is_whole: bool
    findings: tuple[Told, ...]
    nothing_found: str
    tiles: tuple[Tile, ...]
    parts: tuple[Part, ...]
    tool: Tool


def page(report: Report) -> Page:
    """The page of a report."""
    keys = (*FIRST, *(key for key in PARTS if key not in {*FIRST, FINDINGS}))
    drawn = charts(report)
    worst = _worst(report)
    found = tuple(_part(key, section, drawn, worst.get(key)) for key in keys for section in _sections(report, key))
    by_key = {part.key: part for part in found}
    (nothing_found,) = (section.empty for section in parts(report, (FINDINGS,)))
    return Page(
        target=target_title(report.target),
        about=tuple(_about(report)),
        headline=report.headline,
        is_whole=_is_whole(report),
        findings=tuple(Told(finding=each, part=by_key.get(PART_OF_RULE[each.rule])) for each in report.findings),
        nothing_found=nothing_found,
        tiles=tuple(tile for tile in glance(report) if tile.key in by_key),
        parts=found,
        tool=report.tool,
    )


def _sections(report: Report, key: str) -> Iterator[Section]:
    """The section of this name; where its topic was asked for and could not be measured, one that says why."""
    yield from (found := parts(report, (key,)))
    if found or key not in TITLES or key not in report.settings.topics:
        return
    topics = {key, RESTS_ON.get(key)}
    absent = [probe for probe in report.trust.probes if probe.required and not probe.attached and probe.topic in topics]
    if absent:
        pairs = tuple(("not measured", f"{probe.name} is absent: {probe.reason}") for probe in absent)
        yield Section(title=TITLES[key], blocks=(Facts(pairs=pairs, are_caveats=True),))


def _is_whole(report: Report) -> bool:
    """Whether no number of it lacks anything."""
    trust = report.trust
    absent = any(not probe.attached for probe in trust.probes)
    return trust.complete and not (absent or trust.lost or trust.dropped or trust.bypassed or report.summary.partial)


def _worst(report: Report) -> Mapping[str, Severity]:
    """The worst severity by part; a gate that did not pass is as bad as any finding."""
    found: dict[str, Severity] = {}
    for severity in reversed(SEVERITIES):
        found.update({PART_OF_RULE[each.rule]: severity for each in report.findings if each.severity == severity})
    if report.gate and not report.gate.passed:
        found["gate"] = "critical"
    return found


def _part(key: str, section: Section, drawn: Mapping[str, tuple[Chart, ...]], severity: Severity | None) -> Part:
    blocks = list(section.blocks)
    caveats = [pair for block in blocks if isinstance(block, Facts) and block.are_caveats for pair in block.pairs]
    blocks = [block for block in blocks if not (isinstance(block, Facts) and block.are_caveats)]
    lead = blocks.pop(0) if blocks and isinstance(blocks[0], Facts) else None
    return Part(
        key=key,
        title=section.title,
        empty=section.empty,
        caveats=tuple(caveats),
        lead=lead if isinstance(lead, Facts) else None,
        charts=tuple(
            DrawnChart(id=f"chart-{key}-{number}", chart=chart) for number, chart in enumerate(drawn.get(key, ()), 1)
        ),
        blocks=tuple(_block(key, number, section, block) for number, block in enumerate(blocks, 1)),
        severity=severity,
    )


def _block(key: str, number: int, section: Section, block: Block) -> Facts | DrawnTable:
    if isinstance(block, Facts):
        return block
    every = entries(block.rows if block.every is None else block.every)
    other = entries((block.other,)) if block.other else ()
    names = [column.title for column in block.columns if not column.right]
    return DrawnTable(
        id=f"table-{key}-{number}",
        table=block,
        rows=(*every, *other) if len(every) <= SHOWN else entries(block.rows),
        label=f"{section.title}: {names[-1]}" if names and names[-1] else section.title,
        total=len(every),
    )


def _about(report: Report) -> Iterator[str]:
    """What was traced, where and when, in short."""
    target, summary = report.target, report.summary
    if target.containers:
        yield ("container " if len(target.containers) == 1 else "containers ") + ", ".join(target.containers)
    if target.nodes:
        yield "node " + ", ".join(target.nodes)
    yield units.seconds(summary.duration_s)
    if summary.start:
        yield f"from {units.wall_clock(summary.start)}"
