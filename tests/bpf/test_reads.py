"""Kernels before 6.2 read kernel memory through a helper: the same counts come of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import ask, assert_equal


@pytest.mark.parametrize(("load", "topic"), [("tcp", "tcp"), ("files", "files")])
def test_reads_through_the_helper_give_the_same_counts(
    *, load: str, topic: str, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, shm: Path, tmp_path: Path
) -> None:
    program = start_load(load, *([str(shm), str(tmp_path)] if load == "files" else []), cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))), wrapper=("env", "PODTRACE_READS=helper"))
    program.release()
    claims = program.claims()
    program.finish()
    assert_equal(tracer.stop(), claims, topics=(topic,))
