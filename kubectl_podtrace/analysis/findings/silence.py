"""The rule about traces without a single event: why, as far as that is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Severity, Trouble
from kubectl_podtrace.analysis.findings.observations import Activity, Observations

NO_EVENTS: Final = "no-events"
_NOTHING: Final = "nothing was traced"


def _silent(activity: Activity, seen: Observations) -> Iterator[Trouble]:
    if activity.events or activity.ran or seen.is_running:
        return
    if activity.refusal is not None:
        text, hint = activity.refusal
        yield _trouble("critical", _NOTHING, text, hint or "see the text above")
    elif not activity.answered:
        yield _trouble(
            "critical", _NOTHING, "the tracer never answered", "run again with -v to see what the tracer said"
        )
    elif not activity.started:
        yield _trouble(
            "critical",
            _NOTHING,
            "the stream ended before the probes were attached",
            "run again; if it happens again, run with -v to see how far the tracer came",
        )
    elif activity.is_alive is False or not seen.trust.truncated:
        # Of a target that runs, a stream that was cut off cannot say that it did nothing; that it was cut off is told.
        yield _no_events(activity, f"no events in {units.seconds(seen.duration_s)}")


def _no_events(activity: Activity, title: str) -> Trouble:
    names = ", ".join(activity.containers)
    who = f"container {names}" if names else "the target"
    phase = f" (the pod is {activity.phase})" if activity.phase not in ("", "Running") else ""
    if activity.is_alive is False or not (activity.seen or activity.is_alive):
        check = (
            "check that its process runs (ps)"
            if activity.is_local
            else "check that it runs (kubectl get pod, describe pod)"
        )
        was = "is not running" if activity.is_alive is False else "was not seen running"
        return _trouble("warning", title, f"{who} {was}{phase}", check)
    return _trouble(
        "info",
        title,
        f"{who} did nothing that was traced{phase}",
        "send it traffic while tracing, trace longer, or trace without --filter",
    )


def _trouble(severity: Severity, title: str, why: str, step: str) -> Trouble:
    return Trouble(severity=severity, title=title, fact=why, evidence=why, next_step=step)


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug=NO_EVENTS,
        looks_for="an idle target",
        section=lambda seen: seen.activity,
        check=_silent,
        raised="nothing was counted: the tracer refused or never answered, or, in a trace that was not cut off, the "
        "target was not seen running or was idle",
        severity="critical where nothing was traced; warning where the target was not seen running; info where it was "
        "idle",
        next_step="what the tracer's refusal says; check that the pod runs; send it traffic while tracing",
    ),
)
