"""Rules about descriptors: leaks, tables near their limit, and tables that were full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.descriptors import Descriptors, Leak
from kubectl_podtrace.analysis.findings.culprits import caller
from kubectl_podtrace.analysis.findings.evidence import listed
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.sections import Sections

LEAKED: Final = 10
SOON_S: Final = 3_600
VERY_SOON_S: Final = 600
NEAR_RATIO: Final = 0.8
VERY_NEAR_RATIO: Final = 0.95
RAN_OUT: Final = ("EMFILE", "ENFILE")

_STEPS: Final = {
    "file": "look for files never closed: the paths that are opened most are listed",
    "socket": "look for sockets never closed: unread responses, a client per request",
    "pipe": "look for pipes never closed: the outputs of child processes",
    "other": "look for event loops, timers or watchers made again and again",
}


def _leaks(section: Descriptors, _: Observations) -> Iterator[Trouble]:
    leaks = [leak for leak in section.leaks or () if leak.growth >= LEAKED or _ends_within(leak, SOON_S)]
    if not leaks:
        return
    worst = leaks[0]
    soon = min((leak.exhausted_in_s for leak in leaks if leak.exhausted_in_s is not None), default=None)
    until = f", its limit of {units.count(worst.limit)}" if worst.limit else ""
    if worst.exhausted_in_s is not None:
        until += f" is reached in {units.seconds(worst.exhausted_in_s)}"
    kind = "descriptor" if worst.kind == "other" else worst.kind
    fact = f"{worst.comm} (pid {worst.pid}) {units.counted(worst.growth, kind)} more"
    others = f"; {units.counted(len(leaks) - 1, 'other leak')}" if len(leaks) > 1 else ""
    by = caller(worst.stack or ())
    looked_at = f"{units.count(worst.stack_open)} of {units.count(worst.followed_open)} looked at"
    opened_by = f"; most opened by {by}: {looked_at}" if by else ""
    yield Trouble(
        severity="critical" if soon is not None and soon <= VERY_SOON_S else "warning",
        title="descriptors leak",
        fact=fact,
        evidence=f"{fact} than at the start, growing all the time: {units.count(worst.open)} open"
        f"{until}{opened_by}{others}",
        next_step=f"find who is to close what {by} opens" if by else _STEPS[worst.kind],
    )


def _ends_within(leak: Leak, seconds: float) -> bool:
    return leak.exhausted_in_s is not None and leak.exhausted_in_s <= seconds


def _near(section: Descriptors, _: Observations) -> Iterator[Trouble]:
    full = [table for table in section.fullest if table.share_ratio >= NEAR_RATIO]
    if not full:
        return
    worst = full[0]
    fact = f"{worst.comm} (pid {worst.pid}) has {units.count(worst.open)} of {units.count(worst.limit)} open"
    others = f"; {units.counted(len(full) - 1, 'other process', 'other processes')} too" if len(full) > 1 else ""
    yield Trouble(
        severity="critical" if worst.share_ratio >= VERY_NEAR_RATIO else "warning",
        title="descriptors are near their limit",
        fact=fact,
        evidence=f"{fact} ({units.ratio(worst.share_ratio)}){others}",
        next_step="raise the limit (ulimit -n, the runtime's default), or look for what keeps so many open",
    )


def _ran_out(sections: Sections, _: Observations) -> Iterator[Trouble]:
    opens = sections.files.open.errors if sections.files else {}
    accepts = sections.connections.accept_errors if sections.connections else {}
    errors = {name: opens.get(name, 0) + accepts.get(name, 0) for name in RAN_OUT}
    errors = {name: number for name, number in errors.items() if number}
    if errors:
        yield Trouble(
            severity="critical",
            title="descriptors ran out",
            fact=listed(errors),
            evidence=f"opens or accepts failed for want of a descriptor: {listed(errors)}",
            next_step="look for ones never closed (see the leaks here), or raise the limit (ulimit -n)",
        )


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="descriptors-exhausted",
        looks_for="exhausted descriptors",
        section=lambda seen: seen.sections if seen.sections.files or seen.sections.connections else None,
        check=_ran_out,
        topics=("files", "connections"),
        raised="an open or an accept fails with `EMFILE` or `ENFILE`",
        severity="critical",
        next_step="look for descriptors that are never closed, or raise the limit",
    ),
    Rule(
        slug="descriptor-leak",
        looks_for="descriptor leaks",
        section=lambda seen: seen.sections.descriptors,
        check=_leaks,
        topics=("descriptors",),
        raised="the section *descriptors* has a leak (a kind of which a process had more in each of three windows of "
        f"five seconds) of at least {LEAKED}, or one that reaches the limit within "
        f"{units.limit(SOON_S * units.SECOND_NS)}",
        severity=f"critical where the limit is reached within {units.limit(VERY_SOON_S * units.SECOND_NS)}; else "
        "warning",
        next_step="where it is known which function opens them, find who is to close them; else, by kind, look for "
        "files, sockets or pipes that are never closed",
    ),
    Rule(
        slug="descriptors-near-limit",
        looks_for="descriptors near their limit",
        section=lambda seen: seen.sections.descriptors,
        check=_near,
        topics=("descriptors",),
        explained_by=frozenset({"descriptor-leak", "descriptors-exhausted"}),
        raised=f"a process has {units.ratio_threshold(NEAR_RATIO)} of its `RLIMIT_NOFILE` open",
        severity=f"critical from {units.ratio_threshold(VERY_NEAR_RATIO)} on; else warning",
        next_step="raise the limit, or look for what keeps so many open",
    ),
)
