"""From the text of a condition's limit to an exact number in the unit that the report's number has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from kubectl_podtrace.errors import UsageError
from kubectl_podtrace.report.gate.places import Kind, Place
from kubectl_podtrace.units import MICROSECOND_NS, MILLISECOND_NS, SECOND_NS

Limit = Fraction | bool

_SIGNED: Final = frozenset({"growth", "exit_status"})
"""Numbers that may be below 0."""
_PART: Final = re.compile(r"([0-9]{1,3}(?:_[0-9]{3}){1,5}|[0-9]{1,18})(\.[0-9]{1,40})? ?([A-Za-zµμ%/]*)")
_DURATIONS: Final = {
    "h": Fraction(3600 * SECOND_NS),
    "m": Fraction(60 * SECOND_NS),
    "s": Fraction(SECOND_NS),
    "ms": Fraction(MILLISECOND_NS),
    "us": Fraction(MICROSECOND_NS),
    "µs": Fraction(MICROSECOND_NS),
    "μs": Fraction(MICROSECOND_NS),
    "ns": Fraction(1),
}
"""The longest first. Of µ there are two: the micro sign and the Greek letter."""
_SIZES: Final = {
    "B": Fraction(1),
    **{f"{prefix}iB": Fraction(1024**power) for power, prefix in enumerate("KMGT", start=1)},
    **{f"{prefix}B": Fraction(1000**power) for power, prefix in enumerate("kMGT", start=1)},
}


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """What a kind of number is measured in: `units` and what each is in the report's own; `hint` shows some."""

    units: dict[str, Fraction]
    hint: str


_SCALES: Final[dict[Kind, _Scale]] = {
    Kind.COUNT: _Scale(units={"": Fraction(1)}, hint="a whole number such as 5 or 10_000"),
    Kind.NUMBER: _Scale(units={"": Fraction(1)}, hint="a number such as 2 or 0.5"),
    Kind.DURATION: _Scale(units=_DURATIONS, hint="a duration in ns, us (µs), ms, s, m or h, such as 50ms or 1m30s"),
    Kind.SECONDS: _Scale(
        units={unit: scale / SECOND_NS for unit, scale in _DURATIONS.items()},
        hint="a duration in ns, us (µs), ms, s, m or h, such as 50ms or 1m30s",
    ),
    Kind.SIZE: _Scale(units=_SIZES, hint="a size in B, KiB, MiB, GiB, TiB, kB, MB, GB or TB, such as 64MiB"),
    Kind.SIZE_RATE: _Scale(
        units=_SIZES | {f"{unit}/s": scale for unit, scale in _SIZES.items()},
        hint="a size per second in B, KiB, MiB, GiB, TiB, kB, MB, GB or TB, such as 10MiB/s",
    ),
    Kind.RATE: _Scale(units={"": Fraction(1), "/s": Fraction(1)}, hint="a number per second such as 10/s or 0.5"),
    Kind.SHARE: _Scale(
        units={"": Fraction(1), "%": Fraction(1, 100)}, hint="a share such as 1%, or with a point: 0.01 (1.0 is 100%)"
    ),
}


def limit_of(text: str, place: Place) -> Limit:
    """What a number is compared with, exactly and in its own unit. Raises `UsageError` for what does not fit."""
    name = place.full_name
    if place.kind is Kind.FLAG:
        if text not in {"true", "false"}:
            raise UsageError(f'{name} is true or false, and never "{text}"', f"{name} == true, or == false")
        return text == "true"
    scale = _SCALES[place.kind]
    if "," in text:
        raise UsageError(f'"{text}" could be read in two ways', "thousands are 10_000, fractions are 0.5")
    is_negative = text.startswith("-")
    if is_negative and place.path[-1] not in _SIGNED:
        raise UsageError(f"{name} is never below 0", scale.hint)
    number = _sum_of_parts(text.removeprefix("-"), place, scale)
    return -number if is_negative else number


def _sum_of_parts(text: str, place: Place, scale: _Scale) -> Fraction:
    """`1m30s` has two parts, everything else one."""
    name = place.full_name
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise UsageError(f'"{text}" is not a number', f"{name} is compared with {scale.hint}")
    _check_units([part[3] for part in parts], text, place, scale)
    if place.kind is Kind.COUNT and parts[0][2]:
        raise UsageError(f'{name} is a count, and never "{text}"', scale.hint)
    if place.kind is Kind.SHARE and not parts[0][3] and not parts[0][2] and int(parts[0][1]):
        raise UsageError(f"{text} can be {text}% or {int(parts[0][1])}00%", scale.hint)
    return sum((_number(part) * scale.units.get(part[3], 1) for part in parts), start=Fraction(0))


def _check_units(units: list[str], text: str, place: Place, scale: _Scale) -> None:
    name = place.full_name
    wrong = next((unit for unit in units if unit not in scale.units), None)
    if wrong == "" and not any(character in "123456789" for character in text):
        return  # nothing is nothing in every unit
    if wrong == "":
        raise UsageError(f"{text} of what? {name} has a unit", f"{name} is compared with {scale.hint}")
    if wrong is not None:
        raise UsageError(f'"{wrong}" does not fit: {name} is {_KINDS[place.kind]}', f"compare it with {scale.hint}")
    order = [list(_DURATIONS).index(unit) for unit in units if unit in _DURATIONS]
    if len(units) > 1 and (len(order) < len(units) or sorted(set(order)) != order):
        raise UsageError(f'"{text}" is not a number', f"{name} is compared with {scale.hint}")


def _number(part: re.Match[str]) -> Fraction:
    return Fraction(part[1].replace("_", "") + (part[2] or ""))


_KINDS: Final = {
    Kind.COUNT: "a count",
    Kind.NUMBER: "a number without a unit",
    Kind.DURATION: "a duration",
    Kind.SECONDS: "a duration",
    Kind.SIZE: "a size",
    Kind.SIZE_RATE: "a size per second",
    Kind.RATE: "a number per second",
    Kind.SHARE: "a share",
}
