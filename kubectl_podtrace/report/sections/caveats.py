"""What has to be known beside the numbers of a section: until when they were counted, and what they lack."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.trust import TableUse, Trust
from kubectl_podtrace.report.document import Facts, Section

SHOWN_GAPS: Final = 5
LONG_WAITS: Final = "long_waits"
"""No list of a report: what finds no place in this table lacks only its stack."""


def with_caveats(
    section: Section,
    trust: Trust,
    topics: Collection[str],
    partial: Collection[Partial] = (),
    *,
    over_time: bool = False,
) -> Section:
    """The section, with what was shed, lost, dropped or absent of its topics above its numbers.

    `over_time`: the numbers tell how something went on in time, of which gaps in the stream leave parts untold.
    """
    pairs = [("partial", f"from {units.clock(part.until)} UTC on {part.lacks}") for part in partial]
    pairs.extend(_losses(trust, topics))
    if over_time and trust.gaps:
        when = ", ".join(units.clock(gap.at) for gap in trust.gaps[:SHOWN_GAPS])
        more = ", ..." if len(trust.gaps) > SHOWN_GAPS else ""
        pairs.append(
            (
                "gaps",
                f"{units.counted(trust.missing_lines, 'line')} missing at {when}{more} UTC: not told in time there",
            )
        )
    if not pairs:
        return section
    title = section.title
    if partial:
        title += f" (partial: until {units.clock(min(part.until for part in partial))} UTC)"
    if not section.blocks:
        pairs.append(("seen", section.empty))
    return replace(
        section, title=title, blocks=(Facts(pairs=tuple(pairs), are_caveats=True), *section.blocks), empty=""
    )


def unlisted(table: TableUse) -> tuple[str, str]:
    """A label and its text: how many operations are in totals and in the rest of a list, but in no entry of it."""
    if table.table == LONG_WAITS:
        waits = units.counted(table.unlisted, "wait")
        return "no stack", f"{waits} of 1 ms and more: where they stood was seen too late, or had no place"
    return "full table", f"{table.table}: {units.counted(table.unlisted, 'operation')} in (other) and the totals only"


def _losses(trust: Trust, topics: Collection[str]) -> list[tuple[str, str]]:
    lost = [(loss.count, loss.source) for loss in trust.lost_by if loss.topic in topics]
    dropped = [(loss.count, loss.source) for loss in trust.dropped_by if loss.topic in topics]
    return [
        *(("lost", f"{units.count(count)} in the kernel ({source})") for count, source in lost),
        *(("dropped", f"{units.count(count)} by the tracer ({source})") for count, source in dropped),
        *(
            ("not counted", f"{units.count(bypass.count)} {bypass.what}")
            for bypass in trust.bypassed
            if set(bypass.topics) & set(topics)
        ),
        *(unlisted(table) for table in trust.tables if table.unlisted and table.topic in topics),
        *(("absent", probe.costs) for probe in trust.probes if not probe.attached and probe.topic in topics),
    ]
