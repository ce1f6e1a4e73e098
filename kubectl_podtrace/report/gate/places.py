"""Which numbers of a report can be asked for: the names are those of its types, so there is no second list of them."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from enum import Enum
from functools import cache
from typing import Any, Final

from kubectl_podtrace.analysis.findings.finding import SEVERITIES
from kubectl_podtrace.analysis.findings.registry import RULES
from kubectl_podtrace.analysis.selection import Dist
from kubectl_podtrace.errors import UsageError
from kubectl_podtrace.report.amounts import ENDINGS, unit_of
from kubectl_podtrace.report.gate.members import MEMBERS
from kubectl_podtrace.report.model import Report

FINDINGS: Final = "findings"
_OWN: Final = "gate"
"""What the conditions themselves come to: no condition is about that."""
SHARES_OF: Final = {
    "connections.failed_ratio": ("connections.total",),
    "dns.error_ratio": ("dns.lookups",),
    "dns.nxdomain_ratio": ("dns.lookups",),
    "tcp.error_ratio": ("tcp.send.count", "tcp.receive.count"),
    "udp.error_ratio": ("udp.send.count", "udp.receive.count"),
}
"""What the shares are shares of that the report gives as 0 where there is nothing."""
_OF_SAMPLES: Final = frozenset({"avg_ns", "max_ns", "p50_ns", "p95_ns", "p99_ns"})
"""What a distribution does not have without samples; their sum and their count are 0."""
_ENDINGS_HINT: Final = "_ns, _bytes, _ratio, _per_s and _s may be left out"
_SHOWN_MEMBERS: Final = 40


class Kind(Enum):
    """What a number is; the value is its unit in the report."""

    COUNT = "count"
    DURATION = "ns"
    SECONDS = "s"
    SIZE = "bytes"
    SIZE_RATE = "bytes/s"
    RATE = "1/s"
    SHARE = "ratio"
    NUMBER = ""
    FLAG = "true or false"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a number stands in the report.

    `path` are the names as in the JSON export; `member` is the one of an object without fixed names, such as errors, or
    which findings are counted: None stands for all of them together. `taken_from` are the counts of what the number is
    an average, a percentile or a share of: where nothing was counted, there is no such number. `is_list`: the number is
    how many entries a list has.
    """

    path: tuple[str, ...]
    kind: Kind
    member: str | None = None
    taken_from: tuple[tuple[str, ...], ...] = ()
    is_list: bool = False

    @property
    def full_name(self) -> str:
        """As in the JSON export, with a member at its end."""
        return ".".join((*self.path, *((self.member,) if self.member is not None else ())))


def place_of(text: str) -> Place:
    """The place that a path such as `dns.latency.p99` means. Raises `UsageError`, which says what would be right."""
    words = text.split(".")
    path: tuple[str, ...] = ()
    hint: Any = Report
    model: type[Any] = Report
    while words and is_dataclass(hint):
        assert isinstance(hint, type)
        model = hint
        name = _field(model, words[0], path)
        path, words = (*path, name), words[1:]
        hint = _without_none(_hints(model)[name])
    return _end(path, words, hint, model)


def siblings(place: Place) -> tuple[Place, ...]:
    """Numbers beside this one whose names differ from its own by their unit alone, such as `failed_ratio`."""
    if place.member is not None:
        return ()
    parent: Any = Report
    for name in place.path[:-1]:
        parent = _without_none(_hints(parent)[name])
    short = short_name(place.path[-1])
    names = [each for each in _names(parent) if each != place.path[-1] and short_name(each) == short]
    return tuple(place_of(".".join((*place.path[:-1], name))) for name in names)


def steps(beginning: str) -> tuple[tuple[str, Kind | None], ...]:
    """How a path that begins so can go on after its last dot: to numbers, with their kind, and to what has several.

    The latter end with a dot and have no kind. Whether a name begins as what is typed behind the dot is not looked at.
    """
    *words, _ = beginning.split(".")
    path: tuple[str, ...] = ()
    hint: Any = Report
    for word in words:
        try:
            name = _field(hint, word, path) if is_dataclass(hint) and isinstance(hint, type) else ""
        except UsageError:
            return ()
        if not name:
            return ()
        path, hint = (*path, name), _without_none(_hints(hint)[name])
    before = "".join(f"{word}." for word in words)
    if is_dataclass(hint):
        found = ((before + name, _without_none(_hints(hint)[name])) for name in _names(hint))
        return tuple(step for name, below in found for step in _steps(name, below))
    return tuple((before + member, Kind.COUNT) for member in _members(path))


def _steps(name: str, hint: Any) -> list[tuple[str, Kind | None]]:
    if is_dataclass(hint):
        return [(f"{name}.", None)]
    place = place_of(name)
    return [(name, place.kind), *([(f"{name}.", None)] if _members(place.path) else [])]


def _members(path: tuple[str, ...]) -> tuple[str, ...]:
    """The names in an object without fixed ones that are worth telling: nobody asks for one bucket."""
    if path == (FINDINGS,):
        return (*SEVERITIES, *(rule.slug for rule in RULES))
    return tuple(sorted(MEMBERS[path[-1]].names)) if path and path[-1] in MEMBERS and path[-1] != "buckets" else ()


def _end(path: tuple[str, ...], rest: list[str], hint: Any, model: type[Any]) -> Place:
    """The place at the end of the fields' names."""
    where = ".".join(path)
    origin = typing.get_origin(hint)
    if path == (FINDINGS,):
        return _findings(rest)
    if is_dataclass(hint):
        listed = _listed(_names(hint))
        raise UsageError(f"{where} has several numbers: which one?", f"{where} has {listed}; {_ENDINGS_HINT}")
    if origin is dict:
        return _member(path, rest)
    if origin is tuple:
        if rest:
            raise UsageError(
                f"{where} is a list: its entries cannot be asked for", f"{where} alone is how many entries it has"
            )
        return Place(path=path, kind=Kind.COUNT, is_list=True)
    kind = _kind(path[-1], hint)
    if kind is None:
        beside = _listed(_names(model)) or "no numbers at all"
        raise UsageError(f"{where} is no number", f"{'.'.join(path[:-1])} has {beside}")
    if rest:
        raise UsageError(f'{where} is a number: there is no "{".".join(rest)}" in it', f"leave .{'.'.join(rest)} out")
    return Place(path=path, kind=kind, taken_from=_taken_from(path, model))


def _kind(name: str, hint: Any) -> Kind | None:
    if hint is bool:
        return Kind.FLAG
    if hint not in (int, float):
        return None
    unit = unit_of(name, is_whole=hint is int)
    if unit == Kind.SHARE.value and not name.endswith("_ratio"):
        return Kind.NUMBER
    return Kind.COUNT if hint is int and not unit else Kind(unit)


def _taken_from(path: tuple[str, ...], model: type[Any]) -> tuple[tuple[str, ...], ...]:
    if issubclass(model, Dist) and path[-1] in _OF_SAMPLES:
        return ((*path[:-1], "count"),)
    return tuple(tuple(name.split(".")) for name in SHARES_OF.get(".".join(path), ()))


def _findings(rest: list[str]) -> Place:
    if not rest:
        return Place(path=(FINDINGS,), kind=Kind.COUNT)
    member, rules = ".".join(rest), [rule.slug for rule in RULES]
    known = (*SEVERITIES, *rules)
    if member not in known:
        listed = f"severities are {', '.join(SEVERITIES)}, rules are {', '.join(rules)}"
        raise UsageError(f'there are no findings of the kind "{member}"', _did_you_mean(member, known) + listed)
    return Place(path=(FINDINGS,), kind=Kind.COUNT, member=member)


def _member(path: tuple[str, ...], rest: list[str]) -> Place:
    if not rest:
        return Place(path=path, kind=Kind.COUNT)
    member, members = ".".join(rest), MEMBERS[path[-1]]
    if not members.has(member):
        near = _did_you_mean(member, members.names)
        more = ", ..." if len(members.names) > _SHOWN_MEMBERS else ""
        listed = f"{members.what}: {', '.join(sorted(members.names)[:_SHOWN_MEMBERS])}{more}"
        raise UsageError(f'there is no "{member}" in {".".join(path)}', near + listed)
    return Place(path=path, kind=Kind.COUNT, member=member)


def _field(model: type[Any], word: str, path: tuple[str, ...]) -> str:
    """The name of the field that a word means: its own name, or one that has an ending for its unit besides."""
    every = [field.name for field in fields(model) if (*path, field.name) != (_OWN,)]
    if word in every:
        return word
    meant = next((name for name in every if short_name(name) == word), None)
    if meant is not None:
        return meant
    where = ".".join(path)
    names = _names(model)
    what = f'there is no "{word}" in {where}' if where else f'a report has no "{word}"'
    near = _did_you_mean(word, [*names, *map(short_name, names)])
    raise UsageError(what, f"{near}{where or 'it'} has {_listed(names)}" + (f"; {_ENDINGS_HINT}" if where else ""))


def _did_you_mean(word: str, names: Iterable[str]) -> str:
    by_lower = {name.lower(): name for name in names}
    near = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f'did you mean "{by_lower[near[0]]}"? ' if near else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def short_name(name: str) -> str:
    """A name without the ending for its unit."""
    ending = next((each for each in ENDINGS if name.endswith(each)), "")
    return name.removesuffix(ending)


def _names(model: Any) -> tuple[str, ...]:
    """The fields of a model in which there is a number."""
    hints = _hints(model)
    return tuple(
        field.name
        for field in fields(model)
        if (model, field.name) != (Report, _OWN) and _has_number(field.name, _without_none(hints[field.name]))
    )


def _has_number(name: str, hint: Any) -> bool:
    if is_dataclass(hint):
        return bool(_names(hint))
    return typing.get_origin(hint) in (tuple, dict) or _kind(name, hint) is not None


def _without_none(hint: Any) -> Any:
    """What a value is where it is not null."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint
    (only,) = [argument for argument in typing.get_args(hint) if argument is not type(None)]
    return only


_hints: Final[Callable[[Any], dict[str, Any]]] = cache(typing.get_type_hints)
