"""Files: every call counts once, under its path, with its bytes and its error."""

from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path

from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import ask, assert_equal
from tests.bpf.second_sources import proc_io, strace_calls

FILE_OPERATIONS = ("files.read", "files.write", "files.fsync", "files.open", "files.unlink", "files.rename")


def test_every_file_operation_is_counted_as_the_program_and_strace_count_it(
    *, run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, shm: Path, tmp_path: Path
) -> None:
    directories = [str(shm), str(tmp_path)]
    load = start_load("files", *directories, cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    load.release()
    claims = load.claims().with_exits(1)
    load.finish()
    stream = tracer.stop()
    assert_equal(stream, claims)
    assert sum(use.operations for use in stream.files.values()) == sum(
        claims.counts[name].count for name in ("files.read", "files.write", "files.fsync")
    )
    assert sum(use.bytes for use in stream.files.values()) == sum(claims.counts[n].bytes for n in FILE_OPERATIONS)

    log = tmp_path / "strace"
    straced = start_load("files", *directories, cgroup=None, wrapper=("strace", "-ff", "-yy", "-o", str(log)))
    straced.release()
    straced.claims()
    straced.finish()
    calls, errors = strace_calls(list(tmp_path.glob("strace.*")), frozenset(directories))
    counts = stream.counts()
    for name in (*FILE_OPERATIONS, "descriptors.close"):
        assert counts[name].count + counts[name].would_block + counts[name].interrupted == calls[name], name
    assert errors == Counter({(name, errno.errorcode[number]): n for (name, number), n in stream.errors.items()})


def test_a_thousand_short_lived_files_on_tmpfs_and_on_disk_have_a_thousand_paths_each(
    *, run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, shm: Path, tmp_path: Path
) -> None:
    loads = [start_load("paths", "many", str(where), "1000", cgroup=cgroup) for where in (shm, tmp_path)]
    before = [proc_io(load.process.pid) for load in loads]
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("files",)))
    for load in loads:
        load.release()
    claims = [load.claims() for load in loads]
    for load, told, (read, written) in zip(loads, claims, before, strict=True):
        os.waitid(os.P_PID, load.process.pid, os.WEXITED | os.WNOWAIT)
        read_at_end, written_at_end = proc_io(load.process.pid)
        assert read_at_end - read == told.counts["files.read"].bytes + len("\n")
        assert written_at_end - written == told.counts["files.write"].bytes + load.printed
        load.finish()
    stream = tracer.stop()
    assert_equal(stream, claims[0] + claims[1], topics=("files",))
    assert stream.files == {**claims[0].files, **claims[1].files}


def test_paths_are_those_that_the_container_sees(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, tmp_path: Path
) -> None:
    loads = []
    for mode in ("names", "view", "long"):
        (tmp_path / mode).mkdir()
        loads.append(start_load("paths", mode, str(tmp_path / mode), cgroup=cgroup))
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("files",)))
    for load in loads:
        load.release()
    names, view, long = [load.claims() for load in loads]
    stream = tracer.stop()
    assert_equal(stream, names + view + long, topics=("files",))
    paths = {**names.files, **view.files}
    assert {path: use for path, use in stream.files.items() if path in paths} == paths
    rest = {path: use for path, use in stream.files.items() if path not in paths}
    assert sorted(rest.values(), key=str) == sorted(long.files.values(), key=str)
    whole = {path for path in long.files if len(path) < 1000}
    assert len(whole) == 2
    assert whole <= set(rest)
    (cut,) = set(rest) - whole
    assert "…" in cut
