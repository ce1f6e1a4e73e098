"""Lifecycle: how long processes lived, how the programs ended, and which ones end badly again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from kubectl_podtrace.analysis.errno_names import signal_name
from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.pod_timeline import OOM_KILLED, PodTimeline
from kubectl_podtrace.analysis.selection import LISTED, OTHER, Dist, Selection, most_frequent_first
from kubectl_podtrace.units import SECOND_NS
from kubectl_podtrace.wire.lifecycle_records import LifetimeRow, Lifetimes

ASKED_TO_END: Final = frozenset({1, 2, 13, 14, 15})
"""SIGHUP, SIGINT, SIGPIPE, SIGALRM, SIGTERM: somebody wanted the end, or nobody reads any more. No bad end."""
ANSWERS_BY_CODE: Final = frozenset({
    "[", "cmp", "diff", "dpkg-query", "egrep", "expr", "false", "fgrep", "flock", "fuser", "git", "grep", "id", "lsof",
    "mountpoint", "nc", "pgrep", "pidof", "pkill", "readlink", "realpath", "rg", "stat", "test", "which", "zgrep",
})  # fmt: skip
"""Programs whose code 1 is an answer and no bad end."""
LOOP_ENDS: Final = 3
"""A program that ended badly in the same way so many times is in a loop; a container, whose restarts wait, at two."""
CONTAINER_LOOP_ENDS: Final = 2
_SHORTEST_LOOP_NS: Final = SECOND_NS
"""What ends within a second ended together."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """Processes of a name that ended: how many, how many of them badly, how long they lived.

    `codes` and `signals` say how; `oom_kills` of those with SIGKILL the kernel killed for memory. `(other)` holds all
    not listed.
    """

    comm: str
    ended: int
    failed: int
    codes: dict[str, int]
    signals: dict[str, int]
    oom_kills: int
    lifetime_avg_ns: int
    lifetime_max_ns: int


@dataclass(frozen=True, kw_only=True)
class CrashLoop:
    """A program, or a container, that ended badly `count` times in the same way, every `every_s` seconds.

    `code` and `signal` say how (of a container the newest; `reason` is the kubelet's word). `first_s` and `last_s` are
    the times of the first and the last end, in seconds since the trace began; they and `every_s` are null where they
    are not known, `lifetime_avg_ns` is for containers.
    """

    kind: Literal["program", "container"]
    name: str
    count: int
    code: int
    signal: int
    reason: str
    oom_kills: int
    every_s: float | None
    lifetime_avg_ns: int | None
    first_s: float | None
    last_s: float | None


@dataclass(frozen=True, kw_only=True)
class Lifecycle:
    """The section `lifecycle`; `lifetimes` are those of the processes that ended, from their start.

    A `failed` process ended badly: with another code than 0, or by a signal that nobody sends to ask for an end.
    """

    ended: int
    failed: int
    oom_kills: int
    lifetimes: Dist
    programs: tuple[Program, ...]
    crash_loops: tuple[CrashLoop, ...]
    partial: tuple[Partial, ...]


def lifecycle(selection: Selection, pod: PodTimeline | None = None) -> Lifecycle:
    """The section `lifecycle` of the selected scopes; `pod`: what happened to it, where there is one."""
    rows: tuple[LifetimeRow, ...] = selection.rows(Lifetimes)
    ended = selection.of("processes.exit").count
    return Lifecycle(
        ended=ended,
        failed=sum(row.count for row in rows if is_bad(row)),
        oom_kills=sum(row.oom_kills for row in rows),
        lifetimes=selection.latency("processes.exit"),
        programs=_programs(rows, ended),
        crash_loops=(*_container_loops(pod), *_program_loops(selection, rows)),
        partial=selection.partial_of("processes"),
    )


def is_bad(row: LifetimeRow) -> bool:
    """Whether these ended as no process should."""
    if row.signal:
        return row.signal not in ASKED_TO_END
    return row.code != 0 and not (row.code == 1 and row.comm in ANSWERS_BY_CODE)


def _by_program(rows: Iterable[LifetimeRow]) -> dict[str, list[LifetimeRow]]:
    found: dict[str, list[LifetimeRow]] = {}
    for row in rows:
        found.setdefault(row.comm, []).append(row)
    return found


def _programs(rows: Iterable[LifetimeRow], ended: int) -> tuple[Program, ...]:
    every = [_program(comm, own) for comm, own in _by_program(rows).items()]
    every.sort(key=lambda each: (-each.failed, -each.ended, each.comm))
    listed, rest = every[:LISTED], every[LISTED:]
    missing = max(ended - sum(each.ended for each in every), 0)
    if not rest and not missing:
        return tuple(listed)
    lived_ns = sum(each.lifetime_avg_ns * each.ended for each in rest)
    known = sum(each.ended for each in rest)
    other = Program(
        comm=OTHER,
        ended=known + missing,
        failed=sum(each.failed for each in rest),
        codes={},
        signals={},
        oom_kills=sum(each.oom_kills for each in rest),
        lifetime_avg_ns=lived_ns // known if known else 0,
        lifetime_max_ns=max((each.lifetime_max_ns for each in rest), default=0),
    )
    return (*listed, other)


def _program(comm: str, rows: list[LifetimeRow]) -> Program:
    codes, signals = Counter[str](), Counter[str]()
    for row in rows:
        if row.signal:
            signals[signal_name(row.signal)] += row.count
        else:
            codes[str(row.code)] += row.count
    ended = sum(row.count for row in rows)
    return Program(
        comm=comm,
        ended=ended,
        failed=sum(row.count for row in rows if is_bad(row)),
        codes=most_frequent_first(codes),
        signals=most_frequent_first(signals),
        oom_kills=sum(row.oom_kills for row in rows),
        lifetime_avg_ns=sum(row.lifetime_ns for row in rows) // ended if ended else 0,
        lifetime_max_ns=max(row.longest_ns for row in rows),
    )


def _program_loops(selection: Selection, rows: Iterable[LifetimeRow]) -> tuple[CrashLoop, ...]:
    """The same program, the same end, several times, not all at once; and no more good ends than such ones."""
    found = []
    for comm, own in _by_program(rows).items():
        by_end: dict[tuple[int, int], list[LifetimeRow]] = {}
        for row in own:
            if is_bad(row):
                by_end.setdefault((row.code, row.signal), []).append(row)
        good = sum(row.count for row in own if not is_bad(row))
        loops = (_program_loop(selection, comm, each) for each in by_end.values())
        found += [loop for loop in loops if loop is not None and loop.count >= good]
    return tuple(sorted(found, key=lambda loop: (-loop.count, loop.name, loop.code, loop.signal))[:LISTED])


def _program_loop(selection: Selection, comm: str, rows: list[LifetimeRow]) -> CrashLoop | None:
    count = sum(row.count for row in rows)
    # In a window the first end is that of the whole trace.
    first_ns = max(min(row.first_ns for row in rows), selection.start_ns)
    last_ns = max(row.last_ns for row in rows)
    if count < LOOP_ENDS or last_ns - first_ns < _SHORTEST_LOOP_NS:
        return None
    return CrashLoop(
        kind="program",
        name=comm,
        count=count,
        code=rows[0].code,
        signal=rows[0].signal,
        reason="",
        oom_kills=sum(row.oom_kills for row in rows),
        every_s=(last_ns - first_ns) / (count - 1) / SECOND_NS,
        lifetime_avg_ns=sum(row.lifetime_ns for row in rows) // count,
        first_s=(first_ns - selection.start_ns) / SECOND_NS,
        last_s=(last_ns - selection.start_ns) / SECOND_NS,
    )


def _container_loops(pod: PodTimeline | None) -> tuple[CrashLoop, ...]:
    """Containers of which two runs or more ended badly while they were watched."""
    if pod is None:
        return ()
    ends, found = pod.unasked_ends, []
    for container in dict.fromkeys(each.container for each in ends if each.container):
        own = [each for each in ends if each.container == container]
        if len(own) < CONTAINER_LOOP_ENDS:
            continue
        times = [each.at for each in own if each.at]
        apart_s = (max(times) - min(times)).total_seconds() if len(times) == len(own) else None
        found.append(
            CrashLoop(
                kind="container",
                name=container,
                count=len(own),
                code=own[-1].exit_code or 0,
                signal=own[-1].signal or 0,
                reason=own[-1].reason,
                oom_kills=sum(each.reason == OOM_KILLED for each in own),
                every_s=None if apart_s is None else apart_s / (len(own) - 1),
                lifetime_avg_ns=None,
                first_s=None,
                last_s=None,
            )
        )
    return tuple(sorted(found, key=lambda loop: (-loop.count, loop.name)))
