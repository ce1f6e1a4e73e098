"""Pictures to draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.report.build import ReportOptions, build_window
from kubectl_podtrace.report.model import LiveReport
from kubectl_podtrace.screen.picture import Picture, Recorder
from kubectl_podtrace.wire.codec import Line
from kubectl_podtrace.wire.records import Event, Heartbeat
from tests.unit.report.reports import API, CLIENT, HOSTILE, REPORTS
from tests.unit.shop import shop_stream
from tests.unit.streams import OFFSET, SECOND, STARTED

KEPT_BACK: Final = 41


def event(operation: str = "files.fsync", *, at_s: float = 29.0, **values: object) -> Event:
    """An event that ended so long after the trace began."""
    fields: dict[str, object] = {
        "scope": 0, "pid": 7, "node_pid": 4107, "comm": "worker", "duration_ns": 27_200_000, "errno": 0, "signal": 0,
        "result": 0, "slow": True, "name": "/data/journal", "address": "", "port": 0,
    }  # fmt: skip
    fields.update(values)
    start_ns = STARTED + round(at_s * SECOND) - int(str(fields["duration_ns"]))
    return Event(operation=operation, start_ns=start_ns, **fields)  # type: ignore[arg-type]


EVENTS: Final = (
    event(),
    event("processes.exec", at_s=29.2, duration_ns=0, slow=False, name="/bin/true", comm="sh"),
    event("connections.attempt", at_s=28.5, errno=111, slow=False, name="", address="10.1.2.3", port=5432,
          duration_ns=64_000),
    event("files.open", at_s=28.7, errno=2, slow=False, name="/etc/absent.conf", duration_ns=9_000),
    event("dns.lookup", at_s=28.9, result=2, slow=False, name="broken.example", address="10.0.0.10", port=53),
    event("processes.exit", at_s=29.3, signal=9, slow=False, name="", duration_ns=3 * SECOND),
)  # fmt: skip


def picture_of(live: LiveReport, *events: Event, note: str = "") -> Picture:
    """One picture after a single heartbeat."""
    recorder = Recorder()
    for each in events:
        recorder.see(each)
    if note:
        recorder.note(note)
    return recorder.picture(
        live, at_ns=STARTED + 30 * SECOND, scopes=None, kept_back=KEPT_BACK, realtime_offset_ns=OFFSET
    )


def typical() -> Picture:
    """A pod with a bit of everything, seen heartbeat by heartbeat."""
    fold, recorder = Fold(), Recorder()
    for each in EVENTS:
        recorder.see(each)
    for line in shop_stream().lines:
        decoded = fold.feed(line)
        if isinstance(decoded, Line) and isinstance(decoded.record, Heartbeat):
            live = build_window(fold, target=API, options=ReportOptions(), client=CLIENT)
            recorder.picture(live, at_ns=fold.states[-1].at_ns, scopes=None, kept_back=0, realtime_offset_ns=OFFSET)
    # Most of it comes in the end: that all is in the last window.
    report = REPORTS["typical"]()
    return recorder.picture(
        LiveReport(window=report, total=report), at_ns=STARTED + 30 * SECOND, scopes=None, kept_back=KEPT_BACK,
        realtime_offset_ns=OFFSET,
    )  # fmt: skip


def silent() -> Picture:
    """Nothing has happened yet."""
    report = REPORTS["silent"]()
    return picture_of(LiveReport(window=report, total=report))


def hostile() -> Picture:
    """Every name is out for harm."""
    report = REPORTS["hostile"]()
    events = [event(name=HOSTILE, comm=HOSTILE), event("dns.timeout", name=HOSTILE, address="fe80::1", port=53)]
    return picture_of(LiveReport(window=report, total=report), *events, note=HOSTILE)


PICTURES: Final[dict[str, Callable[[], Picture]]] = {"typical": typical, "silent": silent, "hostile": hostile}
