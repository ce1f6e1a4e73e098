from __future__ import annotations

import pytest

from podtrace_tracer.stream.event_room import EVENT_BYTES_PER_S, OPERATION_BYTES_PER_S, EventRoom, Rank, rank_of
from tests.unit.tracer.events import an_event

SIZE = 256


def flood(room: EventRoom, operation: str, *, times: int = 1000, **outcome: int) -> int:
    """So many bytes of this kind get through."""
    event, sent = an_event(operation, **outcome), 0
    for _ in range(times):
        if room.has_place(event):
            room.take(event, SIZE)
            sent += SIZE
    return sent


@pytest.mark.parametrize(
    ("operation", "outcome", "rank"),
    [
        ("files.open", {"errno": 2}, Rank.DETAIL),
        ("files.fsync", {"slow": True}, Rank.DETAIL),
        ("tcp.send", {"errno": 104}, Rank.DETAIL),
        ("connections.attempt", {}, Rank.CHANGE),
        ("connections.accept", {}, Rank.CHANGE),
        ("processes.exec", {}, Rank.CHANGE),
        ("processes.exit", {}, Rank.CHANGE),
        ("connections.attempt", {"errno": 111}, Rank.FAILURE),
        ("connections.failure", {}, Rank.FAILURE),
        ("processes.exec", {"errno": 2}, Rank.FAILURE),
        ("processes.exit", {"result": 1}, Rank.FAILURE),
        ("processes.exit", {"signal": 11}, Rank.FAILURE),
        ("processes.exit", {"signal": 9}, Rank.END),
        ("processes.exit", {"pid": 1}, Rank.END),
    ],
)
def test_an_event_ranks_by_what_it_tells(operation: str, outcome: dict[str, int], rank: Rank) -> None:
    assert rank_of(an_event(operation, **outcome)) is rank


def test_one_operation_gets_a_quarter_of_a_second_s_room_at_most() -> None:
    room = EventRoom()
    assert flood(room, "files.open", errno=2) == OPERATION_BYTES_PER_S
    assert flood(room, "files.fsync") == OPERATION_BYTES_PER_S


def test_floods_of_failed_file_operations_leave_half_of_the_room_to_the_rest() -> None:
    room = EventRoom()
    operations = ("files.open", "files.unlink", "files.rename", "files.read", "tcp.send")
    assert sum(flood(room, operation, errno=2) for operation in operations) == EVENT_BYTES_PER_S // 2
    assert flood(room, "connections.attempt") == EVENT_BYTES_PER_S // 8
    assert flood(room, "connections.attempt", errno=111) == OPERATION_BYTES_PER_S


def test_floods_of_everything_that_went_well_leave_a_quarter_to_failed_connections() -> None:
    room = EventRoom()
    well = ("connections.attempt", "connections.accept", "processes.exec", "processes.exit", "processes.fork_process")
    assert sum(flood(room, operation) for operation in well) == EVENT_BYTES_PER_S * 5 // 8
    assert flood(room, "files.open", errno=2) == 0
    assert flood(room, "connections.attempt", errno=111) == OPERATION_BYTES_PER_S


def test_no_flood_of_failures_hides_the_end_of_a_container() -> None:
    room = EventRoom()
    operations = ("connections.failure", "processes.exec", "connections.attempt", "connections.accept")
    assert sum(flood(room, operation, errno=2) for operation in operations) == EVENT_BYTES_PER_S * 7 // 8
    assert flood(room, "processes.exit", result=1) == 0
    assert flood(room, "processes.exit", signal=9) == EVENT_BYTES_PER_S // 8


def test_all_floods_together_stay_within_the_second_s_room() -> None:
    room = EventRoom()
    operations = ("connections.failure", "processes.exec", "processes.exit", "connections.attempt", "files.open")
    sent = [flood(room, operation, errno=errno) for operation in operations for errno in (2, 0)]
    sent.append(flood(room, "processes.exit", pid=1))
    assert sum(sent) == EVENT_BYTES_PER_S


def test_the_next_second_has_all_its_room_again() -> None:
    room = EventRoom()
    flood(room, "files.open", errno=2)
    room.clear()
    assert flood(room, "files.open", errno=2) == OPERATION_BYTES_PER_S
