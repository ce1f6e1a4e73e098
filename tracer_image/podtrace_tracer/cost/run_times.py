"""What the programs cost, from samples: the kernel measures them for a tenth of a second now and then."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from podtrace_tracer.kernel import bpf_syscall
from podtrace_tracer.programs.bpf import Programs, RunTime

TURNS_PER_SAMPLE: Final = 11
"""One turn (a tenth of a second) in eleven: the kernel reads its clock twice around each run, which costs as much as a
short program does. Not in ten: what is done once a second would be met always or never."""
TURNS_PER_CALM_SAMPLE: Final = 51
"""One in so many where little is spent: switching the measurement on and off patches code that all CPUs may run. Not in
fifty, see above."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What tracing took in the `wall_ns` since the sample before.

    `run_ns` by program is estimated from the part that was measured; `tracer_ns`, the tracer's own CPU time, is exact.
    """

    wall_ns: int
    tracer_ns: int
    run_ns: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """Where the clocks and counters stood."""

    at_ns: int
    programs: dict[str, RunTime]


class RunTimes:
    """Adds up samples. `enable` has the kernel measure until the descriptor that it gives is closed; raises OSError."""

    def __init__(
        self,
        programs: Programs,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        own_clock: Callable[[], int] = time.process_time_ns,
        enable: Callable[[], int] = bpf_syscall.enable_run_times,
    ) -> None:
        self._programs = programs
        self._clock = clock
        self._own_clock = own_clock
        self._enable = enable
        self._descriptor: int | None = None
        self._opened: _Reading | None = None
        self._last_turn = -TURNS_PER_SAMPLE
        self._sampled_ns = self._started_ns = clock()
        self._own_sampled_ns = self._own_started_ns = own_clock()
        self._ns: Counter[str] = Counter()
        self._runs: Counter[str] = Counter()
        self.measured_ns = 0
        self.problem = ""
        """Why the kernel does not measure; empty where it does."""

    @property
    def wall_ns(self) -> int:
        """For how long it has been asked to know, up to the last sample."""
        return self._sampled_ns - self._started_ns

    @property
    def tracer_ns(self) -> int:
        """The tracer's own CPU time in `wall_ns`."""
        return self._own_sampled_ns - self._own_started_ns

    def programs(self) -> dict[str, RunTime]:
        """Runs and their time by program, estimated for all of `wall_ns`."""
        return {name: RunTime(self._runs[name], self._ns[name]) for name in self._programs.run_times()}

    def turn(self, number: int, *, is_calm: bool = False) -> Sample | None:
        """Comes ten times a second; gives a sample where one ends. Where it `is_calm` they are taken less often."""
        if self._opened is not None:
            return self.finish()
        turns = TURNS_PER_CALM_SAMPLE if is_calm else TURNS_PER_SAMPLE
        if number >= self._last_turn + turns and not self.problem:
            self._last_turn = number
            self._open()
        return None

    def finish(self) -> Sample | None:
        """Ends a sample that is being taken."""
        opened, self._opened = self._opened, None
        if opened is None:
            return None
        closed = _Reading(at_ns=self._clock(), programs=self._programs.run_times())
        self._close()
        return self._sample(opened, closed)

    def _close(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> None:
        try:
            self._descriptor = self._enable()
        except OSError as error:
            self.problem = error.strerror or str(error)
            return
        self._opened = _Reading(programs=self._programs.run_times(), at_ns=self._clock())

    def _sample(self, opened: _Reading, closed: _Reading) -> Sample:
        own_ns = self._own_clock()
        measured_ns = max(closed.at_ns - opened.at_ns, 1)
        sample = Sample(
            wall_ns=closed.at_ns - self._sampled_ns,
            tracer_ns=own_ns - self._own_sampled_ns,
            run_ns={},
        )
        for name, now in closed.programs.items():
            before = opened.programs.get(name, RunTime(0, 0))
            sample.run_ns[name] = (now.ns - before.ns) * sample.wall_ns // measured_ns
            self._ns[name] += sample.run_ns[name]
            self._runs[name] += (now.runs - before.runs) * sample.wall_ns // measured_ns
        self.measured_ns += measured_ns
        self._sampled_ns, self._own_sampled_ns = closed.at_ns, own_ns
        return sample
