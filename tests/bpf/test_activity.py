"""How activity is told over time, against the times that the load took of each attempt."""

from __future__ import annotations

import json
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.analysis.growth import parts_of
from kubectl_podtrace.analysis.patterns import pattern_of
from kubectl_podtrace.analysis.series import TOLD_NS
from kubectl_podtrace.wire.activity_records import Activity
from kubectl_podtrace.wire.codec import encode
from kubectl_podtrace.wire.request import CgroupTarget
from kubectl_podtrace.wire.topics import EVENT_OPERATIONS, TRANSFERS
from tests.bpf.conftest import HERE, StartTracer
from tests.bpf.harness import ENTER_CGROUP, PATIENCE_S, ask
from tests.bpf.stream import Stream

BURSTS = (53, 7, 11)


@contextmanager
def attempts(cgroup: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(HERE / "workloads" / "attempts.py"), *map(str, BURSTS), "730"]
    with subprocess.Popen(
        ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), *command],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as load:  # fmt: skip
        assert load.stdout is not None
        assert load.stdout.readline() == "ready\n"
        yield load


def readings(stream: Stream, name: str) -> list[tuple[int, int]]:
    """(time, sum) of each reading, those of all scopes together; a line without rows repeats what was."""
    found: dict[int, int] = {stream.started_ns: 0}
    newest = 0
    for record in stream.of(Activity):
        for place, at_ns in enumerate(record.times):
            found[at_ns] = sum(getattr(row, name)[place] for row in record.rows) if record.rows else newest
        newest = found[record.times[-1]]
    return sorted(found.items())


def test_readings_tell_when_attempts_were_made_to_the_tenth_of_a_second(
    run: int, cgroup: Path, start_tracer: StartTracer
) -> None:
    with attempts(cgroup) as load:
        tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
        told, _ = load.communicate("\n", PATIENCE_S)
        stream = tracer.stop()
    stream.assert_whole()
    times = json.loads(told)
    begun, made = sorted(before for before, _ in times), sorted(after for _, after in times)
    found = readings(stream, "attempts")
    assert found[-1] == (stream.trailer.ended_ns, sum(BURSTS))
    for (at_ns, count), (following_ns, _) in pairwise(found):
        # What had happened at a reading is in it, and nothing that happened after the next one.
        assert bisect_right(made, at_ns) <= count <= bisect_right(begun, following_ns)


def test_a_report_s_windows_are_those_of_the_load(run: int, cgroup: Path, start_tracer: StartTracer) -> None:
    with attempts(cgroup) as load:
        tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
        told, _ = load.communicate("\n", PATIENCE_S)
        stream = tracer.stop()
    fold = Fold()
    for line in stream.lines:
        fold.feed(encode(line))
    started_ns, ended_ns = fold.started_ns, fold.ended_ns
    growth = fold.activity.growth("connections", None, EVENT_OPERATIONS)
    edges = parts_of(started_ns, ended_ns, 10)
    amounts = growth.amounts(edges, total=sum(BURSTS))
    assert amounts is not None
    times = [before for before, _ in json.loads(told)]
    reading_ns = max(after - before for record in stream.of(Activity) for before, after in pairwise(record.times))
    # An emulated processor can hold the tracer up so long that nobody knows where a sum stood at an edge in between.
    held_up = [pair for pair in pairwise(at for at, _ in readings(stream, "attempts")) if pair[1] - pair[0] > TOLD_NS]
    for amount, (begin, finish) in zip(amounts, pairwise(edges), strict=True):
        inner = sum(begin + reading_ns <= moment <= finish - reading_ns for moment in times)
        outer = sum(begin - reading_ns <= moment <= finish + reading_ns for moment in times)
        if amount is None:
            assert any(before < edge < after for before, after in held_up for edge in (begin, finish))
        else:
            assert inner <= amount <= outer
    if not held_up:
        assert sum(amount or 0 for amount in amounts) == sum(BURSTS)
        # Nearly all of them at one moment of some seconds: bursty, wherever the edges are.
        assert pattern_of([amount or 0 for amount in amounts]) == "bursty"


def test_the_last_reading_is_all_that_was_counted(run: int, cgroup: Path, start_tracer: StartTracer) -> None:
    with attempts(cgroup) as load:
        tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
        load.communicate("\n", PATIENCE_S)
        stream = tracer.stop()
    counts = stream.counts()
    events = sum(count.count for name, count in counts.items() if name in EVENT_OPERATIONS)
    transfers = [counts[name] for name in TRANSFERS & counts.keys()]
    assert readings(stream, "events")[-1][1] == events
    assert readings(stream, "transfers")[-1][1] == sum(count.count for count in transfers)
    assert readings(stream, "bytes")[-1][1] == sum(count.bytes for count in transfers)
