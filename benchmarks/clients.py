"""What the servers' own benchmark clients print, read into numbers. Pure."""

from __future__ import annotations

import csv
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.failure import BenchmarkError


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a client got: how many answers, how many a second, and the 99th percentile of how long they took."""

    count: int
    per_s: float
    p99_ns: float


def wrk_answers(text: str) -> Answers:
    """From the last line of `loads/wrk_paced.lua`."""
    found = re.search(r"^requests=(\d+) duration_us=(\d+) p99_us=(\d+) failed=(\d+)$", text, re.MULTILINE)
    if not found:
        raise BenchmarkError(f"wrk did not say how many requests it made:\n{text}")
    requests, duration_us, p99_us, failed = (int(number) for number in found.groups())
    _refuse_failures("wrk", requests, failed)
    return Answers(count=requests, per_s=requests / duration_us * 1e6, p99_ns=1000.0 * p99_us)


def redis_answers(text: str, requests: int) -> Answers:
    """From `redis-benchmark --csv` of one kind of request; it counts its requests before it starts."""
    rows = list(csv.DictReader(text[text.find('"test"') :].splitlines()))
    if len(rows) != 1:
        raise BenchmarkError(f"redis-benchmark did not print one row:\n{text}")
    return Answers(count=requests, per_s=float(rows[0]["rps"]), p99_ns=1e6 * float(rows[0]["p99_latency_ms"]))


def pgbench_answers(text: str, log: str) -> Answers:
    """From its summary, and its log: a line for each transaction, whose third word is the time in microseconds."""
    count = re.search(r"^number of transactions actually processed: (\d+)", text, re.MULTILINE)
    failed = re.search(r"^number of failed transactions: (\d+)", text, re.MULTILINE)
    per_s = re.search(r"^tps = ([\d.]+)", text, re.MULTILINE)
    if not count or not per_s:
        raise BenchmarkError(f"pgbench did not say how many transactions it made:\n{text}")
    _refuse_failures("pgbench", int(count[1]), int(failed[1]) if failed else 0)
    return Answers(
        count=int(count[1]),
        per_s=float(per_s[1]),
        p99_ns=p99([1000.0 * int(line.split()[2]) for line in log.splitlines()]),
    )


def p99(values: Sequence[float]) -> float:
    """The 99th percentile of single samples (R-7)."""
    if len(values) < 2:
        raise BenchmarkError(f"{len(values)} answers have no 99th percentile")
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def version_in(text: str) -> str:
    """The first version number that a program says."""
    found = re.search(r"\d+(\.\d+)+", text)
    return found[0] if found else "unknown"


def _refuse_failures(client: str, count: int, failed: int) -> None:
    if failed or not count:
        raise BenchmarkError(
            f"{client} made {count} requests, and {failed} failed: their cost is not that of an answer"
        )
