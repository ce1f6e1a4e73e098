"""The readable section of connections."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.connections import Connections, ConnectionTarget, OneShotTarget
from kubectl_podtrace.analysis.endpoints import endpoint
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.report.document import Block, Facts, Name, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import SHOWN, latency_table, number_or_dash, shown, tally


def connections(section: Connections, settings: Settings) -> Section:
    """Attempts, handshakes, failures and where they went."""
    existing = section.existing if section.existing and section.existing.count else None
    if not section.total and not section.accepted:
        empty = "none was opened or accepted"
        if existing:
            empty += f"; open before the trace: {tally(existing.states)}"
        return Section(title="Connections", blocks=(), empty=empty)
    limit = units.ratio_threshold(settings.error_threshold_ratio)
    pairs = [
        ("attempts", f"{units.count(section.total)} ({units.rate(section.per_s)})"),
        (
            f"failed (threshold {limit})",
            f"{units.count(section.failed)} ({units.ratio(section.failed_ratio)})"
            + (f": {tally(section.errors)}" if section.errors else ""),
        ),
        ("accepted", units.count(section.accepted)),
    ]
    if section.pending:
        pairs.append(("still connecting", units.count(section.pending)))
    if existing:
        pairs.append(("before the trace", f"{units.count(existing.count)}: {tally(existing.states)}"))
    blocks: list[Block] = [Facts(pairs=tuple(pairs))]
    blocks.extend(latency_table((("handshake", section.latency),)))
    if section.top_targets:
        blocks.append(_targets(section.top_targets))
    if section.one_shot:
        blocks.append(_one_shots(section.one_shot))
    return Section(title="Connections", blocks=tuple(blocks))


def _targets(targets: tuple[ConnectionTarget, ...]) -> Table:
    listed, rest = shown(targets, "address")
    rows = [(units.count(target.count), number_or_dash(target.failed), Name(_target(target))) for target in listed]
    if rest:
        counts = (sum(target.count for target in rest), sum(target.failed for target in rest))
        rows.append((units.count(counts[0]), number_or_dash(counts[1]), Name(OTHER)))
    return Table(columns=(*right("attempts", "failed"), left("target")), rows=tuple(rows))


def _one_shots(targets: tuple[OneShotTarget, ...]) -> Table:
    rows = tuple(
        (units.count(each.connections), units.duration(each.handshake_total_ns), Name(_target(each)))
        for each in targets[:SHOWN]
    )
    return Table(columns=(*right("one request", "handshakes took"), left("closed after it, to")), rows=rows)


def _target(target: ConnectionTarget | OneShotTarget) -> str:
    name = f" {target.name}" if target.name else ""
    return endpoint(target.address, target.port) + name
