"""What a topic may add to the snapshots beside its totals, histograms and errors: tables of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kubectl_podtrace.wire.records import Event, LostRow, Record, TotalsRow
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.readers.paths import Paths
from podtrace_tracer.symbols.frames import FrameBook
from podtrace_tracer.target.scope import MEMBER_INSIDE, Target
from podtrace_tracer.target.scopes import Scopes

TOP: Final = 200


@dataclass(frozen=True, kw_only=True)
class KeyedTable:
    """Rows of one kind of record (built as `record(rows=...)`) by key; `ranks` are the orders by which rows are top.

    While the trace runs, the first `top` rows of each order travel.
    """

    record: type[Any]
    rows: Mapping[Any, Any]
    ranks: tuple[Callable[[Any], int], ...]
    top: int = TOP


Takers = dict[int, Callable[[bytes], None]]
"""Who takes a record of the ring buffer, by the number of its kind."""


def _to_nobody(_: Event | Record) -> None:
    """Where nobody listens for single events, or for what is told once."""


@dataclass(frozen=True, kw_only=True)
class TraceContext:
    """What a reader can look at: the attached programs' maps, the node, the target and its containers.

    A reader may put itself among the `takers` of the ring buffer's records, by the number of their kind, and may emit
    single events; what it `tell`s is repeated. `frames` names the places of stacks, `paths` files by their key. `blind`
    are the topics whose system calls are not looked at any more, because that cost too much. `is_chosen`: somebody
    asked for just these topics, not for all that there are.
    """

    programs: Programs
    host: Host
    target: Target
    scopes: Scopes
    emit_event: Callable[[Event], None] = _to_nobody
    tell: Callable[[Record], None] = _to_nobody
    is_chosen: bool = True
    frames: FrameBook = field(default_factory=FrameBook)
    paths: Paths = field(default_factory=Paths)
    takers: Takers = field(default_factory=dict)
    blind: set[str] = field(default_factory=set)

    def pids(self) -> list[int]:
        """The processes of the target that the tracer's /proc has now."""
        if self.target.directory is not None:
            return [pid for pid in self.target.members() if pid > 0]  # 0: not in the tracer's pid namespace
        inside = MEMBER_INSIDE.to_bytes(4, "little")
        members = self.programs.items("members")
        return sorted(int.from_bytes(key, "little") for key, values in members if values[0] == inside)


class TopicReader:
    """Reads what is particular to one topic. Made when the last probe is attached; all numbers are cumulative."""

    def second(self) -> None:
        """Comes each second, before anything else is asked."""

    def last_look(self) -> None:
        """Comes once, just before the programs stop counting: the last look at what changes from outside."""

    def settle(self, ended_ns: int) -> None:
        """Comes once after that, with the moment when the programs stopped: what could not be decided before."""

    def totals(self) -> Iterable[TotalsRow]:
        """Totals that are not the programs' alone; they replace those of the same scope and operation."""
        return ()

    def tables(self) -> Iterable[KeyedTable]:
        """The topic's own tables as they are now; behind the last look, as they were then."""
        return ()

    def lost(self) -> tuple[LostRow, ...]:
        """What the kernel did not hand over, beyond what the programs count as lost."""
        return ()

    def dropped(self) -> tuple[LostRow, ...]:
        """What was known, or could have been, and was let go here."""
        return ()


MakeReader = Callable[[TraceContext], TopicReader]
