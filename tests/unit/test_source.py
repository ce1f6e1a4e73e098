from __future__ import annotations

import signal
from dataclasses import dataclass

import pytest

from kubectl_podtrace.source import stopping_on_signals


@dataclass(kw_only=True)
class Stops:
    count: int = 0

    def stop(self) -> None:
        self.count += 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_first_signal_stops_and_a_second_interrupts(number: signal.Signals) -> None:
    stops = Stops()
    with stopping_on_signals(stops):
        signal.raise_signal(number)
        assert stops.count == 1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert stops.count == 1


def test_the_handlers_of_before_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stopping_on_signals(Stops()):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
