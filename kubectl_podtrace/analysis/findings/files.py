"""Rules about files: errors, storage that is full or broken, operations that are slow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.files import Files
from kubectl_podtrace.analysis.findings import failures
from kubectl_podtrace.analysis.findings.culprits import culprit
from kubectl_podtrace.analysis.findings.evidence import (
    AT_LEAST,
    CRITICAL_RATIO,
    FEW,
    GRADED,
    listed,
    share,
    share_of_time,
    worst,
)
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.selection import OTHER, Op, SlowOp

SLOW_RATIO: Final = 0.01
STALL_FACTOR: Final = 100
"""One operation that took so many times its threshold is worth a finding by itself."""
EFFECT_RATIO: Final = 0.01
CRITICAL_EFFECT_RATIO: Final = 0.1
"""Shares of the trace's time that all operations of a kind took together."""

SEARCHING: Final = frozenset({"ENOENT", "ENOTDIR"})
"""Programs look for files along search paths: not finding one is no failure."""
CLAIMING: Final = frozenset({"EEXIST", "ENXIO", "ELOOP"})
"""Others made the file first, a terminal or a reader is not there, a link is not to be followed: planned answers."""
ANOTHER_WAY: Final = frozenset({"EXDEV", "EOPNOTSUPP", "EINVAL", "ENOSYS"})
"""How copying programs learn that they have to read and write by themselves."""
FULL: Final = ("ENOSPC", "EDQUOT", "EIO")


def _operations(section: Files) -> tuple[tuple[str, Op, frozenset[str]], ...]:
    """What they are called, and the errors that are part of a program's plan."""
    return (
        ("file reads", section.read, ANOTHER_WAY),
        ("file writes", section.write, ANOTHER_WAY | frozenset(FULL)),
        ("fsyncs", section.fsync, frozenset(FULL)),
        ("file opens", section.open, SEARCHING | CLAIMING | frozenset({*FULL, "EMFILE", "ENFILE"})),
        ("unlinks", section.unlink, SEARCHING | frozenset({"EISDIR"})),
        ("renames", section.rename, SEARCHING | CLAIMING | ANOTHER_WAY | frozenset({*FULL, "ENOTEMPTY"})),
    )


def _errors(section: Files, seen: Observations) -> Iterator[Trouble]:
    for name, operation, expected in _operations(section):
        where = _failed_path(section) if operation is section.open else ""
        threshold = seen.settings.error_threshold_ratio
        yield from failures.failing(name, operation, threshold, expected=expected, where=where)


def _failed_path(section: Files) -> str:
    failing = worst((entry for entry in section.top_opened if entry.path != OTHER), lambda entry: entry.failed)
    return f", most for {failing.path}" if failing else ""


def _storage(section: Files, _: Observations) -> Iterator[Trouble]:
    touched = (section.write, section.fsync, section.open, section.rename)
    errors = {name: sum(operation.errors.get(name, 0) for operation in touched) for name in FULL}
    errors = {name: number for name, number in errors.items() if number}
    if not errors:
        return
    most = max(errors, key=lambda name: errors[name])
    what = "the storage fails" if most == "EIO" else "no space is left"
    yield Trouble(
        severity="critical",
        title=what,
        fact=listed(errors),
        evidence=f"writes, fsyncs, opens or renames failed: {listed(errors)}; what was not written is lost",
        next_step=failures.STEPS[most],
    )


def _slow(section: Files, seen: Observations) -> Iterator[Trouble]:
    for name, operation in (("reads", section.read), ("writes", section.write), ("fsyncs", section.fsync)):
        if _is_slow(operation, section.slow_threshold_ns, seen.duration_s):
            by = culprit(seen.sections.stacks, f"files.{name.removesuffix('s')}")
            yield _slow_trouble(name, operation, section, seen.duration_s, f", mostly from {by}" if by else "")


def _is_slow(operation: SlowOp, limit_ns: int, duration_s: float) -> bool:
    if not operation.slow:
        return False
    if operation.latency.max_ns >= STALL_FACTOR * max(limit_ns, 1):
        return True
    is_often = operation.slow >= AT_LEAST and operation.slow > SLOW_RATIO * operation.latency.count
    return is_often and share_of_time(operation.latency.sum_ns, duration_s) > EFFECT_RATIO


def _slow_trouble(name: str, operation: SlowOp, section: Files, duration_s: float, caller: str) -> Trouble:
    latency = operation.latency
    slowest = worst((file for file in section.top_files if file.path != OTHER), lambda file: file.slow)
    where = f", most slow operations on {slowest.path}" if slowest else ""
    of_all = f"{share(operation.slow, latency.count)} took longer than {units.threshold(section.slow_threshold_ns)}"
    is_most = latency.count >= FEW and operation.slow >= CRITICAL_RATIO * latency.count
    longest = units.duration(latency.max_ns)
    is_much = share_of_time(latency.sum_ns, duration_s) >= CRITICAL_EFFECT_RATIO
    return Trouble(
        severity="critical" if is_most and is_much else "warning",
        title=f"{name} are slow",
        fact=f"{of_all}, max {longest}",
        evidence=f"{of_all}: p99 {units.duration(latency.p99_ns)}, max {longest}, "
        f"{units.duration(latency.sum_ns)} in all{where}{caller}",
        next_step="check the volume (type, IOPS limit)"
        + (" and whether each fsync is needed" if name == "fsyncs" else " and other users of its disk"),
    )


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="storage-failed",
        looks_for="full or failing storage",
        section=lambda seen: seen.sections.files,
        check=_storage,
        topics=("files",),
        raised=f"a write, fsync, open or rename fails with {', '.join(f'`{name}`' for name in FULL)}",
        severity="critical",
        next_step="free space, raise the volume's size or quota; for `EIO` look into the node's kernel log",
    ),
    Rule(
        slug="file-errors",
        looks_for="file errors",
        section=lambda seen: seen.sections.files,
        check=_errors,
        topics=("files",),
        raised=f"{failures.RAISED}, such as `ENOENT` of opens",
        severity=GRADED,
        next_step="by error: check the container's user, file modes and read-only mounts",
    ),
    Rule(
        slug="slow-files",
        looks_for="slow file operations",
        section=lambda seen: seen.sections.files,
        check=_slow,
        topics=("files",),
        raised=f"at least {AT_LEAST} reads, writes or fsyncs, and more than {units.ratio_threshold(SLOW_RATIO)} of "
        "their kind, take longer than `--fs-threshold`, and their kind takes more than "
        f"{units.ratio_threshold(EFFECT_RATIO)} of the trace's time; or one takes {STALL_FACTOR} times the threshold",
        severity=f"critical where {units.ratio_threshold(CRITICAL_RATIO)} of at least {FEW} are slow and take "
        f"{units.ratio_threshold(CRITICAL_EFFECT_RATIO)} of the time; else warning",
        next_step="check the volume (type, IOPS limit), other users of its disk, and whether each fsync is needed",
    ),
)
