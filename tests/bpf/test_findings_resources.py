"""Findings about disks, CPUs, memory, locks, processes and descriptors: each ailing program has its own alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.bpf.controllers import Controlled
from tests.bpf.diagnosis import AILING, EMULATED, HERE, PYTHON, Diagnose, found, only
from tests.bpf.harness import ENTER_CGROUP
from tests.bpf.installed import needed


def python_version() -> tuple[int, ...]:
    """That of the programs that ail."""
    asked = [PYTHON, "-c", "import sys; print(*sys.version_info[:2])"]
    return tuple(map(int, subprocess.run(asked, capture_output=True, check=True).stdout.split()))


def test_a_slow_disk_is_told_with_its_file(diagnose: Diagnose, controlled: Controlled, tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    if os.major(device) == 0:
        pytest.skip(f"{tmp_path} is on no disk")
    number = f"{os.major(device)}:{os.minor(device)}"
    limits = {"blkio.throttle.write_iops_device": f"{number} 20", "io.max": f"{number} wiops=20"}
    report = diagnose(*controlled.command("blkio", limits, *AILING, "slow_writes", str(tmp_path)))
    finding = only(report, "slow-files")
    assert (finding["severity"], finding["title"]) == ("critical", "writes are slow")
    assert f"most slow operations on {tmp_path}/journal" in finding["evidence"]
    assert "took longer than 10 ms" in finding["evidence"]


def test_a_cpu_limit_that_throttles(diagnose: Diagnose, controlled: Controlled) -> None:
    limited = controlled("cpu", {"cpu.cfs_quota_us": "20000", "cpu.max": "20000 100000"})
    with subprocess.Popen(
        ["sh", "-c", ENTER_CGROUP, "sh", str(limited), *AILING, "spin"], stdout=subprocess.PIPE
    ) as spinning:
        assert spinning.stdout is not None
        spinning.stdout.readline()
        report = diagnose(flags=("--diagnose", "2s", "--pid", str(spinning.pid)))
        spinning.kill()
    finding = only(report, "cpu-throttled")
    assert (finding["severity"], "threads were held back in" in finding["evidence"]) == ("critical", True)


def test_a_process_that_takes_more_memory_than_it_may(diagnose: Diagnose, controlled: Controlled) -> None:
    limits = {"memory.limit_in_bytes": str(48 << 20), "memory.max": str(48 << 20)}
    report = diagnose(*controlled.command("memory", limits, *AILING, "greedy", "200"))
    assert only(report, "processes-oom-killed")["evidence"] == "the kernel killed 1 process: python3 1"


def test_memory_that_is_nearly_used_up(diagnose: Diagnose, cgroup: Path, controlled: Controlled) -> None:
    limit = 64 << 20
    limited = controlled("memory", {"memory.limit_in_bytes": str(limit), "memory.max": str(limit)}, cgroup.name)
    entering = 'echo $$ > "$1/cgroup.procs" && echo $$ > "$2/cgroup.procs" && shift 2 && exec "$@"'
    words = ["sh", "-c", entering, "sh", str(limited), str(cgroup), *AILING, "hold", "54"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holding:
        assert holding.stdout is not None
        holding.stdout.readline()
        report = diagnose(flags=("--diagnose", "3s", "--cgroup", str(cgroup)))
        holding.kill()
    assert "of 64.0 MiB" in only(report, "memory-near-limit")["evidence"]


def test_threads_that_fight_for_a_lock(diagnose: Diagnose) -> None:
    finding = only(diagnose(*AILING, "fight", "4"), "lock-contention")
    assert (finding["severity"], "4 threads for 0x" in finding["evidence"]) == ("critical", True)


def test_a_fight_for_a_lock_of_python_is_seen_but_cannot_be_told_from_idle_threads(diagnose: Diagnose) -> None:
    report = diagnose(*AILING, "fight_in_python", "4")
    assert found(report) == []
    words = [spot for spot in report["locks"]["hotspots"] if spot["kind"] == "other"]
    if python_version() < (3, 13):
        word = max((spot for spot in words if spot["waiters"] == 4), key=lambda spot: spot["total_wait_ns"])
        assert word["max_waiters"] >= 2
    else:
        # Each thread waits at a word of its own, whichever lock it waits for.
        word = max(words, key=lambda spot: spot["total_wait_ns"])
        assert (word["waiters"], word["max_waiters"]) == (1, 1)
    assert word["total_wait_ns"] > 2_000_000_000
    assert word["holder"]["comm"] == "python3"


@pytest.mark.alone
def test_a_fight_for_a_lock_of_go_is_seen_in_the_stacks_of_its_threads(diagnose: Diagnose, tmp_path: Path) -> None:
    if os.cpu_count() == 1:
        pytest.skip("on one CPU all goroutines share a thread, which waits only when the last of them sleeps")
    program = tmp_path / "fight"
    build = [needed("go", "golang-go"), "build", "-o", str(program), str(HERE / "workloads/fight.go")]
    subprocess.run(build, check=True, env={**os.environ, "GOCACHE": str(tmp_path / "cache"), "GO111MODULE": "off"})
    report = diagnose(str(program))
    assert (found(report), report["locks"]["contended"]["count"]) == ([], 0)
    spots = report["locks"]["hotspots"]
    stacks = [spot["stack"] for spot in spots] + [spot["holder"]["stack"] for spot in spots if spot["holder"]]
    callers = {frame["symbol"] for stack in stacks for frame in stack}
    # Newer versions of Go have it as internal/sync.
    assert [symbol for symbol in callers if symbol.endswith("sync.(*Mutex).lockSlow")]


def test_threads_that_share_one_cpu_wait_for_it(diagnose: Diagnose) -> None:
    if os.cpu_count() == 1:
        pytest.skip("the one CPU is all of them, which has a finding of its own")
    needed("taskset", "util-linux")
    finding = only(diagnose("taskset", "-c", "0", *AILING, "busy", "3", "4"), "cpu-starved")
    assert "for a CPU and ran" in finding["evidence"]


def test_a_program_that_takes_all_cpus_is_told_so(diagnose: Diagnose, controlled: Controlled) -> None:
    if EMULATED:
        pytest.skip("the tracer leaves less than nine tenths of an emulated processor")
    # Whatever else the machine does has what these shares leave of its CPUs.
    shares = {"cpu.shares": "262144", "cpu.weight": "10000"}
    processes = str(4 * (os.cpu_count() or 1))
    report = diagnose(*controlled.command("cpu", shares, *AILING, "busy", "5", processes))
    finding = only(report, "cpu-saturated")
    assert f"the node has {os.cpu_count()} CPU" in finding["evidence"]


@pytest.mark.parametrize(
    ("arguments", "rule", "text"),
    [
        (("kill -ABRT $$", "3", "-6"), "processes-crashed", "sh SIGABRT 3"),
        (("kill -KILL $$", "2", "-9"), "processes-killed", "2 processes ended by SIGKILL: sh 2"),
        (("sleep 0.3; no-such-program", "7", "127"), "processes-failed", "sh 7 times with exit code 127"),
    ],
)
def test_processes_that_come_to_a_bad_end(arguments: tuple[str, ...], rule: str, text: str, diagnose: Diagnose) -> None:
    assert text in only(diagnose(*AILING, "children", *arguments), rule)["evidence"]


def test_files_that_are_never_closed(diagnose: Diagnose, shm: Path) -> None:
    finding = only(diagnose(*AILING, "leaking", str(shm), "18", flags=("--diagnose", "17s")), "descriptor-leak")
    assert "files more than at the start" in finding["evidence"]


def test_a_table_of_descriptors_that_is_nearly_full(diagnose: Diagnose) -> None:
    finding = only(diagnose(*AILING, "near_limit", flags=("--diagnose", "2s")), "descriptors-near-limit")
    assert "of 100 open" in finding["evidence"]
