"""Which kinds of descriptors of which processes keep growing: what opens them is then to be found out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.wire.descriptor_records import DescriptorTableRow
from kubectl_podtrace.wire.topics import DESCRIPTOR_KINDS, DescriptorKindName

CLIMBS: Final = 2
"""A kind is suspected once so many readings had more of it than any before: a report calls it a leak at one more."""
_LOSES_INTEREST: Final = 2
"""It no longer is after so many times as long as it took to get where it is."""

Key = tuple[int, int]
"""A process: its pid in the tracer's /proc, and its start."""


@dataclass(kw_only=True)
class _Climb:
    highest: int
    readings: int = 0
    passed_ns: int = 0


@dataclass(frozen=True, kw_only=True)
class _Process:
    since_ns: int
    kinds: Mapping[DescriptorKindName, _Climb]


class Suspects:
    """Told each reading of a table, says which of its kinds are suspected of a leak."""

    def __init__(self) -> None:
        self._processes: dict[Key, _Process] = {}

    def look(self, key: Key, row: DescriptorTableRow, now_ns: int) -> frozenset[str]:
        """The suspected kinds. Another program in the process begins anew."""
        process = self._processes.get(key)
        if process is None or process.since_ns != row.since_ns:
            kinds = {kind: _Climb(highest=getattr(row, f"first_{kind}")) for kind in DESCRIPTOR_KINDS}
            process = self._processes[key] = _Process(since_ns=row.since_ns, kinds=kinds)
        for kind, climb in process.kinds.items():
            value = getattr(row, kind)
            if value > climb.highest:
                climb.highest = value
                climb.readings += 1
                climb.passed_ns = now_ns
        return frozenset(
            kind for kind, climb in process.kinds.items() if _is_suspected(climb, since_ns=row.since_ns, now_ns=now_ns)
        )

    def keep(self, keys: Collection[Key]) -> None:
        """Forgets all other processes."""
        for key in [key for key in self._processes if key not in keys]:
            del self._processes[key]


def _is_suspected(climb: _Climb, *, since_ns: int, now_ns: int) -> bool:
    if climb.readings < CLIMBS:
        return False
    return now_ns - climb.passed_ns <= _LOSES_INTEREST * (climb.passed_ns - since_ns)
