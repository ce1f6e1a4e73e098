"""`python3 -m podtrace_tracer`: the request comes in an environment variable, the stream goes to stdout."""

from __future__ import annotations

import os
import sys
import time

from kubectl_podtrace.wire.request import REQUEST_VARIABLE, RequestError, TraceRequest
from podtrace_tracer.emit import Emitter, ReaderGoneError
from podtrace_tracer.host import Host
from podtrace_tracer.refusal import RefusedError
from podtrace_tracer.runner import Runner
from podtrace_tracer.stop import Stop

LINGER_S = 1.0


def main() -> int:
    """Exit code 0 after a trailer, 3 after a refusal, 1 when nobody reads the stream."""
    emitter = Emitter(time.monotonic_ns)
    stop = Stop()
    stop.listen()
    try:
        try:
            request = TraceRequest.from_json(os.environ.get(REQUEST_VARIABLE, ""))
            Runner(request, Host.here(), emitter, stop).run()
        except RequestError as error:
            raise RefusedError("request", str(error), "do plugin and tracer image have the same version?") from error
    except RefusedError as error:
        emitter.emit(error.record)
        return 3
    except ReaderGoneError:
        return 1
    stop.linger(LINGER_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
