"""Rules about processes: how the traced command ended, and what crashed or was killed."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.ends import SIGKILL
from kubectl_podtrace.analysis.errno_names import end_text, signal_name
from kubectl_podtrace.analysis.findings.evidence import SHOWN, shortened
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import CommandEnd, Observations
from kubectl_podtrace.analysis.lifecycle import ANSWERS_BY_CODE
from kubectl_podtrace.analysis.processes import Exit, Processes
from kubectl_podtrace.analysis.selection import OTHER

SHOWN_CHARS: Final = 80
"""So much of the command is shown."""
CRASHES: Final = frozenset({3, 4, 5, 6, 7, 8, 11, 31})
"""SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS: what a program gets for what it did wrong."""


def _command(end: CommandEnd, _: Observations) -> Iterator[Trouble]:
    if end.status == 0 or (end.status == 1 and PurePath(end.words[0]).name in ANSWERS_BY_CODE):
        return
    crashed = -end.status in CRASHES or end.status == -SIGKILL
    how = end_text(end.status)
    yield Trouble(
        severity="critical" if crashed else "warning",
        title="the command failed",
        fact=how,
        evidence=f"{shortened(shlex.join(end.words), SHOWN_CHARS)} ended with {how}",
        next_step=_step_after(-end.status if end.status < 0 else 0),
    )


def _step_after(signal: int) -> str:
    if signal == SIGKILL:
        return "look for who killed it: the node's kernel log (dmesg) names what ran out of memory"
    if signal in CRASHES:
        return "look at its core dump (coredumpctl, or ulimit -c) and its last words on stderr"
    return "look at its last words on stderr and in its log"


def _told(seen: Observations) -> Counter[int]:
    """Ends by signal that other findings tell of: the command's, memory kills, containers' with what went along."""
    told: Counter[int] = Counter()
    if seen.command and seen.command.status < 0:
        told[-seen.command.status] += 1
    lifecycle, pod = seen.sections.lifecycle, seen.sections.kubernetes_events
    told[SIGKILL] += lifecycle.oom_kills if lifecycle else 0
    for incident in pod.incidents if pod else ():
        if incident.kind in ("end", "oom_kill"):
            told[incident.ended_by] += incident.count
            told[SIGKILL] += sum(incident.killed.values())
    return told


def _by_signal(section: Processes, seen: Observations, signals: frozenset[int]) -> list[Exit]:
    """Ends by these signals that nobody else tells of, the most frequent first."""
    found = [each for each in section.exits if each.signal in signals and each.comm != OTHER]
    told, numbers = _told(seen), Counter[int]()
    for each in found:
        numbers[each.signal] += each.count
    return [each for each in found if numbers[each.signal] > told[each.signal]]


def _crashes(exits: list[Exit]) -> str:
    return ", ".join(f"{each.comm} {signal_name(each.signal)} {units.count(each.count)}" for each in exits[:SHOWN])


def _kills(exits: list[Exit]) -> str:
    return ", ".join(f"{each.comm} {units.count(each.count)}" for each in exits[:SHOWN])


def _crashed(section: Processes, seen: Observations) -> Iterator[Trouble]:
    exits = _by_signal(section, seen, CRASHES)
    if exits:
        number = sum(each.count for each in exits)
        yield Trouble(
            severity="critical",
            title="processes crash",
            fact=_crashes(exits),
            evidence=f"{units.counted(number, 'process', 'processes')} ended by a fault of its own: {_crashes(exits)}",
            next_step=_step_after(exits[0].signal),
        )


def _killed(section: Processes, seen: Observations) -> Iterator[Trouble]:
    exits = _by_signal(section, seen, frozenset({SIGKILL}))
    if exits:
        number = sum(each.count for each in exits)
        yield Trouble(
            severity="warning",
            title="processes are killed",
            fact=_kills(exits),
            evidence=f"{units.counted(number, 'process', 'processes')} ended by SIGKILL: {_kills(exits)}",
            next_step=_step_after(SIGKILL),
        )


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="command-failed",
        looks_for="a command that fails",
        section=lambda seen: seen.command,
        check=_command,
        explained_by=frozenset({"processes-oom-killed"}),
        raised="local mode's command ends with an exit code other than 0 (1 of programs that answer by it, such as "
        "`grep`, is none), or by a signal that is not podtrace's own",
        severity="critical after a crash or SIGKILL; else warning",
        next_step="look at its last words on stderr, its log, its core dump",
    ),
    Rule(
        slug="processes-crashed",
        looks_for="crashes",
        section=lambda seen: seen.sections.processes,
        check=_crashed,
        topics=("processes",),
        raised=f"a process ends by {', '.join(f'`{signal_name(number)}`' for number in sorted(CRASHES))}, and is not "
        "the command or container that another finding tells of",
        severity="critical",
        next_step="look at its core dump and its last words on stderr",
    ),
    Rule(
        slug="processes-killed",
        looks_for="kills",
        section=lambda seen: seen.sections.processes,
        check=_killed,
        topics=("processes",),
        raised="a process ends by `SIGKILL`, and no other finding tells of it (the command, a container, memory)",
        severity="warning",
        next_step="look for who killed it: the node's kernel log names what ran out of memory",
    ),
)
