"""The readable section of connections."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_podtrace import units
from kubectl_podtrace.analysis.connections import Connections, ConnectionTarget, OneShotTarget
from kubectl_podtrace.analysis.endpoints import endpoint
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.report.document import Block, Facts, Name, Row, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import first_rows, latency_table, listing, number_or_dash, tally


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
    return listing((*right("attempts", "failed"), left("target")), targets, "address", _target_row, _targets_together)


def _target_row(target: ConnectionTarget) -> Row:
    return (units.count(target.count), number_or_dash(target.failed), Name(target_text(target)))


def _targets_together(rest: Sequence[ConnectionTarget]) -> Row:
    count, failed = sum(target.count for target in rest), sum(target.failed for target in rest)
    return (units.count(count), number_or_dash(failed), Name(OTHER))


def _one_shots(targets: tuple[OneShotTarget, ...]) -> Table:
    rows = tuple(
        (units.count(each.connections), units.duration(each.handshake_total_ns), Name(target_text(each)))
        for each in targets
    )
    return first_rows((*right("one request", "handshakes took"), left("closed after it, to")), rows)


def target_text(target: ConnectionTarget | OneShotTarget) -> str:
    """Address and port, and the name where one is known."""
    name = f" {target.name}" if target.name else ""
    return endpoint(target.address, target.port) + name
