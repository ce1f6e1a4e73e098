"""The loads once more, with a dynamic glibc and with a static musl. The other tests have them with a static glibc."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import CFLAGS, StartTracer
from tests.bpf.harness import Claims, Load, ask, assert_equal
from tests.bpf.installed import needed
from tests.bpf.second_sources import strace_calls
from tests.bpf.stream import Stream
from tests.bpf.test_connections import NETWORK

SOURCES = Path(__file__).parent / "workloads"
KERNEL_HEADERS = ("-idirafter", "/usr/include")
"""Behind musl's own: Debian has those of the kernel among those of glibc."""


def dynamic() -> list[str]:
    return [needed("gcc", "gcc"), *(flag for flag in CFLAGS if flag != "-static")]


def musl() -> list[str]:
    machine = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()
    return [needed("musl-gcc", "musl-tools"), *CFLAGS, *KERNEL_HEADERS, "-idirafter", f"/usr/include/{machine}"]


LIBRARIES = {"glibc-dynamic": dynamic, "musl-static": musl}
START = Callable[..., Load]


@pytest.fixture(params=LIBRARIES)
def start(request: pytest.FixtureRequest, tmp_path: Path, opened: ExitStack) -> START:
    compiler = LIBRARIES[request.param]()

    def start_built(name: str, *arguments: str, cgroup: Path | None = None, wrapper: tuple[str, ...] = ()) -> Load:
        program = tmp_path / name
        if not program.exists():
            subprocess.run([*compiler, "-o", str(program), str(SOURCES / f"{name}.c")], check=True)
        load = Load(program, *arguments, cgroup=cgroup, wrapper=wrapper)
        opened.callback(load.close)
        return load

    return start_built


def trace(load: Load, cgroup: Path, start_tracer: StartTracer, topics: tuple[str, ...]) -> tuple[Stream, Claims]:
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=topics))
    load.release()
    claims = load.claims().with_exits(1)
    load.finish()
    return tracer.stop(), claims


STRACE = ("strace", "-ff", "-yy", "-o")


def calls_by_strace(start: START, name: str, *arguments: str, log: Path) -> Counter[str]:
    """An identical run, and the calls by operation that strace saw."""
    load = start(name, *arguments, wrapper=(*STRACE, str(log)))
    load.release()
    load.claims()
    load.finish()
    return calls_in(log, *arguments)


def calls_in(log: Path, *directories: str) -> Counter[str]:
    """The calls by operation that strace saw."""
    calls, _ = strace_calls(list(log.parent.glob(f"{log.name}.*")), frozenset(directories))
    return calls


def test_files_are_counted_as_the_program_and_strace_count_them(
    start: START, cgroup: Path, start_tracer: StartTracer, shm: Path, tmp_path: Path
) -> None:
    topics = ("files", "processes", "descriptors")
    stream, claims = trace(start("files", str(shm), cgroup=cgroup), cgroup, start_tracer, topics)
    assert_equal(stream, claims, topics=topics)
    calls, counts = calls_by_strace(start, "files", str(shm), log=tmp_path / "strace"), stream.counts()
    names = ("read", "write", "fsync", "open", "unlink", "rename")
    for name in (*(f"files.{name}" for name in names), "descriptors.close"):
        assert counts[name].count + counts[name].would_block + counts[name].interrupted == calls[name], name


@pytest.mark.parametrize("start", ["glibc-dynamic"], indirect=True)
def test_sends_and_receives_are_counted_as_the_program_counts_them(
    start: START, cgroup: Path, start_tracer: StartTracer
) -> None:
    stream, claims = trace(start("tcp", cgroup=cgroup), cgroup, start_tracer, ("tcp",))
    assert_equal(stream, claims, topics=("tcp",))


@pytest.mark.parametrize("start", ["musl-static"], indirect=True)
def test_a_library_that_makes_several_calls_of_one_is_counted_as_strace_counts_it(
    start: START, cgroup: Path, start_tracer: StartTracer, tmp_path: Path
) -> None:
    log = tmp_path / "strace"
    stream, claims = trace(start("tcp", cgroup=cgroup, wrapper=(*STRACE, str(log))), cgroup, start_tracer, ("tcp",))
    # musl sends each message of a sendmmsg by a sendmsg of its own; what was sent is the same.
    send = claims.counts["tcp.send"]
    assert send.messages > 0
    split = replace(send, count=calls_in(log)["tcp.send"] - send.would_block - send.interrupted, messages=0)
    assert_equal(stream, replace(claims, counts={**claims.counts, "tcp.send": split}), topics=("tcp",))


def test_connections_end_in_the_tracer_as_they_end_in_the_program(
    start: START, cgroup: Path, start_tracer: StartTracer
) -> None:
    load = start("connections", "hold", cgroup=cgroup, wrapper=("unshare", "-n", "sh", "-c", NETWORK, "sh"))
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("connections", "tcp")))
    load.release()
    claims = load.claims()
    assert_equal(tracer.stop(), claims, topics=("connections", "tcp"))


# Not with musl: this load forks processes whose first thread ends before the others; in musl these then wait for ever
# for a lock of the first one's.
@pytest.mark.parametrize("start", ["glibc-dynamic"], indirect=True)
def test_processes_are_counted_as_waitpid_tells_them(start: START, cgroup: Path, start_tracer: StartTracer) -> None:
    stream, claims = trace(start("processes", cgroup=cgroup), cgroup, start_tracer, ("processes",))
    assert_equal(stream, claims, topics=("processes",))
    told = {(code, signal): count for code, signal, count in claims.body["statuses"]}
    told[0, 0] = told.get((0, 0), 0) + 1  # the load itself
    assert stream.exits == told
