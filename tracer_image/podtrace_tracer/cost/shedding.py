"""Which probes to give up when tracing costs the node more than it may. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from podtrace_tracer.cost.run_times import Sample

PATIENCE_NS: Final = 3_000_000_000
"""So long the limit has to be exceeded without a break: a burst is not shed."""
CALM_SAMPLES: Final = 10
CALM_PARTS: Final = 5
"""After so many samples below a fifth of the limit, tracing is far from it."""


@dataclass(frozen=True, kw_only=True)
class ProbeGroup:
    """What can be given up at once: the programs of `tracepoints`, on which numbers of `topics` rest.

    `calls` are the system calls that are looked at no more, while their probes stay; without any, the probes are
    detached. `lacks` says what is not counted then, `operations` which are counted no more at all.
    """

    tracepoints: tuple[str, ...]
    probes: tuple[str, ...]
    topics: tuple[str, ...]
    operations: tuple[str, ...]
    lacks: str
    calls: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The group to give up, and why: shares of the node's CPU time in millionths."""

    group: ProbeGroup
    overhead_ppm: int
    cost_ppm: int


class Shedder:
    """Watches the samples; the noisiest group goes when they have been above the limit for long enough."""

    def __init__(self, groups: Sequence[ProbeGroup], *, limit_ppm: int, cpus: int) -> None:
        self._groups = list(groups)
        self._limit_ppm = limit_ppm
        self._cpus = cpus
        self._above_ns = 0
        self._tracer_ns = 0
        self._run_ns: Counter[str] = Counter()
        self._calm_samples = 0

    @property
    def is_calm(self) -> bool:
        """Has tracing been far below the limit for a while? Then samples are needed less often."""
        return self._calm_samples >= CALM_SAMPLES

    def judge(self, sample: Sample) -> Verdict | None:
        """Takes in a sample; says what to give up, which then counts as given up."""
        if not self._limit_ppm or sample.wall_ns <= 0:
            return None
        overhead_ppm = self._ppm(sample.tracer_ns + sum(sample.run_ns.values()), sample.wall_ns)
        was_calm = self.is_calm
        self._calm_samples = self._calm_samples + 1 if overhead_ppm * CALM_PARTS < self._limit_ppm else 0
        # A sample out of the calm ends it and is no proof: it stands for seconds, of which it saw too little.
        if overhead_ppm <= self._limit_ppm or was_calm or not self._groups:
            self._forget()
            return None
        self._above_ns += sample.wall_ns
        self._tracer_ns += sample.tracer_ns
        self._run_ns.update(sample.run_ns)
        if self._above_ns < PATIENCE_NS:
            return None
        # Of two that hang on the same programs the first one goes first.
        noisiest = max(self._groups, key=self._cost_ns)
        verdict = Verdict(
            group=noisiest,
            overhead_ppm=self._ppm(self._tracer_ns + self._run_ns.total(), self._above_ns),
            cost_ppm=self._ppm(self._cost_ns(noisiest), self._above_ns),
        )
        self._groups.remove(noisiest)
        self._forget()
        return verdict

    def _cost_ns(self, group: ProbeGroup) -> int:
        return sum(self._run_ns[name] for name in group.tracepoints)

    def _ppm(self, used_ns: int, wall_ns: int) -> int:
        return used_ns * 1_000_000 // (wall_ns * self._cpus)

    def _forget(self) -> None:
        self._above_ns = self._tracer_ns = 0
        self._run_ns.clear()
