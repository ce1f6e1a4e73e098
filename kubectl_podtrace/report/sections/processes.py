"""The readable sections of processes and of the system calls around them."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_podtrace import units
from kubectl_podtrace.analysis.errno_names import signal_name
from kubectl_podtrace.analysis.processes import Exit, Processes, TopProcess
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.report.document import Block, Facts, Name, Row, Section, Table, left, right
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.sections.cells import NONE, listing, tally
from kubectl_podtrace.report.sections.descriptors import by_kind, fullest, has_any, leaking, leaks, open_and_close
from kubectl_podtrace.report.sections.files import opened_files

SYSTEM_CALLS = "Process and system call activity"


def process_activity(section: Processes) -> Section:
    """The active processes, the busiest first."""
    if not section.active:
        return Section(title="Process activity", blocks=(), empty="no process was active")
    columns = (*right("pid", "node pid", "events", "share"), left("process"))
    table = listing(columns, section.top, "comm", _process_row, _processes_together)
    return Section(
        title="Process activity",
        blocks=(Facts(pairs=(("active", units.counted(section.active, "process", "processes")),)), table),
    )


def system_calls(report: Report) -> Section:
    """Programs started, processes and threads made, how processes ended, descriptors opened and closed."""
    pairs: list[tuple[str, str]] = []
    blocks: list[Block] = []
    quiet = True
    if report.processes:
        section = report.processes
        errors = f"; failed: {tally(section.exec_errors)}" if section.exec_errors else ""
        pairs.append(("programs started", f"{units.count(section.exec)} (exec){errors}"))
        pairs.append(
            (
                "forks",
                (
                    f"{units.counted(section.fork_processes, 'process', 'processes')}, "
                    f"{units.counted(section.fork_threads, 'thread')}"
                ),
            )
        )
        made = section.exec or section.fork_processes or section.fork_threads
        quiet = not (made or section.exits or section.exec_errors)
        if section.exits:
            blocks.append(_exit_table(section.exits))
    if report.descriptors:
        pairs.append(open_and_close(report.descriptors))
        pairs.extend(leaks(report.descriptors))
        blocks.extend((*by_kind(report.descriptors), *fullest(report.descriptors), *leaking(report.descriptors)))
        quiet = quiet and not has_any(report.descriptors)
    if report.files and report.files.top_opened:
        blocks.append(opened_files(report.files.top_opened))
        quiet = False
    if quiet:
        return Section(title=SYSTEM_CALLS, blocks=(), empty="nothing was started, opened or closed")
    return Section(title=SYSTEM_CALLS, blocks=(Facts(pairs=tuple(pairs)), *blocks))


def _process_row(entry: TopProcess) -> Row:
    return (
        str(entry.pid),
        str(entry.node_pid),
        units.count(entry.events),
        units.ratio(entry.share_ratio),
        Name(entry.comm),
    )


def _processes_together(rest: Sequence[TopProcess]) -> Row:
    share = min(sum(entry.share_ratio for entry in rest), 1.0)
    return (NONE, NONE, units.count(sum(entry.events for entry in rest)), units.ratio(share), Name(OTHER))


def _exit_table(entries: tuple[Exit, ...]) -> Table:
    return listing((*right("exits", "how"), left("process")), entries, "comm", _exit_row, _exits_together)


def _exit_row(entry: Exit) -> Row:
    return (units.count(entry.count), _how(entry), Name(entry.comm))


def _exits_together(rest: Sequence[Exit]) -> Row:
    return (units.count(sum(entry.count for entry in rest)), NONE, Name(OTHER))


def _how(entry: Exit) -> str:
    return signal_name(entry.signal) if entry.signal else f"code {entry.code}"
