"""Judges a report by conditions: what holds fails, and so does what the report cannot tell."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.doubts import doubts_of
from kubectl_podtrace.analysis.findings.finding import SEVERITIES
from kubectl_podtrace.analysis.findings.registry import RULES
from kubectl_podtrace.analysis.findings.silence import NO_EVENTS
from kubectl_podtrace.analysis.sections import TOPICS_OF_SECTIONS
from kubectl_podtrace.analysis.trust import ProbeState, shed_note
from kubectl_podtrace.report.gate.conditions import Condition, Operator
from kubectl_podtrace.report.gate.places import FINDINGS, Kind, Place
from kubectl_podtrace.report.gate.quantities import Limit
from kubectl_podtrace.report.model import Gate, GateCondition, Report

_COMPARE: Final[dict[Operator, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
COUNTED_BY: Final = {
    "tcp.retransmits": "raw_tracepoint:tcp_retransmit_skb",
    "tcp.resets_sent": "raw_tracepoint:tcp_send_reset",
    "tcp.resets_received": "raw_tracepoint:tcp_receive_reset",
    "udp.drops": "raw_tracepoint:udp_fail_queue_rcv_skb",
    "lifecycle.oom_kills": "raw_tracepoint:mark_victim",
    "locks.timeouts": "raw_tracepoint:sched_waking",
    "cpu.samples": "perf_event:cpu_clock",
    "cpu.top_functions": "perf_event:cpu_clock",
}
"""Numbers that hold nothing without one probe, which their section can do without."""
_OVER_TIME: Final = frozenset({"timeline", "network_io"})
"""Sections that do not know of the time in which lines are missing."""
_IF_ANY: Final = 'where that is no failure, end the condition with "if any"'

Found = int | float | bool


def judged(report: Report, conditions: Sequence[Condition]) -> Report:
    """The report with its gate, where conditions were given: the first line tells of it, too."""
    if not conditions:
        return report
    gate = judge(report, conditions)
    verdict = f"{report.headline.verdict}; the gate {'passed' if gate.passed else 'failed'}"
    return replace(report, headline=replace(report.headline, verdict=verdict), gate=gate)


def judge(report: Report, conditions: Sequence[Condition]) -> Gate:
    """What the conditions come to."""
    doubt = _doubt(report)
    found = tuple(_judged(report, condition, doubt) for condition in conditions)
    return Gate(
        passed=all(each.result == "passed" for each in found),
        failed=sum(each.result == "failed" for each in found),
        not_judged=sum(each.result == "not_judged" for each in found),
        conditions=found,
    )


def _judged(report: Report, condition: Condition, doubt: str) -> GateCondition:
    place = condition.place
    is_empty = _is_empty(report, place)
    found = None if is_empty else _found(report, place)
    described = GateCondition(
        condition=condition.text,
        path=place.full_name,
        operator=condition.operator,
        threshold=_plain(condition.limit),
        found=found,
        unit="" if place.kind is Kind.FLAG else place.kind.value,
        result="passed",
        reason="",
        caveats=tuple(_caveats(report, place)),
    )
    unknown = _why_unknown(report, place) if found is None and not is_empty else _why_unseen(report, place)
    if unknown:
        return replace(described, result="not_judged", reason=doubt or unknown)
    if found is not None and _COMPARE[condition.operator](_exact(found), condition.limit):
        return replace(described, result="failed", caveats=(*((doubt,) if doubt else ()), *described.caveats))
    # Nothing was found that fails: whether that is worth something is the question.
    if doubt or (is_empty and not condition.if_any):
        return replace(described, result="not_judged", reason=doubt or f"{_nothing(place)} ({_IF_ANY})")
    return replace(described, reason=_nothing(place)) if is_empty else described


def _found(report: Report, place: Place) -> Found | None:
    """The number in the report; None where it, or something that it is a part of, is null."""
    if place.path == (FINDINGS,):
        return sum(place.member in (None, each.severity, each.rule) for each in report.findings)
    value: Any = report
    for name in place.path:
        value = getattr(value, name)
        if value is None:
            return None
    if isinstance(value, dict):
        counts: dict[str, int] = {str(key): count for key, count in value.items()}
        return sum(counts.values()) if place.member is None else counts.get(place.member, 0)
    return len(value) if place.is_list else _number(value)


def _number(value: Any) -> Found:
    assert isinstance(value, int | float), value
    return value


def _is_empty(report: Report, place: Place) -> bool:
    """Whether there was nothing that the number could be taken from; not where it is unknown how much there was."""
    counts = [_found(report, Place(path=path, kind=Kind.COUNT)) for path in place.taken_from]
    return bool(counts) and all(count is not None and not count for count in counts)


def _nothing(place: Place) -> str:
    return "there was nothing to take a share of" if place.kind is Kind.SHARE else "nothing was timed"


def _exact(found: Found) -> Limit:
    """A number as the report shows it: 0.01 is one hundredth, and not the binary fraction next to it."""
    return found if isinstance(found, bool) else Fraction(repr(found))


def _plain(limit: Limit) -> Found:
    if isinstance(limit, bool):
        return limit
    return limit.numerator if limit.denominator == 1 else float(limit)


def _doubt(report: Report) -> str:
    """Why nothing that was not found in this report can be relied on; nothing where it can.

    What was given up to save the node's time is told by the numbers that it touches, and is no reason to doubt others.
    """
    shed = {shed_note(each) for each in report.cost.shed}
    broken = [note for note in report.trust.notes if note not in shed]
    if broken:
        return f"the trace is incomplete: {broken[0]}"
    silence = next((finding for finding in report.findings if finding.rule == NO_EVENTS), None)
    return f"{silence.title}: {silence.evidence}" if silence else ""


def _why_unknown(report: Report, place: Place) -> str:
    """Why there is no such number."""
    section = place.path[0]
    topics = TOPICS_OF_SECTIONS.get(section, frozenset())
    required = [probe for probe in report.trust.probes if probe.required and probe.topic in topics]
    absent = next((probe for probe in required if not probe.attached), None)
    if getattr(report, section) is None and absent is not None:
        return f"{section} could not be measured: {_absent(absent)}"
    return f"there is no {place.full_name} in this trace: it is null in the report"


def _why_unseen(report: Report, place: Place) -> str:
    """Why a number is worth nothing although there is one; nothing where it is."""
    probe = next((probe for probe in report.trust.probes if probe.name == COUNTED_BY.get(place.full_name)), None)
    if probe is not None and not probe.attached:
        return f"{probe.costs}: {_absent(probe)}"
    is_rule = place.path[0] == FINDINGS and place.member not in (None, *SEVERITIES)
    return "this rule had nothing to look at" if is_rule and place.member not in report.looked_for else ""


def _absent(probe: ProbeState) -> str:
    return f"{probe.name} is absent ({probe.reason})"


def _caveats(report: Report, place: Place) -> Iterator[str]:
    """What is known to be missing of a number, in words."""
    section = place.path[0]
    partial = getattr(getattr(report, section), "partial", ())
    yield from doubts_of(report.trust, _topics(report, place), partial, is_running=True)
    if section in _OVER_TIME and report.trust.missing_lines:
        yield f"{units.counted(report.trust.missing_lines, 'line')} missing, whose time it does not know"


def _topics(report: Report, place: Place) -> frozenset[str]:
    """The topics that a number is made of."""
    section, traced = place.path[0], frozenset(report.settings.topics)
    if section == FINDINGS:
        rule = next((rule for rule in RULES if rule.slug == place.member), None)
        return frozenset(rule.topics) if rule else traced
    return traced if section == "summary" else traced & TOPICS_OF_SECTIONS.get(section, frozenset())
