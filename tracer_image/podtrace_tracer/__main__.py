"""`python3 -m podtrace_tracer`: the request comes in an environment variable, the stream goes to stdout."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from kubectl_podtrace.wire.fields import MAX_TEXT
from kubectl_podtrace.wire.records import TRACER_FAILED, Notice
from kubectl_podtrace.wire.request import REQUEST_VARIABLE, RequestError, TraceRequest
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.refusal import RefusedError
from podtrace_tracer.runner import Runner
from podtrace_tracer.stop import Stop
from podtrace_tracer.stream.emit import Emitter, ReaderGoneError

LINGER_S = 1.0
ACKNOWLEDGED_WITHIN_S = 5.0
"""Less than a deleted pod's grace period, with the final snapshot before it."""


def _trace(emitter: Emitter, stop: Stop) -> None:
    try:
        request = TraceRequest.from_json(os.environ.get(REQUEST_VARIABLE, ""))
    except RequestError as error:
        raise RefusedError("request", str(error), "do plugin and tracer image have the same version?") from error
    stop.lend(request.lease_ns / 1e9, from_now=request.is_awaited)
    Runner(request, Host.here(), emitter, stop).run()


def main(trace: Callable[[Emitter, Stop], None] = _trace) -> int:
    """Exit code 0 after a trailer, 3 after a refusal, 4 after a failure of our own, 1 when nobody reads the stream."""
    emitter = Emitter(time.monotonic_ns)
    stop = Stop()
    stop.listen()
    try:
        trace(emitter, stop)
    except RefusedError as error:
        emitter.emit(error.record)
        return 3
    except ReaderGoneError:
        return 1
    except Exception as error:  # noqa: BLE001  whatever it is, the reader must hear of it: stderr goes nowhere
        emitter.emit(Notice(slug=TRACER_FAILED, text=_where(error)))
        return 4
    stop.settle(acknowledged_within_s=ACKNOWLEDGED_WITHIN_S, linger_s=LINGER_S)
    return 0


def _where(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return f"the tracer failed and stopped ({place}: {type(error).__name__}: {error})"[:MAX_TEXT]


if __name__ == "__main__":
    sys.exit(main())
