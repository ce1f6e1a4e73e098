"""What goes, and when: samples in, decisions out."""

from __future__ import annotations

import pytest

from podtrace_tracer.cost.run_times import Sample
from podtrace_tracer.cost.shedding import CALM_SAMPLES, ProbeGroup, Shedder, Verdict

SECOND = 1_000_000_000
CPUS = 4


def group(*tracepoints: str, lacks: str = "") -> ProbeGroup:
    return ProbeGroup(tracepoints=tracepoints, probes=tracepoints, topics=("cpu",), operations=(), lacks=lacks)


SWITCHES = group("sched_switch", "sched_wakeup")
TRANSFERS, OTHERS = group("sys_exit", "sys_enter", lacks="reads"), group("sys_exit", "sys_enter", lacks="opens")


def sample(share: float, *, of: dict[str, float] | None = None, wall_ns: int = SECOND, tracer: float = 0) -> Sample:
    """So much of the node's CPU time, by default all of it at the ends of system calls."""
    node_ns = wall_ns * CPUS
    run_ns = {name: round(part * share * node_ns) for name, part in (of or {"sys_enter": 0.5, "sys_exit": 0.5}).items()}
    return Sample(wall_ns=wall_ns, tracer_ns=round(tracer * node_ns), run_ns=run_ns)


def shedder(*groups: ProbeGroup, limit_ppm: int = 50_000) -> Shedder:
    return Shedder(groups or (SWITCHES, TRANSFERS, OTHERS), limit_ppm=limit_ppm, cpus=CPUS)


def judged(found: Shedder, *samples: Sample) -> list[Verdict | None]:
    return [found.judge(each) for each in samples]


def test_three_seconds_above_the_limit_shed_the_noisiest_group() -> None:
    *before, verdict = judged(shedder(), sample(0.06), sample(0.06), sample(0.06))
    assert before == [None, None]
    assert verdict == Verdict(group=TRANSFERS, overhead_ppm=60_000, cost_ppm=60_000)


def test_a_second_below_the_limit_starts_the_patience_anew() -> None:
    found = shedder()
    assert judged(found, *[sample(0.06), sample(0.06), sample(0.04), sample(0.06), sample(0.06)]) == [None] * 5
    assert found.judge(sample(0.06)) is not None


def test_exactly_the_limit_is_allowed() -> None:
    assert judged(shedder(), *[sample(0.05)] * 10) == [None] * 10


def test_the_tracer_s_own_time_counts() -> None:
    *_, verdict = judged(shedder(), *[sample(0.03, tracer=0.03)] * 3)
    assert verdict == Verdict(group=TRANSFERS, overhead_ppm=60_000, cost_ppm=30_000)


def test_after_one_group_has_gone_the_next_one_has_three_seconds_too() -> None:
    found = shedder()
    verdicts = judged(found, *[sample(0.06)] * 9)
    gone = [number for number, verdict in enumerate(verdicts, start=1) if verdict]
    assert gone == [3, 6, 9]
    assert [verdict.group for verdict in verdicts if verdict] == [TRANSFERS, OTHERS, SWITCHES]
    assert judged(found, *[sample(0.9)] * 10) == [None] * 10


def test_noise_is_judged_over_all_of_the_time_above_the_limit() -> None:
    calls, switches = {"sys_enter": 1.0}, {"sched_switch": 0.7, "sched_wakeup": 0.3}
    *_, verdict = judged(shedder(), sample(0.06, of=switches), sample(0.3, of=calls), sample(0.06, of=switches))
    assert verdict is not None
    assert (verdict.group, verdict.overhead_ppm, verdict.cost_ppm) == (TRANSFERS, 140_000, 100_000)


def test_programs_of_no_group_are_part_of_the_cost_and_stay() -> None:
    *_, verdict = judged(shedder(SWITCHES), *[sample(0.5, of={"sched_process_exec": 1.0})] * 3)
    assert verdict == Verdict(group=SWITCHES, overhead_ppm=500_000, cost_ppm=0)


def test_long_samples_count_for_as_long_as_they_are() -> None:
    assert shedder().judge(sample(0.06, wall_ns=3 * SECOND)) is not None


def test_it_is_calm_after_ten_samples_below_a_fifth_of_the_limit() -> None:
    found = shedder()
    judged(found, *[sample(0.0099)] * (CALM_SAMPLES - 1))
    assert not found.is_calm
    judged(found, sample(0.01), *[sample(0.0099)] * (CALM_SAMPLES - 1))
    assert not found.is_calm  # one of them was not below
    found.judge(sample(0.0099))
    assert found.is_calm


@pytest.mark.parametrize("share", [0.01, 0.04, 0.9])
def test_any_sample_that_is_not_below_ends_the_calm(share: float) -> None:
    found = shedder()
    judged(found, *[sample(0)] * CALM_SAMPLES)
    assert found.is_calm
    found.judge(sample(share))
    assert not found.is_calm


def test_a_sample_out_of_the_calm_sheds_nothing_however_long_it_stands_for() -> None:
    found = shedder()
    judged(found, *[sample(0)] * CALM_SAMPLES)
    assert judged(found, sample(0.9, wall_ns=5 * SECOND), sample(0.9), sample(0.9)) == [None] * 3
    assert found.judge(sample(0.9)) is not None


def test_without_a_limit_it_is_never_calm() -> None:
    found = shedder(limit_ppm=0)
    judged(found, *[sample(0)] * 20)
    assert not found.is_calm


@pytest.mark.parametrize("wall_ns", [0, -5])
def test_a_sample_of_no_time_says_nothing(wall_ns: int) -> None:
    assert shedder().judge(Sample(wall_ns=wall_ns, tracer_ns=9, run_ns={"sys_enter": 9})) is None


def test_a_limit_of_nothing_means_that_nothing_is_shed() -> None:
    assert judged(shedder(limit_ppm=0), *[sample(0.9)] * 10) == [None] * 10
