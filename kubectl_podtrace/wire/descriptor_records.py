"""The records of the topic descriptors: what each process has open."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.wire.fields import Count, DescriptorKind, Index, Pid, Text


@dataclass(frozen=True, kw_only=True)
class DescriptorTableRow:
    """What a process has open by kind, or had when it was last read (`alive` is false: it has ended).

    `first_*` is what it had at `since_ns`: at the start of the trace, at its fork, or at its latest execution, whatever
    came last. `start_ns` is its start since the boot of the node, to the clock tick. `limit` is its RLIMIT_NOFILE, 0 if
    that is not known. `sampled` is 0, or so many descriptors were looked at, and the kinds of all of them estimated.
    """

    scope: Index
    pid: Pid
    node_pid: Pid
    start_ns: Count
    comm: Text
    alive: bool
    limit: Count
    since_ns: Count
    sampled: Count
    first_file: Count
    first_socket: Count
    first_pipe: Count
    first_other: Count
    file: Count
    socket: Count
    pipe: Count
    other: Count


@dataclass(frozen=True, kw_only=True)
class DescriptorTables:
    """The descriptor tables of processes, read every five seconds and at the end; values rise and fall."""

    rows: tuple[DescriptorTableRow, ...]


@dataclass(frozen=True, kw_only=True)
class DescriptorOpenerRow:
    """How many descriptors of a kind that a process has open came to be through one stack: `key` is its number here.

    Only of processes (as in `DescriptorTableRow`) of which the kind keeps growing, and of what was opened since that
    was seen. `older` of them have been open for more than five seconds. `frames` are numbers, innermost first; none
    for all whose stack is not known, or that are too few to be told.
    """

    scope: Index
    node_pid: Pid
    start_ns: Count
    kind: DescriptorKind
    key: Count
    open: Count
    older: Count
    frames: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class DescriptorOpeners:
    """Who opened what is open, read with `DescriptorTables`; values rise and fall."""

    rows: tuple[DescriptorOpenerRow, ...]
