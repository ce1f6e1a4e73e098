"""Findings about the trace itself: nothing to see, operations that pass by what is counted, incomplete numbers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.bpf.conftest import Workloads
from tests.bpf.diagnosis import AILING, Diagnose, only
from tests.bpf.harness import ENTER_CGROUP


def test_a_process_that_does_nothing_is_idle(diagnose: Diagnose) -> None:
    with subprocess.Popen([*AILING, "wait"], stdout=subprocess.PIPE) as idle:
        assert idle.stdout is not None
        idle.stdout.readline()
        report = diagnose(flags=("--diagnose", "1s", "--pid", str(idle.pid)))
        idle.kill()
    assert only(report, "no-events")["severity"] == "info"
    assert "did nothing that was traced" in report["headline"]["verdict"]


def test_an_idle_cgroup_and_an_empty_one_are_told_apart(diagnose: Diagnose, cgroup: Path) -> None:
    flags = ("--diagnose", "1s", "--cgroup", str(cgroup))
    empty = only(diagnose(flags=flags), "no-events")
    assert (empty["severity"], empty["evidence"]) == ("warning", "the target is not running")
    with subprocess.Popen(
        ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), *AILING, "wait"], stdout=subprocess.PIPE
    ) as idle:
        assert idle.stdout is not None
        idle.stdout.readline()
        report = diagnose(flags=flags)
        idle.kill()
    assert only(report, "no-events")["severity"] == "info"


def test_what_goes_through_io_uring_is_told(diagnose: Diagnose, workloads: Workloads, shm: Path) -> None:
    finding = only(diagnose(str(workloads["uring"]), str(shm), typed=b"\n\n\n"), "io-uring")
    assert (finding["severity"], "io_uring" in finding["evidence"]) == ("info", True)


def test_a_trace_that_costs_too_much_and_gives_probes_up_is_incomplete(diagnose: Diagnose) -> None:
    # Whatever tracing costs, it is more than this part of a million; the tracer looks at it for three seconds first.
    report = diagnose(*AILING, "work", flags=("--diagnose", "12s", "--max-overhead", "0.0001"))
    finding = only(report, "trace-incomplete")
    assert finding["severity"] == "info"
    assert report["cost"]["shed"]
    assert "--max-overhead" in finding["next_step"]


def test_a_tracer_that_is_killed_leaves_an_incomplete_trace(diagnose: Diagnose) -> None:
    report = diagnose(*AILING, "bereave", code=1)
    finding = only(report, "trace-incomplete")
    assert (finding["severity"], report["trust"]["truncated"]) == ("warning", True)
