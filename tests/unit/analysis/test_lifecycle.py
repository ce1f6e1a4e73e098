"""The section lifecycle, against what was put into the stream."""

from __future__ import annotations

import pytest

from kubectl_podtrace.analysis.lifecycle import lifecycle
from kubectl_podtrace.analysis.pod_timeline import OOM_KILLED, Incident, Kind, PodTimeline
from kubectl_podtrace.analysis.selection import Selection
from kubectl_podtrace.wire.lifecycle_records import LifetimeRow, Lifetimes
from kubectl_podtrace.wire.records import Totals
from tests.unit.analysis.selections import selection_of
from tests.unit.process_records import lifetime_row
from tests.unit.report.reports import second
from tests.unit.streams import SECOND, STARTED, Stream, timed


def selection(*rows: LifetimeRow, ended: int = 0) -> Selection:
    stream = Stream()
    row, histogram = timed("processes.exit", [SECOND] * (ended or sum(row.count for row in rows)))
    stream.add(Totals(rows=(row,)), histogram, Lifetimes(rows=rows))
    stream.end(60)
    return selection_of(stream.fold())


def looping(comm: str, *, count: int = 3, code: int = 0, signal: int = 0, seconds: int = 20) -> LifetimeRow:
    """They ended from the second to this second of the trace."""
    return lifetime_row(
        comm, code=code, signal=signal, count=count, lifetime_ns=count * SECOND, last_ns=STARTED + seconds * SECOND
    )


def test_programs_are_listed_with_how_they_ended_those_first_that_ended_badly() -> None:
    section = lifecycle(
        selection(
            lifetime_row("job", count=5, lifetime_ns=5 * SECOND, longest_ns=2 * SECOND),
            lifetime_row("web", signal=11, count=2, lifetime_ns=4 * SECOND, longest_ns=3 * SECOND),
            lifetime_row("web", signal=9, oom_kills=1),
            lifetime_row("web", signal=15),
            lifetime_row("grep", code=1, count=7),
            lifetime_row("grep", code=2),
        )
    )
    assert (section.ended, section.failed, section.oom_kills) == (17, 4, 1)
    web, grep, job = section.programs
    assert (web.comm, web.ended, web.failed, web.signals) == ("web", 4, 3, {"SIGSEGV": 2, "SIGKILL": 1, "SIGTERM": 1})
    assert (web.lifetime_avg_ns, web.lifetime_max_ns, web.oom_kills) == (SECOND, 3 * SECOND, 1)
    assert (grep.comm, grep.failed, grep.codes) == ("grep", 1, {"1": 7, "2": 1})
    assert (job.comm, job.failed, job.lifetime_avg_ns) == ("job", 0, SECOND)


def test_what_is_not_listed_is_added_up() -> None:
    rows = [lifetime_row(f"p{number}", count=number) for number in range(1, 104)]
    section = lifecycle(selection(*rows, ended=sum(row.count for row in rows) + 11))
    assert len(section.programs) == 101
    assert (section.programs[-1].comm, section.programs[-1].ended) == ("(other)", 1 + 2 + 3 + 11)
    assert sum(each.ended for each in section.programs) == section.ended


def test_the_same_bad_end_again_and_again_is_a_loop() -> None:
    section = lifecycle(selection(looping("web", code=3, count=5, seconds=21), looping("job", signal=6, seconds=9)))
    web, job = section.crash_loops
    assert (web.kind, web.name, web.count, web.code, web.signal) == ("program", "web", 5, 3, 0)
    assert (web.every_s, web.lifetime_avg_ns, web.first_s, web.last_s) == (5, SECOND, 1, 21)
    assert (job.name, job.signal, job.every_s) == ("job", 6, 4)


@pytest.mark.parametrize(
    "rows",
    [
        (looping("web", code=3, count=2),),
        (looping("web", code=3, count=3, seconds=1),),
        (looping("web", signal=15),),
        (looping("grep", code=1, count=100),),
        (looping("web", code=3), looping("web", count=4)),
        (looping("web", code=3, count=2), looping("web", code=4, count=2)),
    ],
    ids=["too few", "all at once", "asked to end", "an answer", "mostly well", "differently"],
)
def test_other_ends_are_no_loop(rows: tuple[LifetimeRow, ...]) -> None:
    assert lifecycle(selection(*rows)).crash_loops == ()


def incident(kind: Kind, at_s: int, *, code: int, container: str = "api", reason: str = "Error") -> Incident:
    return Incident(at=second(at_s), kind=kind, container=container, exit_code=code, reason=reason)


def test_an_end_that_somebody_asked_for_is_of_no_loop() -> None:
    asked = Incident(at=second(10), kind="deletion")
    pod = PodTimeline(incidents=(incident("end", 5, code=3), asked, incident("end", 12, code=143)), left_out=0)
    assert lifecycle(Selection(start_ns=0, end_ns=0, counters={}, histograms={}, errors={}), pod).crash_loops == ()


def test_a_container_of_which_two_runs_ended_badly_is_in_a_loop() -> None:
    pod = PodTimeline(
        incidents=(
            incident("end", 4, code=3),
            incident("end", 5, code=3, container="once"),
            incident("end", 6, code=0, container="well"),
            incident("oom_kill", 18, code=137, reason=OOM_KILLED),
            incident("end", 20, code=0, container="well"),
        ),
        left_out=0,
    )
    (loop,) = lifecycle(selection(), pod).crash_loops
    assert (loop.kind, loop.name, loop.count, loop.every_s) == ("container", "api", 2, 14)
    assert (loop.code, loop.reason, loop.oom_kills) == (137, OOM_KILLED, 1)


def test_nothing_that_ended_is_nothing() -> None:
    section = lifecycle(selection_of(Stream().fold()))
    assert (section.ended, section.programs, section.crash_loops, section.lifetimes.count) == (0, (), (), 0)
