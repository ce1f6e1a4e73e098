"""Through which stacks the descriptors were opened that suspects have open now."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final, NamedTuple

from kubectl_podtrace.wire.descriptor_records import DescriptorOpenerRow, DescriptorOpeners, DescriptorTableRow
from kubectl_podtrace.wire.records import LostRow
from kubectl_podtrace.wire.topics import DESCRIPTOR_KINDS
from podtrace_tracer.readers.frames import StackFrames
from podtrace_tracer.readers.model import KeyedTable, TraceContext
from podtrace_tracer.readers.suspects import Key
from podtrace_tracer.symbols.frames import ImageKey
from podtrace_tracer.target.descriptor_table import kind_of_link

OLDER_NS: Final = 5_000_000_000
MOST_TOLD: Final = 10
"""So many stacks are told of a kind of a process; the others are added up."""
_WITH_INODE: Final = frozenset({"socket", "pipe"})
"""Kinds whose links in /proc hold the number of the inode."""
OPENER_KEY: Final = struct.Struct("=II")
OPENER: Final = struct.Struct("=QQIIQQQII")
"""struct opener_key and struct opener of include/openers.bpf.h."""


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A process with the kinds that keep growing, and what it has open by number: its link, "" if not read."""

    row: DescriptorTableRow
    kinds: frozenset[str]
    open: Mapping[int, str]


class _Opener(NamedTuple):
    """Who opened what last stood under a number."""

    image: ImageKey
    stack: int
    at_ns: int
    inode: int
    kind: str


@dataclass(kw_only=True)
class _Followed:
    """A process whose openings the programs note. `since_ns` is by kind."""

    tgid: int
    start_ns: int
    kinds: frozenset[str] = frozenset()
    since_ns: dict[str, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class _Count:
    open: int = 0
    older: int = 0


What = tuple[Key, str]
"""A kind of a process."""
Through = tuple[ImageKey, int]
"""A stack by its hash, in the program whose addresses it holds."""


class Openers:
    """Tells the programs whom to follow, and counts what they noted of descriptors that are open."""

    def __init__(self, context: TraceContext) -> None:
        self._programs, self._frames = context.programs, context.frames
        self._stacks = StackFrames(context)
        self._followed: dict[Key, _Followed] = {}
        self._met: set[Through] = set()
        self._rows: dict[Key, DescriptorTableRow] = {}
        self._counts: dict[What, dict[Through, _Count]] = {}
        self._numbers: dict[tuple[Key, str, tuple[int, ...]], int] = {}
        self._next_number = count()
        self._most_left_out = 0

    def look(self, suspects: Mapping[Key, Suspect], alive: Collection[Key], now_ns: int) -> None:
        """Takes in what suspects have open, behind all reading of tables: what is noted is not older."""
        self._forget_ended(alive)
        for key in [key for key in self._followed if key not in suspects]:
            self._leave(key)
        noted = self._noted() if self._followed else {}
        for what in self._counts:
            self._counts[what] = {}
        for key, followed in self._followed.items():
            self._rows[key] = suspects[key].row
            self._count(key, followed, suspects[key], noted.get(followed.tgid, {}), now_ns)
        self._follow(suspects, now_ns)

    def ask(self) -> None:
        """Asks for the names of all that is counted."""
        for stacks in self._counts.values():
            for image, stack in stacks:
                self._stacks.of(image, stack)

    def table(self) -> KeyedTable:
        """What is open through each stack; nothing any more through those that were told before."""
        rows = {row.key: row for what, stacks in self._counts.items() for row in self._rows_of(what, stacks)}
        for (key, kind, frames), number in self._numbers.items():
            if number not in rows:
                rows[number] = _row(self._rows[key], kind, number, frames, _Count())
        return KeyedTable(record=DescriptorOpeners, rows=rows, ranks=(lambda row: row.older, lambda row: row.open))

    def dropped(self) -> tuple[LostRow, ...]:
        """Suspects that were too many to be followed."""
        if not self._most_left_out:
            return ()
        source = (
            f"processes suspected of a leak beyond {self._programs.capacity('suspects')} at a time: "
            "what opens their descriptors is not known"
        )
        return (LostRow(source=source, topic="descriptors", count=self._most_left_out),)

    def _follow(self, suspects: Mapping[Key, Suspect], now_ns: int) -> None:
        """Tells the programs of suspects that are new, or have other kinds."""
        fresh = [key for key in suspects if key not in self._followed]
        if fresh:
            places = self._programs.capacity("suspects") - len(self._followed)
            self._most_left_out = max(self._most_left_out, len(fresh) - places)
            processes = self._processes()
            for key in fresh[:places]:
                if key[0] in processes:
                    self._followed[key] = processes[key[0]]
        for key, followed in self._followed.items():
            kinds = suspects[key].kinds
            if kinds != followed.kinds:
                # What was noted before belongs to an earlier suspicion: not all that came since was noted.
                followed.since_ns = {kind: followed.since_ns.get(kind, now_ns) for kind in kinds}
                followed.kinds = kinds
                mask = sum(1 << DESCRIPTOR_KINDS.index(kind) for kind in kinds)
                self._programs.set_number("suspects", followed.tgid, mask)
        self._tell_how_many()

    def _leave(self, key: Key) -> None:
        followed = self._followed.pop(key)
        tgid = followed.tgid.to_bytes(4, "little")
        self._met = {through for through in self._met if through[0][2] != followed.tgid}
        self._programs.delete("suspects", tgid)
        for place, _ in list(self._programs.items("openers")):
            if place.startswith(tgid):
                self._programs.delete("openers", place)
        self._tell_how_many()

    def _tell_how_many(self) -> None:
        self._programs.set_number("suspect_count", 0, len(self._followed))

    def _forget_ended(self, alive: Collection[Key]) -> None:
        for key in [key for key in self._rows if key not in alive]:
            del self._rows[key]
            for what in [what for what in self._counts if what[0] == key]:
                del self._counts[what]
            for numbered in [numbered for numbered in self._numbers if numbered[0] == key]:
                del self._numbers[numbered]

    def _processes(self) -> dict[int, _Followed]:
        """The target's processes by their pid in the tracer's /proc, as the programs know them."""
        layout = self._programs.value_layout("processes")
        found = {}
        for _, values in self._programs.items("processes"):
            pid = layout.unsigned("node_pid", values[0])
            if pid:
                tgid, start_ns = layout.unsigned("tgid", values[0]), layout.unsigned("start_ns", values[0])
                found[pid] = _Followed(tgid=tgid, start_ns=start_ns)
        return found

    def _noted(self) -> dict[int, dict[int, _Opener]]:
        """By process as the kernel numbers it, and descriptor."""
        found: dict[int, dict[int, _Opener]] = {followed.tgid: {} for followed in self._followed.values()}
        for key, values in self._programs.items("openers"):
            tgid, descriptor = OPENER_KEY.unpack(key)
            if tgid in found:
                start_ns, executions, owner, _, stack, at_ns, inode, kind, _ = OPENER.unpack(values[0])
                found[tgid][descriptor] = _Opener(
                    image=(start_ns, executions, owner), stack=stack, at_ns=at_ns, inode=inode,
                    kind=DESCRIPTOR_KINDS[kind],
                )  # fmt: skip
        return found

    def _count(
        self, key: Key, followed: _Followed, suspect: Suspect, noted: Mapping[int, _Opener], now_ns: int
    ) -> None:
        for descriptor, link in suspect.open.items():
            opener = noted.get(descriptor)
            if opener is None or opener.kind not in suspect.kinds or not _stands_for(opener, link):
                continue
            # A program that was run in place of another one has not opened what that one left to it.
            since_ns = max(followed.since_ns.get(opener.kind, now_ns), suspect.row.since_ns)
            if opener.at_ns < since_ns or opener.image[0] != followed.start_ns:
                continue
            through = (opener.image, opener.stack)
            if through not in self._met:
                self._met.add(through)
                self._frames.see(opener.image, suspect.row.node_pid, suspect.row.pid)
            counted = self._counts.setdefault((key, opener.kind), {}).setdefault(through, _Count())
            counted.open += 1
            counted.older += now_ns - opener.at_ns > OLDER_NS

    def _rows_of(self, what: What, stacks: Mapping[Through, _Count]) -> Iterator[DescriptorOpenerRow]:
        together: dict[tuple[int, ...], _Count] = {}
        for (image, stack), counted in stacks.items():
            _add(together.setdefault(self._stacks.of(image, stack) or (), _Count()), counted)
        unknown = together.pop((), _Count())
        ordered = sorted(together.items(), key=lambda item: (-item[1].older, -item[1].open, item[0]))
        for _, counted in ordered[MOST_TOLD:]:
            _add(unknown, counted)
        told = ordered[:MOST_TOLD] + ([((), unknown)] if unknown.open else [])
        for frames, counted in told:
            key, kind = what
            self._frames.use(frames)
            number = self._numbers.get((key, kind, frames))
            if number is None:
                number = self._numbers[key, kind, frames] = next(self._next_number)
            yield _row(self._rows[key], kind, number, frames, counted)


def _add(one: _Count, other: _Count) -> None:
    one.open += other.open
    one.older += other.older


def _row(
    row: DescriptorTableRow, kind: str, number: int, frames: tuple[int, ...], counted: _Count
) -> DescriptorOpenerRow:
    return DescriptorOpenerRow(
        scope=row.scope, node_pid=row.node_pid, start_ns=row.start_ns, kind=kind, key=number,
        open=counted.open, older=counted.older, frames=frames,
    )  # fmt: skip


def _stands_for(opener: _Opener, link: str) -> bool:
    """Is what the link says that which was opened? Not where something came to be that the programs do not see."""
    if not link:
        return True
    if opener.kind in _WITH_INODE:
        return link == f"{opener.kind}:[{opener.inode}]"
    return kind_of_link(link) == opener.kind
