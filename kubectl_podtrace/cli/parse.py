"""From the text of one argument to its value; every refusal names the text and shows what would be right."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Final

from kubectl_podtrace.errors import UsageError
from kubectl_podtrace.units import MILLISECOND_NS, SECOND_NS
from kubectl_podtrace.wire.topics import FILTERS, TOPICS

MAX_DURATION_NS: Final = 24 * 3600 * SECOND_NS
MIN_LEASE_NS: Final = 5 * SECOND_NS
_UNIT_NS: Final = {"h": 3600 * SECOND_NS, "m": 60 * SECOND_NS, "s": SECOND_NS, "ms": MILLISECOND_NS}
_NUMBER: Final = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)"
_DURATION: Final = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?")
_HOST_AND_PORT: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>[0-9]{1,5})"
)
_DURATION_HINT: Final = "durations look like 10s, 5m, 1h or 1m30s"


class Format(Enum):
    """What a report can be written as; the value is the suffix of its files."""

    TEXT = "txt"
    JSON = "json"
    MARKDOWN = "md"
    CSV = "csv"
    HTML = "html"
    SPEEDSCOPE = "speedscope.json"
    FOLDED = "folded"


EXPORTS: Final = {export.value.partition(".")[0]: export for export in Format if export is not Format.TEXT}
_OF_STACKS: Final = frozenset({Format.SPEEDSCOPE, Format.FOLDED})
_BY_SUFFIX: Final = sorted(Format, key=lambda each: -len(each.value))
"""Longer ones first: one may end as another one does."""
_EXPORT_HINT: Final = (
    "--export takes json, md, csv, html, speedscope or folded; -o takes one of these, or a file that ends in "
    ".html, .json, .md, .csv, .txt, .speedscope.json or .folded"
)


@dataclass(frozen=True, kw_only=True)
class Output:
    """Which report is wanted, and where: `path` None is stdout."""

    format: Format
    path: Path | None = None


@dataclass(frozen=True, kw_only=True)
class MetricsAddress:
    """Where metrics are to be served; port 0 is any that is free. `text` is how it was typed."""

    host: str
    port: int
    text: str


def parse_metrics_address(text: str) -> MetricsAddress:
    """The value of --metrics-address."""
    hint = "HOST:PORT, such as 127.0.0.1:9090, [::1]:9090 or, for any port that is free, 127.0.0.1:0"
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None:
        raise UsageError(f'"{text}" is not an address for metrics', hint)
    host, port = found["v6"] or found["host"], int(found["port"])
    if port >= 2**16:
        raise UsageError(f'"{text}" is not an address for metrics: ports end at {2**16 - 1}', hint)
    return MetricsAddress(host=host, port=port, text=text)


def parse_duration(text: str) -> int:
    """A duration such as `1m30s` in nanoseconds."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise UsageError(f'"{text}" is not a duration', _DURATION_HINT)
    parts = zip(found.groups(), _UNIT_NS.values(), strict=True)
    total_ns = int(sum(Fraction(number) * unit for number, unit in parts if number))
    if total_ns <= 0:
        raise UsageError(f'the duration "{text}" is no time at all', _DURATION_HINT)
    if total_ns > MAX_DURATION_NS:
        raise UsageError(f'the duration "{text}" is too long: a trace lasts 24h at most', _DURATION_HINT)
    return total_ns


def parse_lease(text: str) -> int:
    """The value of --lease in nanoseconds; several pings fit into the shortest."""
    lease_ns = parse_duration(text)
    if lease_ns < MIN_LEASE_NS:
        raise UsageError(f'the lease "{text}" is too short: a moment\'s trouble would end the trace', "5s or more")
    return lease_ns


def parse_timeout(text: str) -> float | None:
    """The value of --request-timeout in seconds, as kubectl reads it: a number of seconds or a duration; 0 is none."""
    if re.fullmatch(r"0[a-z]{0,2}", text):
        return None
    return parse_duration(text + "s" if re.fullmatch(r"[0-9]+", text) else text) / 1e9


def parse_milliseconds(text: str) -> int:
    """A threshold typed in milliseconds, in nanoseconds."""
    value = _number(text)
    if not 1e-6 <= value < MAX_DURATION_NS / 1e6:
        raise UsageError(f'"{text}" is not a threshold in milliseconds', "a number above 0, such as 10 or 0.5")
    return round(value * 1e6)


def parse_percent(text: str) -> float:
    """A share typed in percent, 0 to 100; it stays in percent."""
    value = _number(text)
    if not 0 <= value <= 100:
        raise UsageError(f'"{text}" is not a percentage', "a number from 0 to 100, such as 10 or 0.5")
    return value


def parse_overhead(text: str) -> int:
    """A share of the node's CPU time typed in percent, in millionths; what is above 0 stays above 0."""
    percent = parse_percent(text)
    return max(round(percent * 10_000), 1) if percent else 0


def _number(text: str) -> float:
    """The number, or NaN, which is in no range."""
    try:
        return float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return math.nan


def parse_pid(text: str) -> int:
    """A process id."""
    if re.fullmatch(r"[0-9]{1,10}", text) is None or not 0 < int(text) < 2**31:
        raise UsageError(f'"{text}" is not a process id')
    return int(text)


def parse_filters(text: str) -> tuple[str, ...]:
    """A comma list of filters, in the order in which this version lists them and each once."""
    names = {name.strip() for name in text.split(",")}
    for name in sorted(names):
        _check_filter(name)
    return tuple(name for name in FILTERS if name in names)


def topics_of(filters: tuple[str, ...]) -> tuple[str, ...]:
    """The topics that filters stand for; all of them without any filter."""
    return tuple(topic for name in filters for topic in FILTERS[name]) or TOPICS


def _check_filter(name: str) -> None:
    if name in FILTERS:
        return
    existing = f"--filter takes any of {', '.join(FILTERS)}, with commas between"
    if not name:
        raise UsageError("--filter has an empty place in its list", existing)
    near = get_close_matches(name.lower(), FILTERS, n=1, cutoff=0.5)
    meant = f'did you mean "{near[0]}"? ' if near else ""
    raise UsageError(f'there is no filter "{name}"', meant + existing)


def parse_output(export: str | None, output: str | None) -> Output:
    """What --export and -o ask for together."""
    exported = None if export is None else _exported(export)
    if output is None:
        return Output(format=exported or Format.TEXT)
    if output in EXPORTS:
        return Output(format=_agreed(exported, EXPORTS[output], output))
    path = Path(output)
    by_suffix = next((each for each in _BY_SUFFIX if path.name.lower().endswith(f".{each.value}")), None)
    if by_suffix is None:
        raise UsageError(f'"{output}" does not say what to write: {_what_ends(path)}', _EXPORT_HINT)
    return Output(format=_agreed(exported, by_suffix, output), path=path)


def check_stacks(output: Output, topics: tuple[str, ...]) -> None:
    """Raises UsageError where only stacks are wanted, and none would be taken."""
    if output.format not in _OF_STACKS:
        return
    from kubectl_podtrace.report.profiles import TOPICS as TOPICS_WITH_STACKS

    if not TOPICS_WITH_STACKS & set(topics):
        raise UsageError("there are no stacks of these topics to be exported", "--filter with cpu, net, dns or fs")


def parse_events_csv(text: str | None, output: str | None) -> Path | None:
    """The value of --events-csv beside that of -o."""
    if text is None:
        return None
    if not text or text == "-":
        raise UsageError("--events-csv needs a file: stdout is the report's", "--events-csv events.csv")
    if output is not None and Path(text).resolve() == Path(output).resolve():
        raise UsageError(f'"{text}" cannot hold both the report and the events', "name two files")
    return Path(text)


def _exported(export: str) -> Format:
    found = EXPORTS.get(export)
    if found is None:
        raise UsageError(f'reports are not exported as "{export}"', _EXPORT_HINT)
    return found


def _what_ends(path: Path) -> str:
    return f"reports are not written as {path.suffix}" if path.suffix else "its name has no suffix"


def _agreed(exported: Format | None, named: Format, output: str) -> Format:
    if exported not in {None, named}:
        raise UsageError(f'--export and -o "{output}" ask for two formats', "give one of them")
    return named
