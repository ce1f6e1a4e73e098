"""Stacks of slow operations and of long waits: what each process did through which functions, over all of them."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kubectl_podtrace.wire.stack_records import OffCpuStackRow, OffCpuStacks, StackRow, Stacks
from podtrace_tracer.addresses import address_text
from podtrace_tracer.programs.map_values import in_a_row, merged
from podtrace_tracer.programs.program import ORDERED_OPERATIONS
from podtrace_tracer.readers.frames import StackFrames
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext
from podtrace_tracer.readers.paths import UNKNOWN as UNKNOWN_PATH
from podtrace_tracer.symbols.frames import UNKNOWN, ImageKey

TOP_STACKS: Final = 50
_FILE_KEY_BYTES: Final = 40
_NO_FILE: Final = bytes(32)
_ROOMY: Final = 2
"""Processes that have gone are looked for when more than one in so many places is taken."""

What = tuple[int, str, tuple[int, ...]]
"""Scope, operation, frames."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """What one process did through one stack, as the programs counted it so far."""

    scope: int
    operation: str
    count: int
    total_ns: int
    max_ns: int
    target: str
    targets_vary: bool
    buckets: dict[int, int] = field(repr=False)


class StackReader(TopicReader):
    """Adds up the groups of all processes whose stacks have the same frames."""

    def __init__(self, context: TraceContext) -> None:
        self._context = context
        self._programs, self._frames, self._paths = context.programs, context.frames, context.paths
        self._key = self._programs.key_layout("stack_counts")
        self._value = self._programs.value_layout("stack_counts")
        self._groups: dict[bytes, Group] = {}
        self._values: dict[bytes, list[bytes]] = {}
        self._unknown = self._frames.of_name(UNKNOWN)
        self._named: set[bytes] = set()
        self._ended: dict[What, Group] = {}
        self._stacks = StackFrames(context)
        self._numbers: dict[What, int] = {}

    def second(self) -> None:
        """Reads the groups, asks for the names of new stacks, and makes room where it gets short."""
        is_crowded = len(self._values) * _ROOMY > self._programs.capacity("stack_counts")
        # Found before the groups are read: what has gone counts nothing any more.
        gone = {key for key in self._values if self._frames.has_gone(_image_of(key)[0])} if is_crowded else set()
        for key, values in list(self._programs.items("stack_counts")):
            if self._values.get(key) != values:
                self._values[key] = values
                self._groups[key] = self._group(key, values)
            if key in self._named and key not in gone:
                continue
            frames = self._frames_of(key)
            if frames is not None and self._unknown not in frames:
                self._named.add(key)
            if key in gone and frames is not None:
                self._let_go(key, frames)

    def last_look(self) -> None:
        """Asks for names as long as nobody waits for them."""
        self.second()

    def settle(self, ended_ns: int) -> None:  # noqa: ARG002  nothing here depends on the moment
        """Reads what came last, and asks for its names."""
        self.second()

    def tables(self) -> Iterator[KeyedTable]:
        """The stacks, with the frames that they are made of."""
        found = {what: _added(groups) for what, groups in self._together().items()}
        slow = [self._row(what, group) for what, group in found.items() if not _is_wait(what)]
        waits = [self._wait_row(what, group) for what, group in found.items() if _is_wait(what)]
        yield self._table(Stacks, slow)
        yield self._table(OffCpuStacks, waits)

    def _table(self, record: type[Any], rows: Sequence[StackRow] | Sequence[OffCpuStackRow]) -> KeyedTable:
        ordered: list[StackRow | OffCpuStackRow] = sorted(rows, key=lambda row: -row.total_ns)
        for row in ordered:
            self._frames.use(row.frames)
        return KeyedTable(
            record=record, rows={row.key: row for row in ordered},
            ranks=(lambda row: row.total_ns, lambda row: row.count), top=TOP_STACKS,
        )  # fmt: skip

    def _let_go(self, key: bytes, frames: tuple[int, ...]) -> None:
        """Keeps what a process did that has gone, and gives its place in the kernel to others."""
        self._programs.delete("stack_counts", key)
        self._programs.delete("stack_durations", key)
        del self._values[key]
        self._named.discard(key)
        group = self._groups.pop(key)
        what = (group.scope, group.operation, frames)
        known = self._ended.get(what)
        self._ended[what] = group if known is None else _added((known, group))

    def _group(self, key: bytes, values: list[bytes]) -> Group:
        fields = [self._value.fields(value) for value in values]
        seen = [each for each in fields if each["count"]]
        targets = {each["target"] for each in seen}
        slowest = max(seen, key=lambda each: each["max_ns"])["target"] if seen else b""
        counters = merged([{name: each[name] for name in ("count", "total_ns", "max_ns", "others")} for each in fields])
        what = self._key.fields(key)
        return Group(
            scope=_image_of(key)[1],
            operation=ORDERED_OPERATIONS[what["operation"]].full_name,
            count=counters["count"],
            total_ns=counters["total_ns"],
            max_ns=counters["max_ns"],
            target=self._target(slowest),
            targets_vary=len(targets) > 1 or counters["others"] > 0,
            buckets=self._buckets(key),
        )

    def _buckets(self, key: bytes) -> dict[int, int]:
        value = self._programs.value_at("stack_durations", key)
        counts = memoryview(value).cast("I") if value else ()
        return {bucket: count for bucket, count in enumerate(counts) if count}

    def _target(self, target: bytes) -> str:
        file, (family, port) = target[:_FILE_KEY_BYTES], struct.unpack_from("=HH", target, _FILE_KEY_BYTES + 16)
        if family:
            text = address_text(family, target[_FILE_KEY_BYTES : _FILE_KEY_BYTES + 16])
            return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"
        path = self._paths.path(file) if file[:32] != _NO_FILE else UNKNOWN_PATH
        return "" if path == UNKNOWN_PATH else path

    def _frames_of(self, key: bytes) -> tuple[int, ...] | None:
        """The numbers of a group's frames; none where it has no stack, None as long as they are not known."""
        return self._stacks.of(_image_of(key)[0], self._key.unsigned("stack", key))

    def _together(self) -> dict[What, list[Group]]:
        """By operation and stack of frames, over the processes of a scope."""
        together: dict[What, list[Group]] = {what: [group] for what, group in self._ended.items()}
        for key, group in self._groups.items():
            frames = self._frames_of(key)
            if frames is not None and group.count:
                together.setdefault((group.scope, group.operation, frames), []).append(group)
        return together

    def _row(self, what: What, group: Group) -> StackRow:
        scope, operation, frames = what
        return StackRow(
            scope=scope,
            key=self._numbers.setdefault(what, len(self._numbers)),
            operation=operation,
            target=group.target,
            targets_vary=group.targets_vary,
            count=group.count,
            total_ns=group.total_ns,
            max_ns=group.max_ns,
            buckets=in_a_row(group.buckets),
            frames=frames,
        )

    def _wait_row(self, what: What, group: Group) -> OffCpuStackRow:
        scope, operation, frames = what
        return OffCpuStackRow(
            scope=scope,
            key=self._numbers.setdefault(what, len(self._numbers)),
            operation=operation,
            count=group.count,
            total_ns=group.total_ns,
            max_ns=group.max_ns,
            buckets=in_a_row(group.buckets),
            frames=frames,
        )


def _is_wait(what: What) -> bool:
    return what[1].startswith("cpu.")


def _added(groups: Sequence[Group]) -> Group:
    """What several processes did, of one scope and operation, as one."""
    buckets: Counter[int] = Counter()
    for group in groups:
        buckets.update(group.buckets)
    slowest = max(groups, key=lambda group: group.max_ns)
    return replace(
        slowest,
        count=sum(group.count for group in groups),
        total_ns=sum(group.total_ns for group in groups),
        targets_vary=any(group.targets_vary or group.target != slowest.target for group in groups),
        buckets=dict(buckets),
    )


def _image_of(key: bytes) -> tuple[ImageKey, int]:
    """The image that a key begins with (struct image of include/stacks.bpf.h), and its scope."""
    start_ns, executions, tgid, scope = struct.unpack_from("=QQII", key)
    return (start_ns, executions, tgid), scope
