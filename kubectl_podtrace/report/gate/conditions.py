"""From the words of a condition to what it means; a condition that cannot be meant is refused before any trace."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, get_args

from kubectl_podtrace.analysis.findings.registry import RULES
from kubectl_podtrace.analysis.sections import TOPICS_OF_SECTIONS
from kubectl_podtrace.errors import UsageError
from kubectl_podtrace.report.gate.places import FINDINGS, Kind, Place, place_of, siblings
from kubectl_podtrace.report.gate.quantities import Limit, limit_of
from kubectl_podtrace.wire.topics import FILTERS, TOPICS

Operator = Literal[">", ">=", "<", "<=", "==", "!="]
OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
_SHAPE: Final = re.compile(r"([^\s<>=!≥≤]+)\s*([<>=!≥≤]+)\s*(.*?)(\s+if\s+any)?")
_SHAPE_HINT: Final = "a condition is a name, an operator and a limit: dns.latency.p99 > 50ms"
_MEANT: Final[dict[str, Operator]] = {"=": "==", "=>": ">=", "=<": "<=", "≥": ">=", "≤": "<=", "<>": "!=", "===": "=="}
_OF_CLUSTER: Final = frozenset({"kubernetes_events", "cleanup"})
_OF_LOCAL_MODE: Final = frozenset({"pid", "exit_status"})
"""Of `target`: what only local mode knows."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """The gate fails where the number at `place` is (`operator`) the `limit`, which is in the number's own unit.

    `text` is what was typed, with single spaces. `if_any`: it also passes where there was
    nothing that the number could be taken from.
    """

    text: str
    place: Place
    operator: Operator
    limit: Limit
    if_any: bool = False


def parse_condition(text: str, *, topics: Collection[str] = TOPICS, in_cluster: bool = True) -> Condition:
    """One condition for a trace of these topics. Raises `UsageError`, which says what would be right."""
    shape = _SHAPE.fullmatch(text.strip())
    if shape is None or not shape[3]:
        raise UsageError("this is no condition", _SHAPE_HINT)
    place = place_of(shape[1])
    _check_is_traced(place, topics, in_cluster=in_cluster)
    operator = _operator(shape[2], place)
    if shape[4] and not place.taken_from:
        raise UsageError(f'"if any" does not fit: {place.full_name} is 0 where there is nothing', 'leave "if any" out')
    return Condition(
        text=" ".join((shape[1], operator, *shape[3].split(), *(("if any",) if shape[4] else ()))),
        place=place,
        operator=operator,
        limit=_limit(shape[3], place),
        if_any=bool(shape[4]),
    )


def _operator(text: str, place: Place) -> Operator:
    operator = next((each for each in OPERATORS if each == text), None)
    if operator is None:
        meant = f'did you mean "{_MEANT[text]}"? ' if text in _MEANT else ""
        raise UsageError(f'there is no operator "{text}"', f"{meant}operators are {', '.join(OPERATORS)}")
    if place.kind is Kind.FLAG and operator not in {"==", "!="}:
        raise UsageError(f'"{operator}" does not fit: {place.full_name} is true or false', "operators are == and !=")
    return operator


def _limit(text: str, place: Place) -> Limit:
    try:
        return limit_of(text, place)
    except UsageError as error:
        fitting = [sibling.full_name for sibling in siblings(place) if _fits(text, sibling)]
        if fitting:
            raise UsageError(error.message, f"{error.hint}; or did you mean {' or '.join(fitting)}?") from None
        raise


def _fits(text: str, place: Place) -> bool:
    try:
        limit_of(text, place)
    except UsageError:
        return False
    return True


def _check_is_traced(place: Place, topics: Collection[str], *, in_cluster: bool) -> None:
    """Whether the trace will have such a number at all."""
    section = place.path[0]
    if section == FINDINGS:
        wanted = next((frozenset(rule.topics) for rule in RULES if rule.slug == place.member), frozenset[str]())
    else:
        wanted = TOPICS_OF_SECTIONS.get(section, frozenset[str]())
    if wanted and not wanted & set(topics):
        names = [name for name, behind in FILTERS.items() if wanted & set(behind)]
        raise UsageError(
            f"--filter leaves out what {place.full_name} is about", f"add {' or '.join(names)} to --filter"
        )
    if not in_cluster and section in _OF_CLUSTER:
        raise UsageError(f"{place.full_name} is about a cluster: local mode has none", "leave it out")
    if in_cluster and section == "target" and place.path[-1] in _OF_LOCAL_MODE:
        raise UsageError(f"{place.full_name} is known in local mode only", "leave it out")
