"""What is kept of this user's traces on this machine: an id by which tracer pods are known again, and which ones run.

A running trace holds a lock on a file of its own, which ends with its process however that ends. So another run can
tell a trace that is going on from one whose program was killed.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kubectl_podtrace.cluster.leftovers import Client, TracerPod

_ID: Final = re.compile(r"[0-9a-f]{16}")
_ID_BYTES: Final = 8
_SESSION: Final = re.compile(r"[0-9a-z]{1,63}")


class OwnTraces:
    """One directory of state; where it cannot be written, nothing is known and `client_id` is empty."""

    def __init__(self, directory: Path, *, host: str | None = None) -> None:
        self._directory = directory
        self._sessions = directory / "sessions"
        self._host = socket.gethostname() if host is None else host
        self.client_id = self._read_or_choose_id()

    @contextmanager
    def running(self, session: str) -> Iterator[str]:
        """Within the block the trace of this session is known to run; gives the id that its pod is to carry.

        That is empty where it could not be known: others would take its pod for one that was left behind.
        """
        held = self._hold(session) if self.client_id else None
        if held is None:
            yield ""
            return
        try:
            yield self.client_id
        finally:
            (self._sessions / session).unlink(missing_ok=True)
            os.close(held)

    def client_of(self, pod: TracerPod) -> Client:
        """What is known here of the program that made a tracer pod."""
        from kubectl_podtrace.cluster.leftovers import Client

        if not self.client_id or pod.client_id != self.client_id or _SESSION.fullmatch(pod.session) is None:
            return Client.UNKNOWN
        try:
            found = os.open(self._sessions / pod.session, os.O_RDONLY)
        except FileNotFoundError:
            return Client.GONE
        except OSError:
            return Client.UNKNOWN
        try:
            fcntl.flock(found, fcntl.LOCK_SH | fcntl.LOCK_NB)
            # Of a home that several machines share, another one's locks may be invisible.
            return Client.GONE if os.read(found, 300).decode("utf-8", "replace") == self._host else Client.UNKNOWN
        except OSError:
            return Client.RUNS
        finally:
            os.close(found)

    def forget(self, pod: TracerPod) -> None:
        """The pod is removed, and so is what a killed program left here of it."""
        if _SESSION.fullmatch(pod.session) is not None:
            with suppress(OSError):
                (self._sessions / pod.session).unlink(missing_ok=True)

    def _hold(self, session: str) -> int | None:
        """The file appears under its name with the lock on it: what is found without one is nobody's."""
        fresh = self._sessions / f".{session}"
        try:
            self._sessions.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(held, self._host.encode())
            fresh.rename(self._sessions / session)
        except OSError:
            os.close(held)
            fresh.unlink(missing_ok=True)
            return None
        return held

    def _read_or_choose_id(self) -> str:
        path = self._directory / "client-id"
        with suppress(OSError, ValueError):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Two first runs at once agree on the one that was linked first.
            fresh = self._directory / f".client-id-{secrets.token_hex(_ID_BYTES)}"
            if not path.exists():
                fresh.write_text(secrets.token_hex(_ID_BYTES), encoding="ascii")
                with suppress(FileExistsError):
                    os.link(fresh, path)
                fresh.unlink()
            found = path.read_text(encoding="ascii")
            return found if _ID.fullmatch(found) else ""
        return ""


def own_traces(environ: Mapping[str, str]) -> OwnTraces:
    """Those of the user whose environment this is: below `XDG_STATE_HOME`, else `~/.local/state`."""
    home = environ.get("HOME")
    below = environ.get("XDG_STATE_HOME") or ""
    state = Path(below) if Path(below).is_absolute() else (Path(home) if home else Path.home()) / ".local" / "state"
    return OwnTraces(state / "kubectl-podtrace")
