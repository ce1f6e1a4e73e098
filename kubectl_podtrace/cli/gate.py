"""`--fail-on`: its conditions from flags and files, and what a gate means for the exit code."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from kubectl_podtrace.errors import GateFailedError, UsageError

if TYPE_CHECKING:
    from kubectl_podtrace.report.gate.conditions import Condition
    from kubectl_podtrace.report.model import Gate

FLAG = "--fail-on"
_COMMENT = "#"


def parse_gate(given: Sequence[str], *, topics: Collection[str], in_cluster: bool) -> tuple[Condition, ...]:
    """The conditions of all flags, those of files among them. Raises `UsageError` for the first that is wrong."""
    if not given:
        return ()
    # Knows the whole report, which --help has no use for.
    from kubectl_podtrace.report.gate.conditions import parse_condition

    conditions = []
    for origin, text in _texts(given):
        try:
            conditions.append(parse_condition(text, topics=topics, in_cluster=in_cluster))
        except UsageError as error:
            raise UsageError(f'{origin} "{text}": {error.message}', error.hint) from None
    return tuple(conditions)


def _texts(given: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each condition as it was typed, and where it stands."""
    for text in given:
        if text.startswith("@"):
            yield from _lines(text.removeprefix("@"))
        else:
            yield FLAG, text


def _lines(name: str) -> Iterator[tuple[str, str]]:
    try:
        lines = Path(name).read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(f"{FLAG} cannot read {name}: {error.strerror}", f"{FLAG} @FILE reads a file") from None
    except ValueError:
        raise UsageError(f"{FLAG} cannot read {name}: it is not UTF-8 text", "one condition a line") from None
    stripped = [line.partition(_COMMENT)[0].strip() for line in lines]
    if not any(stripped):
        raise UsageError(f"there is no condition in {name}: such a gate would always pass", "one condition a line")
    for number, line in enumerate(stripped, start=1):
        if line:
            yield f"{name}, line {number}:", line


def tell(gate: Gate, out: TextIO) -> None:
    """What did not pass, a line each."""
    from kubectl_podtrace.cli.progress import printable
    from kubectl_podtrace.report.sections.gate import told

    for condition in gate.conditions:
        if condition.result != "passed":
            out.write(f"gate: {condition.result.replace('_', ' ')}: {printable(told(condition))}\n")
    out.flush()


def exit_code(gate: Gate | None, code: int, out: TextIO) -> int:
    """The run's exit code, where it would be `code` without a gate. Raises `GateFailedError`.

    A gate never hides a code that is not 0, nor is it hidden by one: both are told.
    """
    if gate is None or gate.passed:
        return code
    from kubectl_podtrace.report.sections.gate import verdict

    if code == 0:
        raise GateFailedError(
            f"the gate {verdict(gate)}",
            f"exit code {GateFailedError.exit_code} is the gate's; the report has each condition",
        )
    out.write(f"gate: {verdict(gate)}; the exit code stays {code}\n")
    return code
