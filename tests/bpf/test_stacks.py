"""Stacks: each operation above its threshold is under the function that made it, however that was compiled."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from kubectl_podtrace.wire.request import CgroupTarget, TraceRequest
from tests.bpf.conftest import HERE, StartLoad, StartTracer, TraceProgram
from tests.bpf.harness import ENTER_CGROUP
from tests.bpf.stack_stream import counts_by_chain, running_of, samples_of, stacks_of

SOURCE = HERE / "workloads" / "stacks.c"
WRITES = {("journal", "writes_by_hand", "work"): 7, ("journal", "writes_by_foot", "work"): 11}


def compiled(directory: Path, *flags: str) -> Path:
    """The load, with its functions' frames kept unless the flags say otherwise."""
    program = directory / "stacks"
    subprocess.run(["gcc", "-O2", "-fno-omit-frame-pointer", *flags, "-o", str(program), str(SOURCE)], check=True)
    return program


def test_every_slow_operation_is_counted_under_the_functions_that_made_it(
    trace_program: TraceProgram, tmp_path: Path
) -> None:
    program = compiled(tmp_path)
    stream = trace_program([str(program), str(tmp_path / "journal")])
    stream.assert_whole()
    writes, flushes = stacks_of(stream, "files.write"), stacks_of(stream, "files.fsync")
    assert counts_by_chain(writes, *WRITES) == WRITES
    assert counts_by_chain(flushes, ("flushes", "work", "main")) == {("flushes", "work", "main"): 13}
    for name, stacks in (("files.write", writes), ("files.fsync", flushes)):
        total = stream.total(name)
        assert sum(stack.row.count for stack in stacks) == total.slow == total.count
        assert sum(stack.row.total_ns for stack in stacks) == total.sum_ns
        assert max(stack.row.max_ns for stack in stacks) == total.max_ns
        for stack in stacks:
            assert sum(stack.row.buckets[1::2]) == stack.row.count
            assert (stack.row.target, stack.row.targets_vary) == (str(tmp_path / "journal"), False)
    assert {frame.module for stack in writes for frame in stack.frames if frame.symbol == "journal"} == {str(program)}


CHAINS = tuple(WRITES)
WAYS = {
    "of any address": (),
    "of one address": ("-no-pie",),
    "static": ("-static",),
    "static of any address": ("-static-pie",),
    "with compressed debugging": ("-g", "-gz"),
    "by the C library's functions": ("-DBY_LIBRARY",),
}
GLIBC = tuple(int(part) for part in platform.libc_ver()[1].split(".")[:2])
HIDES_CALLERS = pytest.mark.xfail(
    GLIBC >= (2, 41),
    reason="glibc's write goes on to further functions without a frame: where it was built without, its caller is lost",
    strict=False,
)


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(flags, id=way, marks=HIDES_CALLERS if "-DBY_LIBRARY" in flags else ())
        for way, flags in WAYS.items()
    ],
)
def test_functions_have_their_names_however_the_program_is_linked(
    trace_program: TraceProgram, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    stream = trace_program([str(compiled(tmp_path, *flags)), str(tmp_path / "journal")])
    assert counts_by_chain(stacks_of(stream, "files.write"), *CHAINS) == WRITES


def test_lines_of_the_source_are_told_where_the_compiler_left_them(trace_program: TraceProgram, tmp_path: Path) -> None:
    stream = trace_program([str(compiled(tmp_path, "-g")), str(tmp_path / "journal")])
    lines = SOURCE.read_text().splitlines()
    told = {
        (frame.symbol, int(frame.source.rpartition(":")[2]))
        for stack in stacks_of(stream, "files.write")
        for frame in stack.frames
        if frame.source
    }
    assert {symbol for symbol, _ in told} >= {"journal", "writes_by_hand", "writes_by_foot", "work", "main"}
    called = {"journal": "write(", "writes_by_hand": "journal(", "writes_by_foot": "journal(", "work": "writes_by_"}
    for symbol, number in told:
        assert called.get(symbol, "work(") in lines[number - 1]


def test_a_stripped_program_gives_places_in_the_file_that_its_symbols_would_name(
    trace_program: TraceProgram, tmp_path: Path
) -> None:
    program = compiled(tmp_path, "-Wl,--build-id")
    names = subprocess.run(["nm", str(program)], capture_output=True, text=True, check=True).stdout
    (start,) = (int(line.split()[0], 16) for line in names.splitlines() if line.endswith(" T journal"))
    subprocess.run(["strip", str(program)], check=True)
    stream = trace_program([str(program), str(tmp_path / "journal")])
    stacks = stacks_of(stream, "files.write")
    own = [frame for stack in stacks for frame in stack.frames if frame.module == str(program)]
    assert {frame.symbol for frame in own} == {""}
    assert len({frame.build_id for frame in own}) == 1
    assert len(own[0].build_id) == 40
    assert {row.row.count for row in stacks} == {7, 11}
    for stack in stacks:
        innermost = next(frame for frame in stack.frames if frame.module == str(program))
        assert start < innermost.offset < start + 0x80


def test_a_program_that_was_deleted_still_names_its_functions(trace_program: TraceProgram, tmp_path: Path) -> None:
    program = compiled(tmp_path)
    script = f'trap "" TERM; exec 3<"{program}"; rm "{program}"; exec /proc/self/fd/3 "{tmp_path / "journal"}"'
    stream = trace_program(["sh", "-c", script])
    assert counts_by_chain(stacks_of(stream, "files.write"), *CHAINS) == WRITES


def test_a_root_with_nothing_but_the_program_is_no_obstacle(trace_program: TraceProgram, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    compiled(root, "-static")
    stream = trace_program(["unshare", "--mount", "chroot", str(root), "/stacks", "/data/journal"])
    stacks = stacks_of(stream, "files.write")
    assert counts_by_chain(stacks, *CHAINS) == WRITES
    assert {frame.module for stack in stacks for frame in stack.frames} == {"/stacks"}


def test_musl_s_programs_have_names_and_the_right_counts(trace_program: TraceProgram, tmp_path: Path) -> None:
    if shutil.which("musl-gcc") is None:
        pytest.skip("there is no musl-gcc")
    program = tmp_path / "stacks"
    subprocess.run(
        ["musl-gcc", "-O2", "-fno-omit-frame-pointer", "-static", "-o", str(program), str(SOURCE)], check=True
    )
    stream = trace_program([str(program), str(tmp_path / "journal")])
    # musl's own functions keep no frames: the one above them can be missing from the chain.
    by_caller = {("writes_by_hand", "work"): 7, ("writes_by_foot", "work"): 11}
    assert counts_by_chain(stacks_of(stream, "files.write"), *by_caller) == by_caller


def test_names_of_cpp_are_those_of_its_source(trace_program: TraceProgram, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("there is no g++")
    program = tmp_path / "stacks"
    command = ["g++", "-x", "c++", "-O2", "-fno-omit-frame-pointer", "-o", str(program), str(SOURCE)]
    subprocess.run(command, check=True)
    stream = trace_program([str(program), str(tmp_path / "journal")])
    chains = {("journal(char const*)", f"{name}()", "work()"): count for (_, name, _), count in WRITES.items()}
    assert counts_by_chain(stacks_of(stream, "files.write"), *chains) == chains


@pytest.mark.parametrize("flags", [(), ("-ldflags=-s -w",), ("-buildmode=pie",)], ids=["plain", "stripped", "pie"])
def test_go_s_programs_have_names_and_lines_without_symbols_too(
    trace_program: TraceProgram, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    if shutil.which("go") is None:
        pytest.skip("there is no go")
    program = tmp_path / "stacks"
    environment = {**os.environ, "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": ""}
    subprocess.run(
        ["go", "build", *flags, "-o", str(program), str(SOURCE.with_suffix(".go"))], check=True, env=environment
    )
    stream = trace_program([str(program), str(tmp_path / "journal")])
    stacks = stacks_of(stream, "files.write")
    chains = {("main.journal", "main.writesByHand"): 7, ("main.journal", "main.writesByFoot"): 11}
    assert counts_by_chain(stacks, *chains) == chains
    sources = {
        frame.source.rpartition("/")[2] for stack in stacks for frame in stack.frames if frame.symbol == "main.journal"
    }
    assert sources == {"stacks.go:12"}


@pytest.mark.xfail(
    GLIBC >= (2, 41), reason="Debian 13 builds libuv, through which Node.js writes, without frames", strict=False
)
def test_functions_that_node_compiled_are_named_from_its_list(trace_program: TraceProgram, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    options = ["--perf-basic-prof", "--interpreted-frames-native-stack"]
    stream = trace_program(["node", *options, str(SOURCE.with_suffix(".js")), str(tmp_path / "journal")])
    found: Counter[str] = Counter()
    for stack in stacks_of(stream, "files.write"):
        caller = next((name for name in stack.symbols if name.startswith("JS:writesBy")), "")
        found[caller.split(" ")[0]] += stack.row.count
    assert (found["JS:writesByHand"], found["JS:writesByFoot"]) == (7, 11)


def test_functions_that_ran_are_those_that_used_the_cpu_each_under_who_called_it(
    run: int, cgroup: Path, start_tracer: StartTracer, tmp_path: Path
) -> None:
    program = tmp_path / "spin"
    source = str(SOURCE.with_name("spin.c"))
    subprocess.run(["gcc", "-O1", "-fno-omit-frame-pointer", "-o", str(program), source], check=True)
    tracer = start_tracer(TraceRequest(target=CgroupTarget(path=str(cgroup)), topics=("cpu",), max_overhead_ppm=0))
    command = ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), str(program)]
    used = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    stream = tracer.stop()
    samples = samples_of(stream)
    own = {name: count for (name, module), count in samples.items() if module == str(program)}
    total = stream.total("cpu.run").count
    assert sum(samples.values()) == total
    share = (used["hot often"] + used["hot seldom"]) / sum(used.values())
    # Some 500 samples: three standard deviations are 0.07.
    assert own["hot"] / total == pytest.approx(share, abs=0.1)
    stacks = running_of(stream)
    assert sum(stack.row.samples for stack in stacks) <= total
    for name, used_ns in used.items():
        chain = (*name.split(), "main")
        found = sum(stack.row.samples for stack in stacks if stack.chain(*chain))
        assert found / total == pytest.approx(used_ns / sum(used.values()), abs=0.1), name
        of_chain = [stack for stack in stacks if stack.chain(*chain)]
        in_kernel = sum(stack.row.samples for stack in of_chain if stack.frames[0].module == "[kernel]")
        # Interrupts come to the others, too.
        assert (in_kernel > found / 2) == (name == "syscall asks")


@HIDES_CALLERS
def test_a_program_without_frame_pointers_loses_callers_and_no_operation(
    trace_program: TraceProgram, tmp_path: Path
) -> None:
    script = (
        "import os, sys; file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR); print('ready', flush=True); input();"
        "[os.write(file, b'by hand') for _ in range(7)]; print('done', flush=True); input()"
    )
    stream = trace_program(["/usr/bin/python3", "-c", script, str(tmp_path / "journal")])
    stacks = stacks_of(stream, "files.write")
    assert sum(stack.row.count for stack in stacks) == stream.total("files.write").slow == 7
    # The caller of the function around the system call is found without frames, too.
    for stack in stacks:
        assert stack.symbols[0] in {"write", "__write"}
        assert stack.frames[1].module.rpartition("/")[2].startswith("python3")


def test_receives_that_waited_longer_than_the_threshold_are_told_with_the_other_side(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("timing", "delays", "53", cgroup=cgroup)
    threshold_ns = 1_000_000
    request = TraceRequest(
        target=CgroupTarget(path=str(cgroup)), topics=("tcp",), rtt_threshold_ns=threshold_ns, max_overhead_ppm=0
    )
    tracer = start_tracer(request)
    load.release()
    claims = load.claims()
    load.finish()
    stream = tracer.stop()
    stacks, slow = stacks_of(stream, "tcp.receive"), stream.total("tcp.receive").slow
    assert sum(stack.row.count for stack in stacks) == slow
    assert slow >= sum(duration > threshold_ns for duration in claims.body["durations_ns"]) > 0
    assert {stack.row.target.rpartition(":")[0] for stack in stacks} == {"127.0.0.1"}
