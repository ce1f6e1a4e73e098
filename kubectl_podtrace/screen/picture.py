"""What the screen shows of a trace at one moment, and what is remembered for it from one moment to the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Final

from kubectl_podtrace.report.model import LiveReport
from kubectl_podtrace.report.sections.events import is_notable
from kubectl_podtrace.report.sections.operations import operation_rows
from kubectl_podtrace.units import SECOND_NS
from kubectl_podtrace.wire.records import Event

REMEMBERED_S: Final = 120
_EVENTS: Final = 500
_FINDINGS: Final = 100
_NOTES: Final = 20
_LATE: Final = 1.5
"""Seconds between two heartbeats from which on what lies between them is unknown."""


@dataclass(frozen=True, kw_only=True)
class SeenFinding:
    """A finding of the latest windows: `until` is null while it is still raised."""

    severity: str
    title: str
    evidence: str
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One moment. `rates` are operations per second by row, a value a second, None where a second is not told.

    `notable` are slow and failed events, `others` all other ones, both the newest first; `kept_back` says how many the
    tracer did not send singly.
    """

    live: LiveReport
    rates: Mapping[str, tuple[float | None, ...]]
    findings: tuple[SeenFinding, ...]
    notable: tuple[Event, ...]
    others: tuple[Event, ...]
    kept_back: int
    realtime_offset_ns: int
    notes: tuple[str, ...]
    is_finishing: bool = False

    def events(self, number: int, *, every: bool) -> Sequence[Event]:
        """The events to show: slow and failed ones first, or `every` one in the order in which they came."""
        if not every:
            return (*self.notable, *self.others)[:number]
        both = sorted((*self.notable, *self.others), key=lambda event: -(event.start_ns + event.duration_ns))
        return both[:number]


class Recorder:
    """Remembers what pictures need of the past. Memory is bounded."""

    def __init__(self) -> None:
        self._notable: deque[Event] = deque(maxlen=_EVENTS)
        self._others: deque[Event] = deque(maxlen=_EVENTS)
        self._rates: dict[str, deque[float | None]] = {}
        self._totals: dict[str, int] = {}
        self._at_ns = 0
        self._findings: dict[tuple[str, str], SeenFinding] = {}
        self._notes: deque[str] = deque(maxlen=_NOTES)

    def see(self, event: Event) -> None:
        """Remember an event."""
        (self._notable if is_notable(event) else self._others).append(event)

    def note(self, text: str) -> None:
        """Remember a remark."""
        self._notes.append(text)

    def picture(
        self, live: LiveReport, *, at_ns: int, scopes: frozenset[int] | None, kept_back: int, realtime_offset_ns: int,
        is_finishing: bool = False,
    ) -> Picture:  # fmt: skip
        """The picture at a heartbeat; called once for each. Events are those of the `scopes`, None: of all."""
        self._add_rates(live, at_ns)
        self._add_findings(live)
        return Picture(
            live=live,
            rates={name: tuple(values) for name, values in self._rates.items()},
            findings=tuple(sorted(self._findings.values(), key=lambda seen: seen.until is not None)),
            notable=_newest(self._notable, scopes),
            others=_newest(self._others, scopes),
            kept_back=kept_back,
            realtime_offset_ns=realtime_offset_ns,
            notes=tuple(self._notes),
            is_finishing=is_finishing,
        )

    def _add_rates(self, live: LiveReport, at_ns: int) -> None:
        passed_s = (at_ns - self._at_ns) / SECOND_NS if self._at_ns else 0.0
        unknown = round(passed_s) - 1 if passed_s > _LATE else 0
        for row in operation_rows(live):
            rates = self._rates.setdefault(row.name, deque(maxlen=REMEMBERED_S))
            before = self._totals.get(row.name, 0)
            if passed_s > 0:
                # Between two distant heartbeats only the mean is known.
                rates.extend([None] * min(unknown, REMEMBERED_S))
                rates.append(max(row.total - before, 0) / passed_s)
            self._totals[row.name] = row.total
        self._at_ns = at_ns

    def _add_findings(self, live: LiveReport) -> None:
        now = live.window.summary.end
        raised = {(finding.rule, finding.title): finding for finding in live.window.findings}
        for key, seen in self._findings.items():
            if key not in raised and seen.until is None:
                self._findings[key] = replace(seen, until=now)
        for key, finding in raised.items():
            known = self._findings.get(key)
            is_new = known is None or known.until is not None
            if known is None and len(self._findings) >= _FINDINGS:
                continue
            self._findings[key] = SeenFinding(
                severity=finding.severity,
                title=finding.title,
                evidence=finding.evidence,
                since=now if is_new else known.since if known else now,
                until=None,
            )


def _newest(events: deque[Event], scopes: frozenset[int] | None) -> tuple[Event, ...]:
    wanted = (event for event in reversed(events) if scopes is None or event.scope in scopes)
    return tuple(islice(wanted, _EVENTS))
