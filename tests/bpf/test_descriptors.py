"""Descriptors: what came to be, ceased to be and ended with its process, by kind."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kubectl_podtrace.wire.request import CgroupTarget
from kubectl_podtrace.wire.topics import DESCRIPTOR_KINDS
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import Claims, Load, Tracer, ask, assert_equal
from tests.bpf.second_sources import strace_opened_kinds, table_kinds
from tests.bpf.stream import Stream

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
