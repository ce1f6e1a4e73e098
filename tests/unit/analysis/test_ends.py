from __future__ import annotations

from dataclasses import replace

from kubectl_podtrace.analysis.ends import Ends
from tests.unit.streams import SECOND, STARTED, Stream, process_end, scope


def test_ends_of_first_processes_and_kills_are_kept_and_other_ends_are_not() -> None:
    stream = Stream()
    stream.add(scope())
    stream.add(
        process_end("api", pid=1, at_s=3, code=7),
        process_end("worker", pid=12, at_s=4, signal=9),
        process_end("sh", pid=13, at_s=5, code=1),
        process_end("sh", pid=14, at_s=5, signal=15),
        replace(process_end("api", pid=1, at_s=6), operation="processes.exec"),
    )
    ends = stream.fold().ends
    assert [(end.comm, end.at_ns, end.code, end.signal, end.is_first) for end in ends.found] == [
        ("api", STARTED + 3 * SECOND, 7, 0, True),
        ("worker", STARTED + 4 * SECOND, 0, 9, False),
    ]
    assert ends.left_out == 0


def test_ends_without_a_place_are_counted() -> None:
    ends = Ends(capacity=2)
    for pid in range(5):
        ends.add(process_end("worker", pid=10 + pid, at_s=1, signal=9))
    assert (len(ends.found), ends.left_out) == (2, 3)
