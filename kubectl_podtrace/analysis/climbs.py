"""What keeps climbing: in how many windows of the trace a process had more descriptors of a kind than ever before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.analysis.tables import CAPACITY
from kubectl_podtrace.wire.descriptor_records import DescriptorTableRow
from kubectl_podtrace.wire.topics import DESCRIPTOR_KINDS, DescriptorKindName

WINDOW_NS: Final = 5_000_000_000
"""The tracer reads the tables so often."""


@dataclass(kw_only=True)
class Climb:
    """The highest value of a kind, in how many windows it was passed, and when it was last."""

    highest: int
    windows: int = 0
    window: int = -1
    passed_ns: int = 0


@dataclass(kw_only=True)
class _Process:
    since_ns: int
    kinds: dict[DescriptorKindName, Climb]


Key = tuple[int, int, int]


class Climbs:
    """One climb for each kind of each process, in bounded memory. A new program in a process begins anew."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._processes: dict[Key, _Process] = {}

    def add(self, row: DescriptorTableRow, at_ns: int, started_ns: int) -> None:
        """Takes in what was read at a time."""
        key = (row.scope, row.node_pid, row.start_ns)
        process = self._processes.get(key)
        if process is None or process.since_ns != row.since_ns:
            if process is None and len(self._processes) >= self._capacity:
                return
            kinds = {kind: Climb(highest=getattr(row, f"first_{kind}")) for kind in DESCRIPTOR_KINDS}
            process = self._processes[key] = _Process(since_ns=row.since_ns, kinds=kinds)
        window = max(0, at_ns - started_ns) // WINDOW_NS
        for kind, climb in process.kinds.items():
            value = getattr(row, kind)
            if value <= climb.highest:
                continue
            climb.highest = value
            climb.windows += window != climb.window
            climb.window = window
            climb.passed_ns = at_ns

    def of(self, row: DescriptorTableRow, kind: DescriptorKindName) -> Climb | None:
        """How a kind climbed in a process; None where nothing is known of it."""
        process = self._processes.get((row.scope, row.node_pid, row.start_ns))
        return process.kinds[kind] if process else None
