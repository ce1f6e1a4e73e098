"""Operations that fail: what all families of operations have in common, and what to do about each error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.evidence import AT_LEAST, graded, listed, operation_errors, share
from kubectl_podtrace.analysis.findings.finding import Trouble
from kubectl_podtrace.analysis.selection import Op

RAISED: Final = (
    f"more than `--error-threshold` of one kind of operation fail, and at least {AT_LEAST}; "
    "errors that programs plan for do not count"
)


def failing(
    name: str, operation: Op, error_ratio: float, *, expected: frozenset[str] = frozenset(), where: str = ""
) -> Iterator[Trouble]:
    """An operation whose errors are above the threshold; `where` is added to its evidence."""
    errors = operation_errors(operation.errors, expected)
    failed = sum(errors.values())
    if failed < AT_LEAST or failed <= error_ratio * operation.count:
        return
    most = next(iter(errors))
    of_all = share(min(failed, operation.count), operation.count)
    yield Trouble(
        severity=graded(failed, operation.count),
        title=f"{name} fail",
        fact=f"{of_all}, most with {most}",
        evidence=f"{of_all} failed, threshold {units.ratio_threshold(error_ratio)}: {listed(errors)}{where}",
        next_step=STEPS.get(most, f"look for {most} in the program's log"),
    )


_SPACE: Final = "free space, or raise the volume's size or quota (df -h in the container)"
_RIGHTS: Final = "check the container's user, file modes and read-only mounts"
_HANG_UP: Final = "the other side closed: check its log, idle timeout and restarts"
_NO_WAY: Final = "no way to the peer: check NetworkPolicies, firewalls, routes"
STEPS: Final[Mapping[str, str]] = {
    "ENOSPC": _SPACE,
    "EDQUOT": _SPACE,
    "EACCES": _RIGHTS,
    "EPERM": _RIGHTS,
    "EROFS": _RIGHTS,
    "ECONNREFUSED": "nothing listens on the remote port: check the service behind it",
    "ECONNRESET": _HANG_UP,
    "EPIPE": _HANG_UP,
    "ETIMEDOUT": _NO_WAY,
    "EHOSTUNREACH": _NO_WAY,
    "ENETUNREACH": _NO_WAY,
    "EIO": "the device or its driver fails: look into the node's kernel log (dmesg)",
}
"""What a person can do about an error. Descriptors that run out have a rule of their own."""
