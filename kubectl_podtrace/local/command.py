"""The command that local mode starts: found beforehand, held until the trace runs, then let go and waited for."""

from __future__ import annotations

import errno
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kubectl_podtrace.errors import CommandNotExecutableError, CommandNotFoundError, LocalModeError
from kubectl_podtrace.local.holder import given_environment

_READY_S: Final = 10.0
_HOLDER: Final = Path(__file__).with_name("holder.py")


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """What is to be run: the program's file, and the words as they were typed."""

    path: str
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ExitStatus:
    """How a process ended: by itself with `code`, or by `signal` (then `code` is 0)."""

    code: int
    signal: int

    @property
    def shell_code(self) -> int:
        """The one number that a shell would show."""
        return 128 + self.signal if self.signal else self.code


def find_command(words: Sequence[str]) -> CommandLine:
    """Look the command up as a shell does; raises `CommandNotFoundError` or `CommandNotExecutableError`."""
    name = words[0]
    found = shutil.which(name)
    if found is not None:
        return CommandLine(path=str(Path(found).absolute()), words=tuple(words))
    if "/" in name and Path(name).is_dir():
        raise CommandNotExecutableError(f'"{name}" is a directory')
    if "/" in name and Path(name).exists():
        raise CommandNotExecutableError(f'"{name}" is not executable', f"chmod +x {name}")
    raise CommandNotFoundError(f'there is no command "{name}"')


class HeldCommand:
    """One command in a process of its own that waits to be released.

    It has our stdin, stdout, stderr and process group: to its terminal it is what a shell would have started.
    """

    def __init__(self, line: CommandLine) -> None:
        self.line = line
        ours, its = socket.socketpair()
        with its:
            its.set_inheritable(True)
            try:
                # Descriptors that we were handed for it (`3>log`) pass through; our own all close on exec.
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_HOLDER), str(its.fileno()), line.path, *line.words],
                    close_fds=False,
                    env=given_environment(),
                )
            except OSError as error:
                ours.close()
                raise LocalModeError(f"the command cannot be started: {error}") from error
        self._channel = ours
        self._released = False
        self._pidfd = os.pidfd_open(self._process.pid)

    @property
    def pid(self) -> int:
        """Its process id, before and after the release."""
        return self._process.pid

    @property
    def pidfd(self) -> int:
        """A descriptor that becomes readable when it has ended."""
        return self._pidfd

    @property
    def channel(self) -> int:
        """A descriptor that becomes readable when `exec_failure` can be asked."""
        return self._channel.fileno()

    @property
    def released(self) -> bool:
        """Whether it was let go."""
        return self._released

    @property
    def status(self) -> ExitStatus | None:
        """How it ended; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        return ExitStatus(code=max(code, 0), signal=max(-code, 0))

    def await_ready(self) -> None:
        """Return when it waits for its release and does nothing else; raises `LocalModeError` when it never does."""
        self._channel.settimeout(_READY_S)
        try:
            ready = self._channel.recv(1)
        except OSError:
            ready = b""
        if not ready:
            raise LocalModeError("the process that becomes the command did not start")
        self._channel.settimeout(None)

    def release(self) -> None:
        """Let it become the command; once is enough."""
        if self._released:
            return
        self._released = True
        try:
            self._channel.send(b"g")
        except OSError:
            # It was ended before, and its status says so.
            return

    def exec_failure(self) -> CommandNotExecutableError | None:
        """After the release: None when it has become the command, else why it could not."""
        try:
            answer = self._channel.recv(16)
        except OSError:
            answer = b""
        return _explain(self.line, int(answer)) if answer else None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs; it and no other process."""
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return

    def end(self, patience_s: float) -> None:
        """SIGTERM and, if that is not enough, SIGKILL. Returns when it has ended."""
        self.send(signal.SIGTERM)
        if not select.select([self._pidfd], [], [], patience_s)[0]:
            self.send(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Leave nothing of it behind; what still runs is killed."""
        if self.status is None:
            self.send(signal.SIGKILL)
            self._process.wait()
        self._channel.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


def _explain(line: CommandLine, number: int) -> CommandNotExecutableError:
    name = line.words[0]
    hints = {
        errno.ENOEXEC: f"a script without a #! line needs its interpreter named: -- sh {name}",
        errno.ENOENT: "the interpreter in its #! line, or its dynamic loader, does not exist",
        errno.EACCES: "its file, or the interpreter in its #! line, is not executable, or its file system is noexec",
    }
    return CommandNotExecutableError(f'"{name}" cannot be executed: {os.strerror(number)}', hints.get(number))
