"""How rules weigh numbers and say them: shares, lists of errors, severities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.finding import Severity

AT_LEAST: Final = 3
"""What happened less often is no pattern, and in most programs part of the plan."""
FEW: Final = 10
"""Of fewer operations a share says little: it is never critical."""
CRITICAL_RATIO: Final = 0.5
SHOWN: Final = 3

Entry = TypeVar("Entry")

GRADED: Final = (
    f"critical from {units.ratio_threshold(CRITICAL_RATIO)} on, of at least {FEW}; info below {AT_LEAST}; else warning"
)
"""`graded` in words."""


def graded(part: int, whole: int) -> Severity:
    """How severe it is that this part of a whole is in trouble."""
    if part < AT_LEAST:
        return "info"
    return "critical" if whole >= FEW and part >= CRITICAL_RATIO * whole else "warning"


def share(part: int, whole: int) -> str:
    """A part and its whole.

    >>> share(3, 12)
    '3 of 12 (25.0 %)'
    """
    return f"{units.count(part)} of {units.count(whole)} ({units.ratio(part / whole)})"


def share_of_time(took_ns: int, duration_s: float) -> float:
    """What operations took, one after the other, as a share of the trace's time; 0 of a trace without any.

    >>> share_of_time(3 * units.SECOND_NS, 12.0), share_of_time(1, 0.0)
    (0.25, 0.0)
    """
    return took_ns / units.SECOND_NS / duration_s if duration_s else 0.0


def worst(entries: Iterable[Entry], number: Callable[[Entry], int]) -> Entry | None:
    """The entry with the highest number, the first of several; None where none has any."""
    found = max(entries, key=number, default=None)
    return found if found is not None and number(found) else None


def shortened(text: str, most: int) -> str:
    """A text of so many characters at most, with its cut marked.

    >>> shortened("SELECT 1", 8), shortened("SELECT 12", 8)
    ('SELECT 1', 'SELEC...')
    """
    return text if len(text) <= most else f"{text[: most - 3]}..."


def listed(errors: Mapping[str, int]) -> str:
    """The most frequent ones.

    >>> listed({"EPIPE": 1200, "ECONNRESET": 3})
    'EPIPE 1,200, ECONNRESET 3'
    """
    return ", ".join(f"{name} {units.count(number)}" for name, number in list(errors.items())[:SHOWN])


def operation_errors(errors: Mapping[str, int], expected: frozenset[str] = frozenset()) -> dict[str, int]:
    """The errors that are not `expected`, in their order."""
    return {name: number for name, number in errors.items() if name not in expected}
