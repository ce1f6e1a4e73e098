"""What the readable sections of TCP and UDP share: sends and receives as a table, errors, throughput."""

from __future__ import annotations

from collections import Counter

from kubectl_podtrace import units
from kubectl_podtrace.analysis.selection import Op, most_frequent_first
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.report.document import Table, left, right
from kubectl_podtrace.report.sections.cells import number_or_dash, tally


def transfers(send: Op, receive: Op) -> Table:
    """Both directions by count, rate, bytes and what did not succeed."""
    return Table(
        columns=(left("operation"), *right("count", "rate", "bytes", "errors", "would block")),
        rows=(_row("send", send), _row("receive", receive)),
    )


def error_rate(send: Op, receive: Op, error_ratio: float, settings: Settings) -> tuple[str, str]:
    """The share of errors under its threshold, and the errors by name."""
    errors = most_frequent_first(Counter(send.errors) + Counter(receive.errors))
    limit = units.ratio_threshold(settings.error_threshold_ratio)
    return f"error rate (threshold {limit})", units.ratio(error_ratio) + (f": {tally(errors)}" if errors else "")


def throughput(bytes_per_s: float, peak_bytes_per_op: int) -> tuple[str, str]:
    """Bytes per second, and the largest operation."""
    return "throughput", f"{units.size_rate(bytes_per_s)}, at most {units.size(peak_bytes_per_op)} in one operation"


def _row(name: str, operation: Op) -> tuple[str, ...]:
    return (
        name,
        units.count(operation.count),
        units.rate(operation.per_s),
        units.size(operation.bytes),
        number_or_dash(operation.failed),
        number_or_dash(operation.would_block),
    )
