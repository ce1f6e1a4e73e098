"""The readable section of what happened to the pod, and the runs of its containers."""

from __future__ import annotations

from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.errno_names import signal_name
from kubectl_podtrace.analysis.pod_timeline import OOM_KILLED, Incident, PodTimeline
from kubectl_podtrace.report.document import Block, Facts, Name, Section, Table, left, right
from kubectl_podtrace.report.model import ContainerRunEvents
from kubectl_podtrace.report.sections.cells import NONE, tally

TITLE: Final = "What happened to the pod"
SHOWN: Final = 30
"""So many of the newest incidents are shown on screen; the JSON export holds more."""


def pod_timeline(section: PodTimeline) -> Section:
    """Starts, ends, failed probes and warnings in the order of time; the newest, where there are many."""
    if not section.incidents:
        return Section(title=TITLE, blocks=(), empty="nothing: no container started or ended, no warning came")
    every = tuple((_when(entry), incident_text(entry)) for entry in section.incidents)
    table = Table(columns=(left("time"), left("what happened")), rows=every[-SHOWN:], every=every)
    earlier = len(section.incidents) - len(table.rows) + section.left_out
    blocks: list[Block] = [table]
    if earlier:
        blocks.append(Facts(pairs=(("not shown", units.counted(earlier, "other incident")),)))
    return Section(title=TITLE, blocks=tuple(blocks))


def container_runs(runs: tuple[ContainerRunEvents, ...]) -> Table:
    """The events of each run of each container."""
    return Table(
        columns=(*right("events"), left("container")),
        rows=tuple((units.count(run.events), Name(_run_title(run, runs))) for run in runs),
    )


def _run_title(run: ContainerRunEvents, runs: tuple[ContainerRunEvents, ...]) -> str:
    """`api (1st run, until 12:03:07, OOMKilled, exit 137)`; of a container's only run, what is remarkable."""
    is_only = sum(other.name == run.name for other in runs) == 1
    details = []
    if run.run and (run.run > 1 or not is_only):
        details.append(f"{units.ordinal(run.run)} run")
    if run.ended:
        details.append(f"until {units.clock(run.ended)}")
    if run.exit_code is not None:
        details.extend(_end_words(run.reason, run.exit_code))
    return f"{run.name} ({', '.join(details)})" if details else run.name


def _end_words(reason: str, exit_code: int) -> list[str]:
    return [*([reason] if reason else []), f"exit {exit_code}"]


def _when(entry: Incident) -> str:
    return units.clock(entry.at) if entry.at else NONE


def incident_text(entry: Incident) -> str:
    """What happened, in words."""
    match entry.kind:
        case "start":
            return f"{_whose(entry)} started"
        case "end" | "oom_kill":
            return f"{_whose(entry)} ended: {_end(entry)}"
        case "process_kill":
            signal = signal_name(entry.signal or 0)
            by = "the kernel killed for memory" if entry.reason == OOM_KILLED else f"{signal} ended"
            return f"{_whose(entry)} went on, but of its processes {by}: {tally(entry.killed)}"
        case "deletion":
            return "the pod was deleted"
        case "probe_failure" | "eviction" | "warning" | "remark":
            whose = f"{_whose(entry)}: " if entry.container else ""
            return f"{whose}{entry.reason}: {entry.text}{_repeats(entry)}"


def _whose(entry: Incident) -> str:
    return f"{entry.container} ({units.ordinal(entry.run)} run)" if entry.run else entry.container or NONE


def _end(entry: Incident) -> str:
    words = ", ".join(_end_words(entry.reason, entry.exit_code or 0))
    by = f" ({signal_name(entry.ended_by)})" if 0 < entry.ended_by <= 64 else ""
    with_it = f"; killed with it: {tally(entry.killed)}" if entry.killed else ""
    return f"{words}{by}{with_it}"


def _repeats(entry: Incident) -> str:
    if entry.count == 1:
        return ""
    until = f" until {units.clock(entry.last_at)}" if entry.last_at else ""
    return f" ({units.count(entry.count)} times{until})"
