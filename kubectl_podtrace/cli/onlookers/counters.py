"""The few numbers that stand beside the time left: how much has happened, how fast, how much of it failed."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.errno_names import errno_name
from kubectl_podtrace.analysis.findings.files import SEARCHING
from kubectl_podtrace.analysis.tables import State
from kubectl_podtrace.cli.onlookers import Moment
from kubectl_podtrace.cli.progress import Progress
from kubectl_podtrace.wire.records import Event
from kubectl_podtrace.wire.topics import event_operations


class CountingProgress:
    """An `Onlooker` that keeps the line of progress up to date."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._text = ""
        self._at_ns = 0

    def see(self, event: Event) -> None:
        """See `Onlooker`."""

    def look(self, moment: Moment) -> None:
        """See `Onlooker`."""
        header, states = moment.fold.header, moment.fold.states
        if header is not None and moment.at_ns != self._at_ns:
            self._at_ns = moment.at_ns
            operations = event_operations(header.topics)
            self._text = counters(states[-1], moment.traced().scopes, operations, age_s=moment.age_ns / units.SECOND_NS)
        self._progress.tick(self._text)

    def end(self) -> None:
        """See `Onlooker`."""


def counters(state: State, scopes: frozenset[int] | None, operations: frozenset[str], *, age_s: float) -> str:
    """The events of some containers (None: of all) and how many failed; a file that was looked for in vain did not."""
    events = failed = 0
    for (scope, operation), row in state.totals.items():
        if scopes is not None and scope not in scopes:
            continue
        events += row.count if operation in operations else 0
        failed += row.count if operation == "connections.failure" else row.errors if operation in operations else 0
    for (scope, operation, number), error in state.errors.items():
        is_search = operation == "files.open" and errno_name(number) in SEARCHING
        if is_search and operation in operations and (scopes is None or scope in scopes):
            failed -= error.count
    rate = f", {units.rate(events / age_s)}" if age_s > 0 else ""
    return f"{units.counted(events, 'event')}{rate}, {units.count(max(failed, 0))} failed"
