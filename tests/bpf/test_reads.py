"""Old kernels read memory through a helper, new ones see system calls as trace events: the counts are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import EMULATED, ask, assert_equal


@pytest.mark.skipif(EMULATED, reason="this is one of the other kernels")
@pytest.mark.parametrize("way", ["PODTRACE_READS=helper", "PODTRACE_CALLS=events"])
@pytest.mark.parametrize(("load", "topic"), [("tcp", "tcp"), ("files", "files")])
def test_what_other_kernels_do_gives_the_same_counts(
    *,
    way: str,
    load: str,
    topic: str,
    cgroup: Path,
    start_load: StartLoad,
    start_tracer: StartTracer,
    shm: Path,
    tmp_path: Path,
) -> None:
    program = start_load(load, *([str(shm), str(tmp_path)] if load == "files" else []), cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))), wrapper=("env", way))
    program.release()
    claims = program.claims()
    program.finish()
    assert_equal(tracer.stop(), claims, topics=(topic,))
