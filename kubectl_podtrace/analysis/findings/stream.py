"""Rules about the trace itself: numbers that are incomplete, and operations that pass by what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.trust import Trust

LOST_RATIO: Final = 0.01
BYPASS_RATIO: Final = 0.01
_SHOWN_NOTES: Final = 3


def _incomplete(section: Trust, seen: Observations) -> Iterator[Trouble]:
    if seen.is_running or not seen.activity.started:
        return
    missing, events = section.lost + section.dropped, seen.activity.events
    is_much = missing > LOST_RATIO * (missing + events)
    unmeasured = sorted({probe.topic for probe in section.probes if probe.required and not probe.attached})
    reasons = list(section.notes[:_SHOWN_NOTES])
    if is_much:
        reasons.append(
            f"{units.count(section.lost)} events lost in the kernel, {units.count(section.dropped)} dropped by the "
            "tracer"
        )
    if unmeasured:
        reasons.append(f"not measured: {', '.join(unmeasured)}, a required probe is absent")
    if reasons:
        yield Trouble(
            severity="warning" if section.truncated or is_much else "info",
            title="the trace is incomplete",
            fact=reasons[0],
            evidence="; ".join(reasons),
            next_step=_step(section, is_much=is_much),
        )


def _step(section: Trust, *, is_much: bool) -> str:
    if section.truncated:
        return "trace again; if it happens again, -v tells what became of the tracer"
    if is_much:
        return "narrow it: --filter with fewer topics, or one container"
    return "see Trust for what it touches; --max-overhead and --filter decide what is given up"


def _bypassed(section: Trust, seen: Observations) -> Iterator[Trouble]:
    number = section.bypassed_operations
    if number <= BYPASS_RATIO * (number + seen.activity.events):
        return
    what = ", ".join(f"{units.count(bypass.count)} {bypass.what}" for bypass in section.bypassed)
    yield Trouble(
        severity="info",
        title="io_uring is in use",
        fact=f"{units.counted(number, 'operation')} in no number here",
        evidence=f"{what}; beside {units.counted(seen.activity.events, 'event')} that are counted",
        next_step="read the numbers of these topics as a part; many programs can do without io_uring "
        "(UV_USE_IO_URING=0, io_method=worker)",
    )


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="trace-incomplete",
        looks_for="an incomplete trace",
        section=lambda seen: seen.trust,
        check=_incomplete,
        raised="the stream has no end or does not agree with itself, probes were shed or a required one is absent, "
        f"or more than {units.ratio_threshold(LOST_RATIO)} of the events were lost",
        severity="warning where it was cut off or much was lost; else info",
        next_step="trace again, or narrower (`--filter`, one container)",
    ),
    Rule(
        slug="io-uring",
        looks_for="io_uring",
        section=lambda seen: seen.trust,
        check=_bypassed,
        raised=f"more than {units.ratio_threshold(BYPASS_RATIO)} of all operations pass through io_uring and are in no "
        "number",
        severity="info",
        next_step="read the numbers of the topics that it names as a part of what happened",
    ),
)
