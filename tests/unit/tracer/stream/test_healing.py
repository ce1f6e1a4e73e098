"""A stream whose lines got lost anywhere before its end tells the same in the end."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_podtrace.analysis.fold import Fold
from podtrace_tracer.stream.pace import YOUNG_S
from tests.unit.streams import folded
from tests.unit.tracer.busy import LongTrace


@cache
def recorded() -> tuple[tuple[bytes, ...], int, Fold]:
    """A stream, the number of its lines before the final snapshot, and what all of it tells."""
    trace = LongTrace(keys=20)
    trace.run(range(1, 36))
    trace.run(range(YOUNG_S, YOUNG_S + 40))
    before_the_end = len(trace.lines)
    trace.end()
    return tuple(trace.lines), before_the_end, folded(trace.lines)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_is_lost_before_the_final_snapshot_costs_no_number(data: st.DataObject) -> None:
    lines, before_the_end, whole = recorded()
    place = st.integers(0, before_the_end)
    runs = data.draw(st.lists(st.tuples(place, place), min_size=1, max_size=5))
    lost = {number for first, last in runs for number in range(min(first, last), max(first, last))}
    fold = folded(line for number, line in enumerate(lines) if number not in lost)
    assert fold.state() == whole.state()
    assert (fold.scopes, fold.header, fold.trailer_mismatches, fold.broken_rows) == (whole.scopes, whole.header, 0, 0)
    # What the header had not come for counts as missing too: nobody could read it.
    assert sum(gap.lines for gap in fold.gaps) == len(lost) + fold.early_lines


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_lines_of_the_final_snapshot_that_are_lost_are_never_passed_over_in_silence(data: st.DataObject) -> None:
    from kubectl_podtrace.analysis.trust import trust

    lines, before_the_end, whole = recorded()
    lost = data.draw(st.integers(before_the_end, len(lines) - 1))
    fold = folded(line for number, line in enumerate(lines) if number != lost)
    assert fold.state() == whole.state() or not trust(fold).complete
