"""How rules weigh numbers and say them: shares, lists of errors, severities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.finding import Severity

AT_LEAST: Final = 3
"""What happened less often is no pattern, and in most programs part of the plan."""
FEW: Final = 10
"""Of fewer operations a share says little: it is never critical."""
CRITICAL_RATIO: Final = 0.5
SHOWN: Final = 3

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


def listed(errors: Mapping[str, int]) -> str:
    """The most frequent ones.

    >>> listed({"EPIPE": 1200, "ECONNRESET": 3})
    'EPIPE 1,200, ECONNRESET 3'
    """
    return ", ".join(f"{name} {units.count(number)}" for name, number in list(errors.items())[:SHOWN])


def operation_errors(errors: Mapping[str, int], expected: frozenset[str] = frozenset()) -> dict[str, int]:
    """The errors that are not `expected`, in their order."""
    return {name: number for name, number in errors.items() if name not in expected}
