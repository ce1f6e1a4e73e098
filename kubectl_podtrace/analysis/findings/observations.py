"""Everything that the rules may look at."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.analysis.sections import Sections
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.analysis.trust import Trust


@dataclass(frozen=True, kw_only=True)
class CommandEnd:
    """How local mode's command ended: its exit code, or, negative, the signal that ended it."""

    words: tuple[str, ...]
    status: int


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Whether the target did anything, and what is known of it if it did not.

    `events` are the summary's; `ran` says whether a thread was seen on a CPU, which counts as no event. `refusal` is
    the tracer's reason and its hint; `answered`: it sent a header; `started`: all probes were attached; `seen`: one of
    the target's cgroups or processes was met, which takes an act of its own. `is_alive`: whether it was running in the
    end by what cluster or machine say, where they were asked; `phase` is the pod's newest, and empty without a cluster.
    """

    events: int
    ran: bool = False
    refusal: tuple[str, str] | None = None
    answered: bool = True
    started: bool = True
    seen: bool = True
    is_alive: bool | None = None
    containers: tuple[str, ...] = ()
    phase: str = ""
    is_local: bool = False


@dataclass(frozen=True, kw_only=True)
class Observations:
    """What was measured, and what it was asked to be measured against.

    `cpus` are those of the node, where known. `command` is null where none was started, or podtrace ended it itself.
    `is_running`: the trace goes on, so its stream has no end yet.
    """

    sections: Sections
    settings: Settings
    trust: Trust
    activity: Activity
    duration_s: float
    cpus: int | None = None
    command: CommandEnd | None = None
    is_running: bool = False
