"""Run times from samples, by clocks and counters that a test moves."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from podtrace_tracer.cost.run_times import TURNS_PER_CALM_SAMPLE, TURNS_PER_SAMPLE, RunTimes, Sample
from podtrace_tracer.programs.bpf import RunTime
from tests.unit.tracer.memory_programs import MemoryPrograms

TURN_NS = 100_000_000


class Kernel:
    """Counts runs while it is asked to measure; a run takes 100 ns."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.now = 5_000_000_000
        self.own_ns = 700
        self.programs = MemoryPrograms()
        self.descriptors: list[int] = []
        self._refuses = refuses
        self.run_times = RunTimes(
            self.programs, clock=lambda: self.now, own_clock=lambda: self.own_ns, enable=self._enable
        )

    def _enable(self) -> int:
        if self._refuses:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        self.descriptors.append(os.open("/dev/null", os.O_RDONLY))
        return self.descriptors[-1]

    @property
    def measures(self) -> bool:
        return bool(self.descriptors) and Path(f"/proc/self/fd/{self.descriptors[-1]}").exists()

    def pass_turn(self, number: int, *, is_calm: bool = False, **runs: int) -> Sample | None:
        """A tenth of a second in which programs run so often; only what the kernel measures is counted."""
        self.now += TURN_NS
        self.own_ns += 1_000
        for name, count in runs.items():
            known = self.programs.times.get(name, RunTime(0, 0))
            measured = count if self.measures else 0
            self.programs.times[name] = RunTime(known.runs + measured, known.ns + 100 * measured)
        return self.run_times.turn(number, is_calm=is_calm)


def test_one_turn_in_eleven_is_measured_and_stands_for_the_time_since_the_last_one() -> None:
    kernel = Kernel()
    samples = {number: kernel.pass_turn(number, sys_enter=50) for number in range(1, 3 * TURNS_PER_SAMPLE)}
    found = {number: sample for number, sample in samples.items() if sample is not None}
    assert list(found) == [2, 2 + TURNS_PER_SAMPLE, 2 + 2 * TURNS_PER_SAMPLE]
    assert found[13] == Sample(wall_ns=11 * TURN_NS, tracer_ns=11_000, run_ns={"sys_enter": 11 * 50 * 100})
    assert kernel.run_times.programs() == {"sys_enter": RunTime(24 * 50, 24 * 50 * 100)}
    assert (kernel.run_times.wall_ns, kernel.run_times.measured_ns) == (24 * TURN_NS, 3 * TURN_NS)
    assert kernel.run_times.tracer_ns == 24_000


def test_the_kernel_measures_during_samples_only() -> None:
    kernel = Kernel()
    measured = []
    for number in range(1, 15):
        kernel.pass_turn(number)
        measured.append(kernel.measures)
    assert [number for number, on in enumerate(measured, start=1) if on] == [1, 12]


def test_in_the_calm_one_turn_in_51_is_measured_and_stands_for_all_of_that_time() -> None:
    kernel = Kernel()
    turns = range(1, 2 * TURNS_PER_CALM_SAMPLE + 3)
    samples = {number: kernel.pass_turn(number, is_calm=number > 1, sys_enter=50) for number in turns}
    found = {number: sample for number, sample in samples.items() if sample is not None}
    assert list(found) == [2, 2 + TURNS_PER_CALM_SAMPLE, 2 + 2 * TURNS_PER_CALM_SAMPLE]
    assert found[53] == Sample(wall_ns=51 * TURN_NS, tracer_ns=51_000, run_ns={"sys_enter": 51 * 50 * 100})


def test_the_end_of_the_calm_brings_the_next_sample_forward() -> None:
    kernel = Kernel()
    measured = []
    for number in range(1, 40):
        kernel.pass_turn(number, is_calm=1 < number < 30)
        measured.append(kernel.measures)
    assert [number for number, on in enumerate(measured, start=1) if on] == [1, 30]


def test_a_sample_that_lasts_longer_than_its_turn_is_taken_for_what_it_is() -> None:
    kernel = Kernel()
    kernel.pass_turn(1)
    kernel.now += 3 * TURN_NS
    sample = kernel.pass_turn(5, sys_enter=50)
    assert sample == Sample(wall_ns=5 * TURN_NS, tracer_ns=2_000, run_ns={"sys_enter": 50 * 100 * 5 // 4})


def test_the_end_of_the_trace_ends_a_sample_and_a_second_end_does_nothing() -> None:
    kernel = Kernel()
    kernel.pass_turn(1)
    kernel.now += TURN_NS // 2
    assert kernel.run_times.finish() is not None
    assert (kernel.measures, kernel.run_times.finish()) == (False, None)


def test_a_program_that_was_attached_in_the_middle_of_a_sample_counts_from_then() -> None:
    kernel = Kernel()
    kernel.pass_turn(1)
    sample = kernel.pass_turn(2, late=3)
    assert sample is not None
    assert sample.run_ns == {"late": 3 * 100 * 2}


def test_a_kernel_that_does_not_measure_is_asked_once_and_says_why() -> None:
    kernel = Kernel(refuses=True)
    assert [kernel.pass_turn(number, sys_enter=1) for number in range(1, 30)] == [None] * 29
    assert kernel.run_times.problem == "Operation not permitted"
    assert (kernel.run_times.wall_ns, kernel.run_times.measured_ns) == (0, 0)
