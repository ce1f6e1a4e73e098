"""Connects to a listener of its own in bursts, and says between which times of the monotonic clock each attempt began.

Its arguments are the number of attempts of each burst and the pause between two bursts in milliseconds.
"""

import json
import socket
import sys
import threading
import time


def main() -> None:
    """One line when it is ready, one with the times."""
    *bursts, pause_ms = map(int, sys.argv[1:])
    listener = socket.create_server(("127.0.0.1", 0), backlog=1_000)
    print("ready", flush=True)
    sys.stdin.readline()
    attempts = []
    for count in bursts:
        for _ in range(count):
            before = time.monotonic_ns()
            with socket.create_connection(listener.getsockname()):
                attempts.append((before, time.monotonic_ns()))
            listener.accept()[0].close()
        # A pause of the load's own: what is measured is the time in which nothing happens.
        threading.Event().wait(pause_ms / 1_000)
    print(json.dumps(attempts), flush=True)


main()
