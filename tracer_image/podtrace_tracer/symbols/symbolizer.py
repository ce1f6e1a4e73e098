"""Asks the reader of programs' files, and never waits for it: what it has not answered yet is not known yet."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from podtrace_tracer.children import command_of
from podtrace_tracer.symbols.place import Place, Wanted

_OFFSETS_PER_QUESTION: Final = 32
_MAX_ANSWER: Final = 256 * 1024
_PATIENCE_S: Final = 20
_MAX_STARTS: Final = 5
_MAX_WAITING: Final = 20_000
"""So many places."""

Kind = Literal["program", "compiled"]
"""A program's file, or one that names what a process compiled for itself."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A place, and the id of the file that it is in."""

    place: Place
    build_id: str


Take = Callable[[int, Answer], None]
"""Gets each offset with its answer."""


@dataclass(kw_only=True)
class _Waiting:
    """What is still to be asked about a file, which is held open until then."""

    kind: str
    descriptor: int
    places: list[tuple[int, Take]]


@dataclass(frozen=True, kw_only=True)
class _Question:
    number: int
    places: Sequence[tuple[int, Take]]


class Symbolizer:
    """The reader as a process that is started when it is first needed, and again if it ends over a file.

    One question is under way at a time; what is asked meanwhile about the same file goes into the same later question,
    since much of what the reader does it does for each question.
    """

    def __init__(self, command: Sequence[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._command = command or command_of("podtrace_tracer.symbols.worker")
        self._clock = clock
        self._files: OrderedDict[tuple[str, Wanted], _Waiting] = OrderedDict()
        self._waiting = 0
        self._asked: _Question | None = None
        self._asked_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._answered = select.epoll()
        self._starts = 0
        self._number = 0

    @property
    def wake_descriptor(self) -> int:
        """Becomes ready once when an answer has come."""
        return self._answered.fileno()

    def ask(
        self,
        file: str,
        descriptor: int,
        offsets: Sequence[int],
        take: Take,
        *,
        kind: Kind = "program",
        wanted: Wanted = "line",
    ) -> None:
        """Asks for places in an open file, told from others by its name."""
        room = max(_MAX_WAITING - self._waiting, 0)
        waiting = self._files.get((file, wanted))
        if waiting is None and room:
            try:
                waiting = _Waiting(kind=kind, descriptor=os.dup(descriptor), places=[])
            except OSError:
                room = 0  # too many files are open
            else:
                self._files[file, wanted] = waiting
        if waiting is not None:
            waiting.places += ((offset, take) for offset in offsets[:room])
            self._waiting += len(offsets[:room])
        _give_up((offset, take) for offset in offsets[room:])

    @property
    def is_busy(self) -> bool:
        """Are there questions without an answer?"""
        return bool(self._files or self._asked)

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
        if self._asked is not None:
            _give_up(self._asked.places)
        self._asked = None
        self._give_all_up()

    def _give_all_up(self) -> None:
        for waiting in self._files.values():
            _give_up(waiting.places)
            os.close(waiting.descriptor)
        self._files.clear()
        self._waiting = 0

    def close(self) -> None:
        """Ends the reader."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._socket = None

    def _ask_next(self) -> bool:
        """Asks about the file whose turn it is; with more to be asked it comes again behind all others."""
        if self._process is None and not self._start():
            self._give_all_up()
            return False
        assert self._socket is not None
        (name, wanted), waiting = self._files.popitem(last=False)
        places, waiting.places = waiting.places[:_OFFSETS_PER_QUESTION], waiting.places[_OFFSETS_PER_QUESTION:]
        self._waiting -= len(places)
        self._number += 1
        self._asked = _Question(number=self._number, places=places)
        self._asked_at = self._clock()
        offsets = [offset for offset, _ in places]
        text = json.dumps(
            {"number": self._number, "kind": waiting.kind, "file": name, "offsets": offsets, "wanted": wanted}
        )
        with suppress(OSError):  # it has gone: that shows when its answer is read
            socket.send_fds(self._socket, [text.encode()], [waiting.descriptor])
        self._answered.modify(self._socket, select.EPOLLIN | select.EPOLLONESHOT)
        if waiting.places:
            self._files[name, wanted] = waiting
        else:
            os.close(waiting.descriptor)
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
        if body is None:
            self.close()
            _give_up(question.places)
            return True
        for (offset, take), found in zip(question.places, body, strict=True):
            take(offset, found)
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
        self._answered.register(ours, select.EPOLLONESHOT)
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
    if body.get("number") != question.number or len(places) != len(question.places):
        return None
    if any(not 0 <= place.address < 2**64 for place in places):
        return None
    return [Answer(place=place, build_id=build_id) for place in places]


def _give_up(places: Iterable[tuple[int, Take]]) -> None:
    for offset, take in places:
        take(offset, Answer(place=Place(offset, "", ""), build_id=""))
