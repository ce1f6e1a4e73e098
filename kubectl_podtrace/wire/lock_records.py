"""The records of the topic locks; what all records have in common is said in `records`."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.wire.fields import Count, Index, Pid, Text


@dataclass(frozen=True, kw_only=True)
class LockRow:
    """What the threads of a process waited for one futex, by its address there.

    `held` are waits in the way of a lock that another thread holds, `waiters` the threads that waited, `max_waiters`
    the most at once. `waker_*` is the thread that ended the longest time of waits, how many these were and how long.
    `frames` and `waker_frames` are numbers of frames, innermost first: where the longest wait stood, of those whose
    stack was taken, and where the waker ended such a one; none where no stack is known. `variable` is the number of a
    frame, too: the variable that the futex is in, if it has a name.
    """

    scope: Index
    pid: Pid
    node_pid: Pid
    start_ns: Count
    comm: Text
    address: Count
    waits: Count
    held: Count
    timeouts: Count
    sum_ns: Count
    max_ns: Count
    waiters: Count
    max_waiters: Count
    waker_tid: Pid
    waker_node_tid: Pid
    waker_comm: Text
    waker_waits: Count
    waker_ns: Count
    frames: tuple[Count, ...]
    waker_frames: tuple[Count, ...]
    variable: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class Locks:
    """Futexes by the time that was waited for them, as `Files`; those of ended processes too."""

    rows: tuple[LockRow, ...]
