"""Builds the report of a folded stream: picks the containers, asks each topic for its section, finds the headline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from kubectl_podtrace.analysis.cost import cost, ends_of_operations, partial_sections
from kubectl_podtrace.analysis.findings import find
from kubectl_podtrace.analysis.fold import SERIES_OPERATIONS, Fold
from kubectl_podtrace.analysis.sections import sections
from kubectl_podtrace.analysis.selection import Selection, select
from kubectl_podtrace.analysis.series import SECOND_NS
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.analysis.summary import Summary, summary
from kubectl_podtrace.analysis.tables import State, difference
from kubectl_podtrace.analysis.trust import Trust, trust
from kubectl_podtrace.names import PROGRAM
from kubectl_podtrace.report.headline import headline
from kubectl_podtrace.report.model import LiveReport, Remark, Report, Tool
from kubectl_podtrace.report.target import (
    TargetInfo,
    selected_scopes,
    target_section,
    timeline_section,
    unknown_containers,
)
from kubectl_podtrace.source import Cleanup
from kubectl_podtrace.wire.request import DEFAULT_FS_THRESHOLD_NS, DEFAULT_RTT_THRESHOLD_NS
from kubectl_podtrace.wire.topics import TOPICS, event_operations


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
    return _build(fold, fold.state(), fold.started_ns, fold.ended_ns, target=target, options=options, client=client)


def build_window(
    fold: Fold, seconds: int = 5, *, target: TargetInfo, options: ReportOptions, client: ClientFacts
) -> LiveReport:
    """The newest so many seconds beside everything; the window is shorter where the trace is."""
    total = build_report(fold, target=target, options=options, client=client)
    states = fold.states
    if not states:
        return LiveReport(window=total, total=total)
    newest = states[-1]
    earlier = [state for state in states if newest.at_ns - state.at_ns >= seconds * SECOND_NS - SECOND_NS // 2]
    oldest = earlier[-1] if earlier else states[0]
    if oldest is newest or (not earlier and oldest.at_ns - fold.started_ns < seconds * SECOND_NS):
        # The trace is younger than the window: the window is all of it.
        oldest = State(at_ns=min(fold.started_ns or newest.at_ns, newest.at_ns))
    window = _build(
        fold,
        difference(newest, oldest),
        oldest.at_ns,
        newest.at_ns,
        target=target,
        options=options,
        client=client,
        is_window=True,
    )
    return LiveReport(window=window, total=total)


def _build(
    fold: Fold,
    state: State,
    start_ns: int,
    end_ns: int,
    *,
    target: TargetInfo,
    options: ReportOptions,
    client: ClientFacts,
    is_window: bool = False,
) -> Report:
    scopes = selected_scopes(fold, target)
    selection = _selection(fold, state, start_ns, end_ns, scopes, is_window=is_window)
    summary_section, settings = _summary(fold, selection, client), _settings(fold, options)
    pod = timeline_section(fold, target, summary_section.start, summary_section.end)
    topical = sections(selection, settings, measured=_measured_topics(fold, options), pod=pod)
    findings = find(topical, error_ratio=settings.error_threshold_ratio)
    trust_section = _trust(fold, scopes, client)
    about = target_section(fold, state, target, scopes)
    return Report(
        tool=_tool(fold, client),
        target=about,
        settings=settings,
        headline=headline(
            fold,
            summary=summary_section,
            findings=findings,
            trust=trust_section,
            selection=selection,
            containers=about.containers,
            seen=bool(fold.scopes if scopes is None else scopes),
        ),
        summary=summary_section,
        **vars(topical),
        findings=findings,
        notices=(*client.notices, *_notices(fold), *unknown_containers(fold, state, target)),
        trust=trust_section,
        cost=cost(fold),
        cleanup=client.cleanup,
    )


def _selection(
    fold: Fold, state: State, start_ns: int, end_ns: int, scopes: frozenset[int] | None, *, is_window: bool
) -> Selection:
    return select(
        state,
        scopes,
        start_ns=start_ns,
        end_ns=end_ns if fold.started_ns else start_ns,
        existing=fold.existing,
        series={name: tuple(fold.series(name, scopes)) for name in SERIES_OPERATIONS},
        climbs=fold.climbs,
        is_window=is_window,
        event_operations=_event_operations(fold),
        ends=ends_of_operations(fold),
        partial=partial_sections(fold, _event_operations(fold)),
    )


def _event_operations(fold: Fold) -> frozenset[str]:
    """The operations that count as events in this trace."""
    return event_operations(fold.header.topics if fold.header else ())


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
    return frozenset(asked) - impossible


def _trust(fold: Fold, scopes: frozenset[int] | None, client: ClientFacts) -> Trust:
    section = trust(fold, scopes)
    return replace(section, remarks=(*client.doubts, *section.remarks))


def _summary(fold: Fold, selection: Selection, client: ClientFacts) -> Summary:
    if fold.header is not None and fold.started_ns:
        return summary(selection, realtime_offset_ns=fold.header.realtime_offset_ns)
    return replace(summary(selection, realtime_offset_ns=None), start=client.started_at, end=client.ended_at)
