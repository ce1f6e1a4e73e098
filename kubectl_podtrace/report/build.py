"""Builds the report of a folded stream: picks the containers, asks each topic for its section, finds the headline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from kubectl_podtrace.analysis.cost import cost, ends_of_operations, partial_sections
from kubectl_podtrace.analysis.findings.observations import Activity, CommandEnd, Observations
from kubectl_podtrace.analysis.findings.registry import diagnose
from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.analysis.growth import GROUPS
from kubectl_podtrace.analysis.sections import Sections, sections
from kubectl_podtrace.analysis.selection import Selection, select
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.analysis.summary import Summary, summary
from kubectl_podtrace.analysis.tables import State, difference
from kubectl_podtrace.analysis.trust import Trust, trust
from kubectl_podtrace.names import PROGRAM
from kubectl_podtrace.report.headline import headline
from kubectl_podtrace.report.model import LiveReport, Remark, Report, Target, Tool
from kubectl_podtrace.report.target import TargetInfo, TracedContainers, events_by_scope
from kubectl_podtrace.source import Cleanup
from kubectl_podtrace.units import SECOND_NS
from kubectl_podtrace.wire.request import DEFAULT_FS_THRESHOLD_NS, DEFAULT_RTT_THRESHOLD_NS
from kubectl_podtrace.wire.topics import RESTS_ON, TOPICS, event_operations


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What the user asked for: thresholds as set, and topics."""

    error_threshold_ratio: float = 0.10
    rtt_threshold_ns: int = DEFAULT_RTT_THRESHOLD_NS
    fs_threshold_ns: int = DEFAULT_FS_THRESHOLD_NS
    topics: tuple[str, ...] = TOPICS


@dataclass(frozen=True, kw_only=True)
class ClientFacts:
    """What only the plugin knows: its version, its own clock (used where the stream has none), its remarks.

    `doubts` are remarks on how far the report can be trusted.
    """

    version: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    notices: tuple[Remark, ...] = ()
    doubts: tuple[str, ...] = ()
    cleanup: Cleanup | None = None


def build_report(fold: Fold, *, target: TargetInfo, options: ReportOptions, client: ClientFacts) -> Report:
    """The report of everything since the last probe was attached."""
    return _Builder(fold, target, options, client).whole()


def build_window(
    fold: Fold, seconds: int = 5, *, target: TargetInfo, options: ReportOptions, client: ClientFacts
) -> LiveReport:
    """The newest so many seconds beside everything; the window is shorter where the trace is."""
    builder = _Builder(fold, target, options, client, is_running=True)
    total = builder.whole()
    return LiveReport(window=builder.window(seconds) or total, total=total)


class _Builder:
    """Builds the reports of one moment; what is the same in each of them is found out once."""

    def __init__(
        self, fold: Fold, target: TargetInfo, options: ReportOptions, client: ClientFacts, *, is_running: bool = False
    ) -> None:
        self._fold = fold
        self._target = target
        self._is_running = is_running
        self._client = client
        self._containers = TracedContainers(fold, target)
        self._settings = _settings(fold, options)
        self._measured = _measured_topics(fold, options)
        self._event_operations = event_operations(fold.header.topics if fold.header else ())
        self._cost = cost(fold)
        self._trust = _trust(fold, self._containers.scopes, client, is_running=is_running)

    def whole(self) -> Report:
        """The report of everything."""
        return self._report(self._fold.state(), self._fold.started_ns, self._fold.ended_ns)

    def window(self, seconds: int) -> Report | None:
        """The report of the newest so many seconds; None before the first heartbeat."""
        fold, states = self._fold, self._fold.states
        if not states:
            return None
        newest = states[-1]
        earlier = [state for state in states if newest.at_ns - state.at_ns >= seconds * SECOND_NS - SECOND_NS // 2]
        oldest = earlier[-1] if earlier else states[0]
        if oldest is newest or (not earlier and oldest.at_ns - fold.started_ns < seconds * SECOND_NS):
            # The trace is younger than the window: the window is all of it.
            oldest = State(at_ns=min(fold.started_ns or newest.at_ns, newest.at_ns))
        return self._report(difference(newest, oldest), oldest.at_ns, newest.at_ns, is_window=True)

    def _report(self, state: State, start_ns: int, end_ns: int, *, is_window: bool = False) -> Report:
        fold, client, settings, containers = self._fold, self._client, self._settings, self._containers
        selection = self._selection(state, start_ns, end_ns, is_window=is_window)
        period = _summary(fold, selection, client)
        pod = containers.timeline(period.start, period.end)
        topical = sections(selection, settings, measured=self._measured, pod=pod)
        events = events_by_scope(state, self._event_operations)
        target = containers.target(events)
        diagnosis = diagnose(self._observations(topical, selection, target))
        return Report(
            tool=_tool(fold, client),
            target=target,
            settings=settings,
            headline=headline(summary=period, findings=diagnosis.findings, trust=self._trust, selection=selection),
            summary=period,
            **vars(topical),
            findings=diagnosis.findings,
            looked_for=tuple(rule.slug for rule in diagnosis.applied),
            notices=(*client.notices, *_notices(fold), *containers.unknown(events)),
            trust=self._trust,
            cost=self._cost,
            cleanup=client.cleanup,
        )

    def _observations(self, topical: Sections, selection: Selection, about: Target) -> Observations:
        return Observations(
            sections=topical,
            settings=self._settings,
            trust=self._trust,
            activity=self._activity(selection, about),
            duration_s=selection.duration_s,
            cpus=self._fold.cost.cpus if self._fold.cost else None,
            command=_command_end(self._target),
            is_running=self._is_running,
        )

    def _activity(self, selection: Selection, about: Target) -> Activity:
        refusal, history = self._fold.refusal, self._target.history
        return Activity(
            events=selection.events,
            ran=bool(selection.of("cpu.switch").count or selection.of("cpu.run").sum_ns),
            refusal=(refusal.text, refusal.hint) if refusal else None,
            answered=self._fold.header is not None,
            started=bool(self._fold.started_ns),
            seen=self._containers.were_seen,
            is_alive=self._target.was_running,
            containers=about.containers,
            phase=history.phase if history else "",
            is_local=not self._target.pods,
        )

    def _selection(self, state: State, start_ns: int, end_ns: int, *, is_window: bool) -> Selection:
        fold, scopes = self._fold, self._containers.scopes
        chosen = select(
            state,
            scopes,
            start_ns=start_ns,
            end_ns=end_ns if fold.started_ns else start_ns,
            existing=fold.existing,
            growth={group: fold.activity.growth(group, scopes, self._event_operations) for group in GROUPS},
            climbs=fold.climbs,
            is_window=is_window,
            event_operations=self._event_operations,
            ends=ends_of_operations(fold),
            partial=partial_sections(fold, self._event_operations),
            realtime_offset_ns=fold.header.realtime_offset_ns if fold.header else 0,
        )
        return replace(chosen, scope_names=self._containers.names)


def _command_end(target: TargetInfo) -> CommandEnd | None:
    if target.command is None or target.exit_status is None or target.was_ended:
        return None
    return CommandEnd(words=target.command, status=target.exit_status)


def _tool(fold: Fold, client: ClientFacts) -> Tool:
    tracer_version = fold.header.tracer_version if fold.header else None
    return Tool(name=PROGRAM, version=client.version, tracer_version=tracer_version)


def _settings(fold: Fold, options: ReportOptions) -> Settings:
    """What the tracer says it was asked for, else what the user asked."""
    asked = fold.header or options
    return Settings(
        topics=asked.topics,
        error_threshold_ratio=options.error_threshold_ratio,
        rtt_threshold_ns=asked.rtt_threshold_ns,
        fs_threshold_ns=asked.fs_threshold_ns,
    )


def _notices(fold: Fold) -> tuple[Remark, ...]:
    return tuple(Remark(slug=notice.slug, text=notice.text) for notice in fold.notices.values())


def _measured_topics(fold: Fold, options: ReportOptions) -> frozenset[str]:
    """The topics that were asked for and have all their required probes; none before these are attached."""
    if not fold.started_ns:
        return frozenset()
    asked = fold.header.topics if fold.header else options.topics
    impossible = {probe.topic for probe in fold.probes.values() if probe.required and not probe.attached}
    return frozenset(topic for topic in asked if not {topic, RESTS_ON.get(topic)} & impossible)


def _trust(fold: Fold, scopes: frozenset[int] | None, client: ClientFacts, *, is_running: bool) -> Trust:
    section = trust(fold, scopes, is_running=is_running)
    return replace(section, remarks=(*client.doubts, *section.remarks))


def _summary(fold: Fold, selection: Selection, client: ClientFacts) -> Summary:
    if fold.header is not None and fold.started_ns:
        return summary(selection, realtime_offset_ns=fold.header.realtime_offset_ns)
    return replace(summary(selection, realtime_offset_ns=None), start=client.started_at, end=client.ended_at)
