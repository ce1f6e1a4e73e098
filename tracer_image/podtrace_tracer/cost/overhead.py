"""Keeps what tracing costs the node in sight, and below the limit of the request by giving up probes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from kubectl_podtrace.wire.cost_records import Cost, ProgramCostRow, Shed
from kubectl_podtrace.wire.fields import MAX_TEXT
from kubectl_podtrace.wire.records import Notice, Record
from podtrace_tracer.collectors import base
from podtrace_tracer.cost.run_times import RunTimes
from podtrace_tracer.cost.shedding import ProbeGroup, Shedder, Verdict
from podtrace_tracer.kernel import syscalls
from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.stream.emit import Emitter

NOT_MEASURED: Final = "cost-not-measured"


class Overhead:
    """Samples, judges and gives up.

    `names` are those that reports show, by tracepoint or clock; into `blind` go the topics whose system calls are not
    looked at any more.
    """

    def __init__(
        self,
        programs: Programs,
        emitter: Emitter,
        *,
        groups: tuple[ProbeGroup, ...],
        names: dict[str, str],
        limit_ppm: int,
        cpus: int,
        machine: str,
        run_times: RunTimes,
        blind: set[str],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._programs = programs
        self._emitter = emitter
        self._names = names
        self._limit_ppm = limit_ppm
        self._cpus = cpus
        self._machine = machine
        self._run_times = run_times
        self._blind = blind
        self._clock = clock
        self._shedder = Shedder(groups, limit_ppm=limit_ppm, cpus=cpus)
        self._said: list[Record] = []
        self._was_told = False

    def turn(self, number: int) -> None:
        """Comes ten times a second."""
        sample = self._run_times.turn(number, is_calm=self._shedder.is_calm)
        if self._run_times.problem and not self._was_told:
            self._was_told = True
            text = f"the kernel does not measure what the programs cost: {self._run_times.problem}"
            kept = ", so --max-overhead cannot be kept" if self._limit_ppm else ""
            self._say(Notice(slug=NOT_MEASURED, text=(text + kept)[:MAX_TEXT]))
        verdict = self._shedder.judge(sample) if sample else None
        if verdict is not None:
            self._give_up(verdict)

    def finish(self) -> None:
        """Before the probes are detached: ends the sample that is being taken."""
        self._run_times.finish()

    def cost(self) -> Cost:
        """What it has come to."""
        misses = self._programs.recursion_misses()
        return Cost(
            wall_ns=self._run_times.wall_ns,
            measured_ns=self._run_times.measured_ns,
            cpus=self._cpus,
            tracer_ns=self._run_times.tracer_ns,
            rows=tuple(
                ProgramCostRow(
                    program=self._names.get(name, name), runs=runs, run_ns=run_ns, misses=misses.get(name, 0)
                )
                for name, (runs, run_ns) in self._run_times.programs().items()
                if runs or misses.get(name)
            ),
        )

    def records(self) -> list[Record]:
        """What it has come to, and all that was said."""
        return [self.cost(), *self._said]

    def _say(self, record: Record) -> None:
        self._said.append(record)
        self._emitter.emit(record)

    def _give_up(self, verdict: Verdict) -> None:
        group = verdict.group
        if group.calls:
            for number in syscalls.class_of_numbers(group.calls, self._machine):
                self._programs.set_number("syscall_classes", number, 0)
        else:
            self._programs.detach(group.tracepoints)
        if group.tracepoints == base.CALL_ENDS:
            self._blind.update(group.topics)
        self._say(
            Shed(
                shed_ns=self._clock(),
                probes=group.probes,
                topics=group.topics,
                operations=group.operations,
                lacks=group.lacks,
                overhead_ppm=verdict.overhead_ppm,
                limit_ppm=self._limit_ppm,
                cost_ppm=verdict.cost_ppm,
            )
        )
