"""The readable section of the gate: which conditions it had, what was found, and what each came to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.report.document import Facts, Section
from kubectl_podtrace.report.model import Gate, GateCondition

TITLE: Final = "Gate"
_ORDER: Final = ("failed", "not_judged", "passed")


def gate(section: Gate) -> Section:
    """The verdict, then each condition with what was found, those that did not pass first."""
    in_order = sorted(section.conditions, key=lambda each: _ORDER.index(each.result))
    pairs = [("verdict", verdict(section)), *((each.result.replace("_", " "), told(each)) for each in in_order)]
    return Section(title=TITLE, blocks=(Facts(pairs=tuple(pairs)),))


def verdict(section: Gate) -> str:
    """What all conditions come to, in one line."""
    if len(section.conditions) == 1:
        what = "does not hold" if section.passed else "holds" if section.failed else "could not be judged"
        return f"{'passed' if section.passed else 'failed'}: its condition {what}"
    number = units.counted(len(section.conditions), "condition")
    if section.passed:
        return f"passed: none of {number} holds"
    return f"failed: of {number} {', '.join(_tally(section))}"


def told(condition: GateCondition) -> str:
    """A condition, what was found, why it could not be judged, and what the number lacks."""
    found = "" if condition.found is None else f"found {_found(condition)}"
    lacks = f" (incomplete: {'; '.join(condition.caveats)})" if condition.caveats else ""
    return f"{condition.condition}: {'; '.join(filter(None, (found, condition.reason)))}{lacks}"


def _tally(section: Gate) -> Iterator[str]:
    if section.failed:
        yield f"{units.count(section.failed)} {'holds' if section.failed == 1 else 'hold'}"
    if section.not_judged:
        yield f"{units.count(section.not_judged)} could not be judged"


def _found(condition: GateCondition) -> str:
    """The number that was found; with all its digits where it would look like the threshold and is not."""
    assert condition.found is not None
    text = _text(condition.found, condition.unit)
    if condition.found != condition.threshold and text == _text(condition.threshold, condition.unit):
        return f"{text} ({units.exact(condition.found, condition.unit)})"
    return text


def _text(number: float, unit: str) -> str:
    if isinstance(number, bool):
        return "true" if number else "false"
    match unit:
        case "ns":
            return units.duration(round(number))
        case "s":
            return units.seconds(number)
        case "bytes":
            return units.size(number)
        case "bytes/s":
            return units.size_rate(number)
        case "1/s":
            return units.rate(number)
        case "ratio":
            return units.ratio(number)
        case _:
            return units.exact(number, unit)
