"""How often the CPU limit of a cgroup held its threads back: the counters of cpu.stat, in whichever hierarchy it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FILE: Final = "cpu.stat"
_NS_PER_US: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Counters:
    """The counters of one cgroup since it was made."""

    periods: int = 0
    throttled: int = 0
    total_ns: int = 0

    def since(self, earlier: Counters) -> Counters:
        """What came on top of earlier ones."""
        return Counters(
            periods=self.periods - earlier.periods,
            throttled=self.throttled - earlier.throttled,
            total_ns=self.total_ns - earlier.total_ns,
        )


def counters_in(text: str) -> Counters | None:
    r"""The counters in the text of a cpu.stat; None where the cgroup has no CPU controller.

    >>> counters_in("usage_usec 9\nnr_periods 5\nnr_throttled 2\nthrottled_usec 7\n")
    Counters(periods=5, throttled=2, total_ns=7000)
    >>> counters_in("nr_periods 5\nnr_throttled 2\nthrottled_time 7\n").total_ns
    7
    """
    fields = {name: int(value) for name, _, value in (line.partition(" ") for line in text.splitlines())}
    if "nr_periods" not in fields:
        return None
    total_ns = fields["throttled_usec"] * _NS_PER_US if "throttled_usec" in fields else fields.get("throttled_time", 0)
    return Counters(periods=fields["nr_periods"], throttled=fields.get("nr_throttled", 0), total_ns=total_ns)


def read(file: Path) -> Counters | None:
    """The counters in a cpu.stat as it is now; None when it is gone or has none."""
    try:
        return counters_in(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def file_in(directories: Iterable[Path]) -> Path | None:
    """Where the counters are: in the first of these directories of one cgroup that has any."""
    return next((path / _FILE for path in directories if read(path / _FILE) is not None), None)
