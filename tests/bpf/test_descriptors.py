"""Descriptors: what came to be, ceased to be and ended with its process, by kind."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.report.build import ClientFacts, ReportOptions, build_report
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.target import TargetInfo
from kubectl_podtrace.wire.codec import encode
from kubectl_podtrace.wire.descriptor_records import DescriptorTableRow, DescriptorTables
from kubectl_podtrace.wire.request import CgroupTarget
from kubectl_podtrace.wire.topics import DESCRIPTOR_KINDS
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import Claims, Load, Tracer, ask, assert_equal
from tests.bpf.second_sources import strace_opened_kinds, table_kinds
from tests.bpf.stream import Stream
from tests.bpf.test_namespaces import child_of

TOPICS = ("files", "descriptors")


def kinds_of(stream: Stream, verb: str) -> dict[str, int]:
    """How many descriptors of each kind were opened, closed or ended with their process."""
    counts = stream.counts()
    return {kind: counts[name].count for kind in DESCRIPTOR_KINDS if (name := f"descriptors.{verb}_{kind}") in counts}


def told(claims: Claims, verb: str) -> dict[str, int]:
    """The same, as the load says it."""
    return dict(zip(DESCRIPTOR_KINDS, claims.body["kinds"][verb], strict=True))


def run_to_its_end(load: Load, tracer: Tracer) -> tuple[Claims, Counter[str], Stream]:
    """What the load says, its table as /proc shows it before its end, and what was traced."""
    load.release()
    claims = load.claims()
    table = table_kinds(load.process.pid)
    load.release()
    load.finish()
    return claims, table, tracer.stop()


@pytest.mark.parametrize("reads", [(), ("env", "PODTRACE_READS=helper")], ids=["loads", "helper"])
def test_every_descriptor_is_counted_by_its_kind_whichever_call_made_or_closed_it(
    *,
    run: int,
    reads: tuple[str, ...],
    cgroup: Path,
    start_load: StartLoad,
    start_tracer: StartTracer,
    tmp_path: Path,
) -> None:
    load = start_load("descriptors", str(tmp_path), cgroup=cgroup)
    before = table_kinds(load.process.pid)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=TOPICS), wrapper=reads)
    claims, table, stream = run_to_its_end(load, tracer)
    assert_equal(stream, claims, topics=TOPICS)
    assert kinds_of(stream, "opened") == told(claims, "opened")
    assert kinds_of(stream, "closed") == told(claims, "closed")
    at_the_end = Counter(told(claims, "ended")) + table
    assert kinds_of(stream, "ended") == {kind: at_the_end[kind] for kind in DESCRIPTOR_KINDS if at_the_end[kind]}
    assert table == before


def test_strace_sees_the_same_descriptors_come_to_be(
    *, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, tmp_path: Path
) -> None:
    log = tmp_path / "strace"
    load = start_load(
        "descriptors", str(tmp_path), cgroup=cgroup, wrapper=("strace", "-ff", "-yy", "-v", "-o", str(log))
    )
    load.release()
    claims = load.claims()
    load.release()
    load.finish()
    assert strace_opened_kinds(list(tmp_path.glob("strace.*"))) == told(claims, "opened")


def report_of(stream: Stream) -> Report:
    """What the plugin makes of a stream."""
    fold = Fold()
    for line in stream.lines:
        fold.feed(encode(line))
    return build_report(fold, target=TargetInfo(), options=ReportOptions(), client=ClientFacts(version="0"))


def told_done(load: Load) -> None:
    """Lets the load go on and waits until it has."""
    load.release()
    assert load.process.stdout is not None
    assert load.process.stdout.readline() == b"done\n"


def now(row: DescriptorTableRow) -> dict[str, int]:
    return {kind: getattr(row, kind) for kind in DESCRIPTOR_KINDS}


def first(row: DescriptorTableRow) -> dict[str, int]:
    return {kind: getattr(row, f"first_{kind}") for kind in DESCRIPTOR_KINDS}


def counted(kinds: Counter[str]) -> dict[str, int]:
    return {kind: kinds[kind] for kind in DESCRIPTOR_KINDS}


def test_what_leaks_is_told_by_kind_with_the_time_until_the_limit_is_reached(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("leaks", "grow", cgroup=cgroup, wrapper=("prlimit", "--nofile=1009"))
    before = table_kinds(load.process.pid)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("descriptors",)))
    for turn in range(1, 5):  # each in another of the tracer's readings
        told_done(load)
        tracer.wait_for(
            lambda record, sockets=before["socket"] + 13 * turn: (  # type: ignore[misc]
                isinstance(record, DescriptorTables) and record.rows[0].socket == sockets
            )
        )
    after = table_kinds(load.process.pid)
    stream = tracer.stop()
    stream.assert_whole()
    (row,) = stream.descriptor_tables.values()
    assert (row.node_pid, row.comm, row.limit, row.alive, row.sampled) == (load.process.pid, "leaks", 1009, True, 0)
    assert (first(row), now(row)) == (counted(before), counted(after))
    assert counted(after - before) == {"file": 0, "socket": 52, "pipe": 0, "other": 20}

    section = report_of(stream).descriptors
    assert section is not None
    assert section.leaks is not None
    assert [(leak.kind, leak.growth, leak.limit) for leak in section.leaks] == [
        ("socket", 52, 1009),
        ("other", 20, 1009),
    ]
    elapsed_s = (stream.trailer.ended_ns - stream.started_ns) / 1e9
    left_s = (1009 - after.total()) * elapsed_s / 72
    assert [leak.exhausted_in_s for leak in section.leaks] == pytest.approx([left_s, left_s], rel=0.02)


def test_growth_is_since_the_program_began_not_since_its_parent_s_table_was_copied(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("leaks", "parent", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("descriptors",)))
    told_done(load)
    tables = {pid: table_kinds(pid) for pid in (load.process.pid, child_of(load.process.pid))}
    stream = tracer.stop()
    stream.assert_whole()
    rows = {row.node_pid: row for row in stream.descriptor_tables.values()}
    assert {pid: now(row) for pid, row in rows.items()} == {pid: counted(table) for pid, table in tables.items()}
    own, child = rows[load.process.pid], rows[child_of(load.process.pid)]
    assert first(own) == now(own)
    assert {kind: now(child)[kind] - first(child)[kind] for kind in DESCRIPTOR_KINDS} == {
        "file": 0, "socket": 19, "pipe": 4, "other": 0,
    }  # fmt: skip
    assert first(own)["socket"] == 17
    assert child.since_ns > stream.started_ns > own.since_ns
    load.release()
    load.finish()
