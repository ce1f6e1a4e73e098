"""Waits for the word, then becomes the command: a program of its own, started as `holder.py CHANNEL PATH NAME ARGS...`.

Between the word and the command there is one execve and no other call on a file, so that a trace which begins before
the word shows the command from its first moment, and nothing of us but the exec itself. The channel is a socket: a byte
out says "ready", a byte in says "go", its end that nobody waits any more, and an error number out that execve failed.
"""

from __future__ import annotations

import gc
import os
import signal
import sys


def main() -> None:
    """Wait and exec; ends with 126 when the command cannot be executed, and with 1 when it is not wanted any more."""
    channel, path, arguments = int(sys.argv[1]), os.fsencode(sys.argv[2]), [os.fsencode(text) for text in sys.argv[3:]]
    environment = given_environment()
    os.set_inheritable(channel, False)
    # What the interpreter ignores for itself would stay ignored in the command.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()
    os.write(channel, b"r")
    if os.read(channel, 1) != b"g":
        os._exit(1)
    try:
        os.execve(path, arguments, environment)  # noqa: S606  # what was asked for is a program, not a shell
    except OSError as error:
        os.write(channel, str(error.errno).encode())
        os._exit(126)


def given_environment() -> dict[bytes, bytes]:
    """The environment as it came: in the C locale the interpreter adds to its own (LC_CTYPE, PEP 538)."""
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123  # pathlib would double the time that this takes
        variables = file.read().split(b"\0")
    return dict(variable.split(b"=", 1) for variable in variables if variable.find(b"=") > 0)


if __name__ == "__main__":
    main()
