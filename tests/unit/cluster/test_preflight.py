from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from kubectl_podtrace.cluster.preflight import Questions

WAIT_S = 20.0
"""Only a failing test ever waits as long."""


def test_questions_are_asked_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=WAIT_S)
    questions = Questions(at_a_time=3)
    asked = [questions.ask(meeting.wait) for _ in range(3)]
    assert {each.result(WAIT_S) for each in asked} == {0, 1, 2}


def test_no_more_are_asked_at_the_same_time_than_there_are_turns() -> None:
    inside, lock, most = 0, threading.Lock(), []
    meeting = threading.Barrier(2, timeout=WAIT_S)

    def count() -> None:
        nonlocal inside
        with lock:
            inside += 1
            most.append(inside)
        meeting.wait()
        with lock:
            inside -= 1
        meeting.wait()

    questions = Questions(at_a_time=2)
    asked: list[Future[None]] = [questions.ask(count) for _ in range(6)]
    for each in asked:
        each.result(WAIT_S)
    assert max(most) == 2


def test_an_answer_that_is_an_error_is_raised_where_it_is_wanted() -> None:
    asked = Questions().ask(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        asked.result(WAIT_S)
