"""What is known to be missing of the numbers of some topics, in a few words: for conclusions that rest on them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from kubectl_podtrace import units
from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.trust import Trust
from kubectl_podtrace.wire.topics import EVERY_TOPIC


def doubts_of(
    trust: Trust, topics: Collection[str], partial: Collection[Partial] = (), *, is_running: bool = False
) -> Iterator[str]:
    """What the numbers of these topics lack, for a conclusion must not look firmer than what it rests on."""
    if not topics:
        return
    touching = {*topics, EVERY_TOPIC}
    if partial:
        yield f"counted until {units.clock(min(part.until for part in partial))} UTC only"
    if trust.truncated and not is_running:
        yield "the trace was cut off"
    for losses, where in ((trust.lost_by, "lost in the kernel"), (trust.dropped_by, "dropped by the tracer")):
        number = sum(loss.count for loss in losses if loss.topic in touching)
        if number:
            yield f"{units.count(number)} {where}"
    bypassed = sum(bypass.count for bypass in trust.bypassed if touching & set(bypass.topics))
    if bypassed:
        yield f"{units.counted(bypassed, 'operation')} through io_uring not counted"
