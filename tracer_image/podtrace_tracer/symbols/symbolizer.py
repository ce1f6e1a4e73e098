"""Asks the reader of programs' files, and never waits for it: what it has not answered yet is not known yet."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from podtrace_tracer.children import command_of
from podtrace_tracer.symbols.program_file import Place

_OFFSETS_PER_QUESTION: Final = 32
_MAX_ANSWER: Final = 256 * 1024
_PATIENCE_S: Final = 20
_MAX_STARTS: Final = 5
_MAX_WAITING: Final = 20_000

Kind = Literal["program", "compiled"]
"""A program's file, or one that names what a process compiled for itself."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A place, and the id of the file that it is in."""

    place: Place
    build_id: str


@dataclass(kw_only=True)
class _Question:
    number: int
    kind: str
    file: str
    descriptor: int
    offsets: list[int]
    take: Callable[[int, Answer], None] = field(repr=False)


class Symbolizer:
    """The reader as a process that is started when it is first needed, and again if it ends over a file."""

    def __init__(self, command: Sequence[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._command = command or command_of("podtrace_tracer.symbols.worker")
        self._clock = clock
        self._waiting: deque[_Question] = deque()
        self._asked: _Question | None = None
        self._asked_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._starts = 0
        self._number = 0

    def ask(
        self,
        file: str,
        descriptor: int,
        offsets: Sequence[int],
        take: Callable[[int, Answer], None],
        *,
        kind: Kind = "program",
    ) -> None:
        """Asks for places in an open file, told from others by its name; `take` gets each offset with its answer."""
        for start in range(0, len(offsets), _OFFSETS_PER_QUESTION):
            part = list(offsets[start : start + _OFFSETS_PER_QUESTION])
            if len(self._waiting) >= _MAX_WAITING:
                _give_up(part, take)
                continue
            self._number += 1
            own = os.dup(descriptor)
            self._waiting.append(
                _Question(number=self._number, kind=kind, file=file, descriptor=own, offsets=part, take=take)
            )

    @property
    def is_busy(self) -> bool:
        """Are there questions without an answer?"""
        return bool(self._waiting or self._asked)

    def turn(self) -> None:
        """Takes the answers that have come, and asks the next question."""
        while self.is_busy:
            if self._asked is None and not self._ask_next():
                return
            if not self._take_answer():
                return

    def finish(self, until: float) -> None:
        """Waits for answers up to a moment of the clock; the rest is not known."""
        while self.is_busy and self._clock() < until:
            self.turn()
            if self._asked is not None and self._socket is not None:
                self._socket.settimeout(max(until - self._clock(), 0.001))
                with suppress(OSError):
                    self._socket.recv(1, socket.MSG_PEEK)
                self._socket.setblocking(False)
        for question in (*([self._asked] if self._asked else ()), *self._waiting):
            _give_up(question.offsets, question.take)
            os.close(question.descriptor)
        self._asked = None
        self._waiting.clear()

    def close(self) -> None:
        """Ends the reader."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._socket = None

    def _ask_next(self) -> bool:
        if self._process is None and not self._start():
            while self._waiting:
                question = self._waiting.popleft()
                _give_up(question.offsets, question.take)
                os.close(question.descriptor)
            return False
        assert self._socket is not None
        self._asked = question = self._waiting.popleft()
        self._asked_at = self._clock()
        text = json.dumps(
            {"number": question.number, "kind": question.kind, "file": question.file, "offsets": question.offsets}
        )
        with suppress(OSError):  # it has gone: that shows when its answer is read
            socket.send_fds(self._socket, [text.encode()], [question.descriptor])
        return True

    def _take_answer(self) -> bool:
        """Takes the answer, if it is there; a reader that died or is too slow leaves its question unanswered."""
        assert self._socket is not None
        assert self._asked is not None
        question, body = self._asked, None
        try:
            text = self._socket.recv(_MAX_ANSWER)
            body = _answers(text, question)
        except BlockingIOError:
            if self._clock() - self._asked_at < _PATIENCE_S:
                return False
        except OSError:
            pass
        self._asked = None
        os.close(question.descriptor)
        if body is None:
            self.close()
            _give_up(question.offsets, question.take)
            return True
        for offset, found in zip(question.offsets, body, strict=True):
            question.take(offset, found)
        return True

    def _start(self) -> bool:
        if self._starts >= _MAX_STARTS:
            return False
        self._starts += 1
        nothing = subprocess.DEVNULL
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                # In a session of its own: Ctrl+C is for the tracer to hear.
                self._process = subprocess.Popen(
                    self._command, stdin=theirs.fileno(), stdout=nothing, stderr=nothing, start_new_session=True
                )
            except OSError:
                ours.close()
                return False
        ours.setblocking(False)
        self._socket = ours
        return True


def _answers(text: bytes, question: _Question) -> list[Answer] | None:
    """The answers in a text, which is believed in its form only as far as it is checked; None if it is none."""
    try:
        body: Any = json.loads(text)
        places = [Place(int(address), str(symbol), str(source)) for address, symbol, source in body["places"]]
        build_id = str(body["build_id"])
    except (ValueError, TypeError, KeyError):
        return None
    if body.get("number") != question.number or len(places) != len(question.offsets):
        return None
    if any(not 0 <= place.address < 2**64 for place in places):
        return None
    return [Answer(place=place, build_id=build_id) for place in places]


def _give_up(offsets: Sequence[int], take: Callable[[int, Answer], None]) -> None:
    for offset in offsets:
        take(offset, Answer(place=Place(offset, "", ""), build_id=""))
