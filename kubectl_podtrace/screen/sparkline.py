"""Numbers over time on one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_BARS: Final = "▁▂▃▄▅▆▇█"
_UNKNOWN: Final = " "


def sparkline(values: Sequence[float | None], width: int) -> str:
    """The newest so many values, each as a bar of one cell; the highest of them is full. None is a gap.

    >>> sparkline([0, 1, None, 4, 8], 9), sparkline([0, 0], 2), sparkline([1, 2, 3], 2)
    ('    ▁▁ ▄█', '▁▁', '▅█')
    """
    shown = values[-width:] if width > 0 else ()
    highest = max((value for value in shown if value is not None), default=0.0)
    bars = (_UNKNOWN if value is None else _bar(value, highest) for value in shown)
    return "".join(bars).rjust(width)


def _bar(value: float, highest: float) -> str:
    if highest <= 0:
        return _BARS[0]
    return _BARS[min(int(value / highest * (len(_BARS) - 1)), len(_BARS) - 1)]
