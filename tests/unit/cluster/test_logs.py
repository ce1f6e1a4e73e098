"""Following a log through everything that ends, cuts or garbles one, without HTTP and without time passing."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.cluster.logs import Life, LogFollower
from kubectl_podtrace.cluster.transport import StreamBrokenError
from kubectl_podtrace.errors import ApiError, PodtraceError
from kubectl_podtrace.wire.codec import ends_stream
from tests.unit.shop import shop_stream

HOUR_S = 3600.0


@dataclass(kw_only=True)
class Chunks:
    """A stream of the given chunks; an exception among them is raised, a number of seconds passes."""

    chunks: Iterator[bytes | float | Exception]
    clock: Clock
    closed: bool = False

    def read(self) -> bytes:
        for chunk in self.chunks:
            match chunk:
                case bytes():
                    return chunk
                case float():
                    self.clock.now += chunk
                case _:
                    raise chunk
        return b""

    def close(self) -> None:
        self.closed = True


@dataclass(kw_only=True)
class Clock:
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


Script = Iterable[bytes | float | Exception] | PodtraceError | None
CUT = StreamBrokenError("cut")
NO_ANSWER = ApiError("the kubelet does not answer")


@dataclass(kw_only=True)
class Log:
    """A log's follower, and what it asks for: one script for each time that the log is opened, then `otherwise`."""

    scripts: list[Script]
    otherwise: Script = None
    lives: list[Life | PodtraceError] = field(default_factory=list)
    is_last: Callable[[bytes], bool] = lambda line: line == b"last"
    clock: Clock = field(default_factory=Clock)
    asked: list[tuple[str | None, bool]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def read(self) -> list[bytes]:
        return list(self.lines())

    def lines(self) -> Iterator[bytes]:
        follower = LogFollower(
            open_log=self._open, is_last=self.is_last, life=self._life, clock=self.clock, notice=self.notices.append
        )
        first = self._open(None, True)
        assert first is not None
        self.asked.clear()
        return follower.lines(first)

    def _open(self, since: str | None, follow: bool) -> Chunks | None:
        self.asked.append((since, follow))
        script = self.scripts.pop(0) if self.scripts else self.otherwise
        if isinstance(script, PodtraceError):
            raise script
        return None if script is None else Chunks(chunks=iter(script), clock=self.clock)

    def _life(self) -> Life:
        life = self.lives.pop(0) if len(self.lives) > 1 else (self.lives or [Life.RUNNING])[0]
        if isinstance(life, PodtraceError):
            raise life
        return life


def stamped(line: bytes, second: int = 0) -> bytes:
    minutes, seconds = divmod(second, 60)
    return b"2026-01-01T00:%02d:%02d.5Z %s\n" % (minutes, seconds, line)


def test_a_stream_that_ends_in_good_order_after_hours_is_taken_up_again_and_again() -> None:
    log = Log(
        scripts=[
            [stamped(b"one", 1), 4 * HOUR_S, stamped(b"two", 2)],
            [stamped(b"two", 2), 4 * HOUR_S, stamped(b"three", 3)],
            [stamped(b"three", 3), 4 * HOUR_S, stamped(b"last", 4)],
        ]
    )
    assert log.read() == [b"one", b"two", b"two", b"three", b"three", b"last"]
    assert log.notices == []


def test_an_idle_proxy_that_cuts_each_stream_costs_no_line() -> None:
    log = Log(
        scripts=[
            [stamped(b"one", 1), 60.0, CUT],
            [stamped(b"one", 1), stamped(b"two", 61), 60.0, CUT],
            [stamped(b"two", 61), stamped(b"last", 122)],
        ]
    )
    assert list(dict.fromkeys(log.read())) == [b"one", b"two", b"last"]
    assert log.asked == [("2026-01-01T00:00:01Z", True), ("2026-01-01T00:01:01Z", True)]


def test_an_api_server_or_kubelet_that_restarts_is_waited_for() -> None:
    log = Log(
        scripts=[[stamped(b"one", 1), CUT], NO_ANSWER, None, NO_ANSWER, [stamped(b"last", 2)]],
        lives=[NO_ANSWER, NO_ANSWER, Life.RUNNING],
    )
    assert log.read() == [b"one", b"last"]
    assert {since for since, _ in log.asked} == {"2026-01-01T00:00:01Z"}


def test_an_api_server_that_never_comes_back_is_given_up_after_two_minutes() -> None:
    log = Log(scripts=[[stamped(b"one"), CUT]], otherwise=NO_ANSWER, lives=[NO_ANSWER])
    assert log.read() == [b"one"]
    assert 120 < log.clock.now < 130
    assert log.notices == ["the tracer's log has stopped; the report ends where it did"]


def test_a_clock_that_was_set_back_loses_nothing() -> None:
    # The node's clock went back by 40 s: what is asked for since then would come after as many seconds only.
    everything = [stamped(b"one", 50), stamped(b"two", 10), stamped(b"last", 11)]
    log = Log(scripts=[[stamped(b"one", 50), CUT], [CUT], everything])
    assert log.read() == [b"one", b"one", b"two", b"last"]
    assert [since for since, _ in log.asked] == ["2026-01-01T00:00:50Z", None]


def test_a_tracer_that_ended_after_its_clock_was_set_back_is_read_to_its_last_line() -> None:
    log = Log(scripts=[[stamped(b"one", 50), CUT], [], [stamped(b"last", 10)]], lives=[Life.ENDED])
    assert log.read() == [b"one", b"last"]


def test_timestamps_that_go_back_within_a_stream_are_where_the_next_one_begins() -> None:
    log = Log(scripts=[[stamped(b"one", 50), stamped(b"two", 10), CUT], [stamped(b"two", 10), stamped(b"last", 11)]])
    log.read()
    assert [since for since, _ in log.asked] == ["2026-01-01T00:00:10Z"]


def test_the_last_lines_of_a_tracer_that_has_ended_are_asked_for_until_they_came_whole() -> None:
    log = Log(
        scripts=[
            [stamped(b"one", 1), CUT],
            NO_ANSWER,
            [stamped(b"one", 1), CUT],
            [stamped(b"one", 1), stamped(b"two", 2)[:-1]],
        ],
        lives=[Life.ENDED],
    )
    assert log.read() == [b"one", b"one", b"one", b"two"]
    assert all(not follow for _, follow in log.asked)


def test_a_tracer_that_has_ended_on_a_dead_node_is_not_asked_forever() -> None:
    log = Log(scripts=[[stamped(b"one"), CUT]], lives=[Life.ENDED])
    assert log.read() == [b"one"]
    assert 20 < log.clock.now < 30
    assert len(log.notices) == 1


def test_a_tracer_that_is_gone_is_not_asked_at_all() -> None:
    log = Log(scripts=[[stamped(b"one"), CUT]], lives=[Life.GONE])
    assert log.read() == [b"one"]
    assert (log.asked, log.clock.now, log.notices) == ([], 0, [])


@cache
def whole_stream() -> tuple[tuple[bytes, ...], Fold]:
    """The shop's lines, and what all of them tell."""
    stream = shop_stream()
    return tuple(stream.lines), stream.fold()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_wherever_a_log_is_cut_the_report_is_that_of_the_whole_stream(data: st.DataObject) -> None:
    """Cuts fall anywhere: inside a line, a timestamp, or a character's bytes; what follows is sent since the second."""
    lines, expected = whole_stream()
    whole = [(number // 5, stamped(line.rstrip(b"\n"), number // 5)) for number, line in enumerate(lines)]
    cuts = sorted(data.draw(st.lists(st.integers(1, len(lines) - 1), max_size=4, unique=True)))
    scripts: list[Script] = []
    begin = 0
    for cut in [*cuts, len(lines)]:
        text = b"".join(line for _, line in whole[begin:cut])
        is_end = cut == len(lines)
        if not is_end:
            text += whole[cut][1][: data.draw(st.integers(0, len(whole[cut][1]) - 1))]
        at = data.draw(st.integers(0, len(text)))
        scripts.append([part for part in (text[:at], text[at:]) if part] + ([] if is_end else [CUT]))
        second = whole[cut - 1][0]
        begin = next(number for number, (of, _) in enumerate(whole) if of == second)
    fold = Fold()
    for line in Log(scripts=scripts, is_last=ends_stream).lines():
        fold.feed(line)
    assert fold.state() == expected.state()
    assert (fold.gaps, fold.noise_lines, fold.broken_rows) == ((), 0, 0)
    assert fold.trailer == expected.trailer


def folded(log: Log) -> Fold:
    fold = Fold()
    for line in log.lines():
        fold.feed(line)
    return fold


@pytest.mark.parametrize(
    "garbled",
    [
        pytest.param(lambda _: b"libbcc: warning: unknown type\n", id="a line of stderr"),
        pytest.param(lambda line: stamped(line[:40] + b"Killed") + stamped(line[40:]), id="stderr inside a line"),
        pytest.param(lambda line: stamped(line * 40)[:16_384] + b"\n" + stamped(line), id="cut at 16 KiB"),
        pytest.param(lambda _: stamped(b'{"kind":"notice","text":"\xc3'), id="half a character"),
        pytest.param(lambda _: stamped(b"\x00\xff" * 100_000), id="binary, and long"),
    ],
)
def test_what_is_no_record_is_counted_as_noise_and_the_next_line_is_read(garbled: Callable[[bytes], bytes]) -> None:
    lines = [line.rstrip(b"\n") for line in shop_stream().lines]
    middle = len(lines) // 2
    texts = [stamped(line) for line in lines]
    texts.insert(middle, garbled(lines[middle]))
    fold = folded(Log(scripts=[texts], is_last=ends_stream))
    assert fold.noise_lines >= 1
    assert fold.state() == folded(Log(scripts=[[stamped(line) for line in lines]], is_last=ends_stream)).state()
    assert fold.gaps == ()


def test_a_log_that_comes_again_whole_takes_no_memory() -> None:
    texts = [stamped(line.rstrip(b"\n")) for line in shop_stream().lines[:-1]]
    again: list[Script] = [[*texts, CUT] for _ in range(30)]

    def peak_bytes(scripts: list[Script]) -> int:
        tracemalloc.start()
        folded(Log(scripts=scripts, otherwise=[stamped(shop_stream().lines[-1])], is_last=ends_stream))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes([texts])  # what is made once for all
    # Python keeps some of what it let go of for later use; all thirty logs are three times as much.
    assert peak_bytes(again) - peak_bytes([texts]) < 10 * sum(map(len, texts))
