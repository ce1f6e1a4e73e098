"""The report: one object that every format draws. Field names are those of the JSON export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from kubectl_podtrace.analysis.cost import Cost
from kubectl_podtrace.analysis.findings.finding import Finding
from kubectl_podtrace.analysis.sections import Sections
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.analysis.summary import Summary
from kubectl_podtrace.analysis.trust import Trust
from kubectl_podtrace.source import Cleanup
from kubectl_podtrace.wire.records import Event

SCHEMA_VERSION: Final = 1
"""Rises when a key changes its meaning or goes away; new keys leave it."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """Who made the report; the tracer's version is null when it never sent a header."""

    name: str
    version: str
    tracer_version: str | None


@dataclass(frozen=True, kw_only=True)
class ContainerEvents:
    """A container in the report: its name (or short id), how many runs of it were seen (restarts), its events."""

    name: str
    runs: int
    events: int


@dataclass(frozen=True, kw_only=True)
class ContainerRunEvents:
    """One run of a container: `run` 1 is its first in this pod, null where the cluster did not tell.

    `exit_code`, `reason` and `signal` are those of its end; `exit_code` is null while none is known.
    """

    name: str
    container_id: str
    run: int | None
    started: datetime | None
    ended: datetime | None
    reason: str
    exit_code: int | None
    signal: int | None
    events: int


@dataclass(frozen=True, kw_only=True)
class Target:
    """What was traced; `pid`, `cgroup`, `command` and `exit_status` are those of local mode.

    `exit_status` is the command's, negative for the signal that ended it.
    """

    namespace: str | None
    pods: tuple[str, ...]
    containers: tuple[str, ...]
    nodes: tuple[str, ...]
    kernel: str | None
    pid: int | None
    cgroup: str | None
    command: tuple[str, ...] | None
    exit_status: int | None
    container_events: tuple[ContainerEvents, ...]
    container_runs: tuple[ContainerRunEvents, ...]


@dataclass(frozen=True, kw_only=True)
class Headline:
    """The report in a few sentences: verdict, up to two facts behind it, what to do next, how far to trust it."""

    verdict: str
    facts: tuple[str, ...]
    next_step: str
    trust: str


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A notice of the tracer or of the plugin; `slug` names it for programs."""

    slug: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Introduction:
    """What stands in front of the sections."""

    schema_version: int = SCHEMA_VERSION
    tool: Tool
    target: Target
    settings: Settings
    headline: Headline
    summary: Summary


@dataclass(frozen=True, kw_only=True)
class GateCondition:
    """One condition under which the gate fails, as it was given: the number at `path`, `operator`, `threshold`.

    `threshold` and `found` are in `unit`, that of the number; `found` is null where there is none. It is `not_judged`
    where the report does not tell, `reason` says why. `caveats` are what is missing of what the number is made of.
    """

    condition: str
    path: str
    operator: Literal[">", ">=", "<", "<=", "==", "!="]
    threshold: int | float | bool
    found: int | float | bool | None
    unit: str
    result: Literal["passed", "failed", "not_judged"]
    reason: str
    caveats: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The section `gate`: it has `passed` when each of its conditions was judged, and none holds.

    `failed` conditions are those that hold.
    """

    passed: bool
    failed: int
    not_judged: int
    conditions: tuple[GateCondition, ...]


# Fields are inherited from the last base first: this is the order of the keys.
@dataclass(frozen=True, kw_only=True)
class Report(Sections, Introduction):
    """Everything that is known about one trace, or about one window of it.

    `looked_for` are the rules that had something to look at, `findings` what they found. `gate` is null where no
    conditions were given.
    """

    findings: tuple[Finding, ...]
    looked_for: tuple[str, ...]
    gate: Gate | None = None
    notices: tuple[Remark, ...]
    trust: Trust
    cost: Cost
    cleanup: Cleanup | None


@dataclass(frozen=True, kw_only=True)
class LiveReport:
    """The latest window of a running trace beside everything since it began.

    `events` are single events that came lately, of which so many are left out; wall-clock time is their time plus the
    offset.
    """

    window: Report
    total: Report
    events: tuple[Event, ...] = ()
    events_left_out: int = 0
    realtime_offset_ns: int = 0
