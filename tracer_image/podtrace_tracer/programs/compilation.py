"""Having programs compiled: by a process of its own, or from a directory where an earlier trace left them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kubectl_podtrace.wire.request import CACHE_VARIABLE
from podtrace_tracer.children import command_of
from podtrace_tracer.programs.compiled import Compiled

_FORMAT: Final = "1"
_ANY_KEY: Final = "[0-9a-f]" * 64
_KEPT: Final = 16
"""So many compiled texts stay: one for each choice of topics that somebody uses."""


class CompileError(Exception):
    """The compiler said no; the text is what it said."""


class Compiler:
    """One job for the compiler. Without a cache it is started at once, to be ready when the job is."""

    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache
        self._process = None if cache else _start()

    def compile(self, text: str, flags: Sequence[str], tree: Path) -> Compiled:
        """The programs of a C text. Raises CompileError."""
        if self._cache is None:
            return Compiled.from_json(self._compile(text, flags, tree))
        key = digest(text, flags, tree)
        known = self._cache.find(key)
        if known is not None:
            return known
        result = self._compile(text, flags, tree)
        self._cache.keep(key, result)
        return Compiled.from_json(result)

    def _compile(self, text: str, flags: Sequence[str], tree: Path) -> bytes:
        process = self._process = self._process or _start()
        job = json.dumps({"text": text, "flags": list(flags), "tree": str(tree)})
        result, said = process.communicate(job.encode())
        if process.returncode:
            raise CompileError(telling(said.decode("utf-8", "replace")) or f"it ended with {process.returncode}")
        return result

    def close(self) -> None:
        """Leaves no process behind."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def _start() -> subprocess.Popen[bytes]:
    # In a session of its own: Ctrl+C is for the tracer to hear.
    pipe, command = subprocess.PIPE, command_of("podtrace_tracer.programs.compiler")
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)


def telling(said: str, error: str = "") -> str:
    """The lines of a compiler's or verifier's output that tell something, behind the error itself."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("error", "invalid", "not allow", "unknown"))]
    return " | ".join([*([error] if error else []), *(telling or lines[-3:])[:4]])


def digest(text: str, flags: Sequence[str], tree: Path) -> str:
    """All that the result depends on."""
    digest = hashlib.sha256()
    for part in _parts(text, flags, tree):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _parts(text: str, flags: Sequence[str], tree: Path) -> Iterator[bytes]:
    yield from (_FORMAT.encode(), os.uname().machine.encode(), text.encode(), *(flag.encode() for flag in flags))
    for path in sorted(tree.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(tree)).encode()
            yield path.read_bytes()
    # Which compiler it is, without loading it.
    spec = find_spec("bcc")
    if spec is not None and spec.origin is not None:
        made = Path(spec.origin).stat()
        yield f"{spec.origin} {made.st_mtime_ns} {made.st_size}".encode()


class Cache:
    """A directory of compiled texts. What lies in it goes into the kernel, so nobody else may write there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @classmethod
    def of_environment(cls) -> Cache | None:
        """The one that the environment names, if it can be trusted or made."""
        name = os.environ.get(CACHE_VARIABLE)
        if not name:
            return None
        directory = Path(name)
        with suppress(OSError):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_ours(directory):
                return cls(directory)
        return None

    def find(self, key: str) -> Compiled | None:
        """What was kept under a key, if it is whole."""
        path = self._directory / key
        try:
            if not _is_ours(path):
                return None
            compiled = Compiled.from_json(path.read_bytes())
            os.utime(path)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return compiled

    def keep(self, key: str, text: bytes) -> None:
        """Keeps a result, as long as it is among the last that were used. A disk that is full is no reason to fail."""
        with suppress(OSError):
            descriptor, name = tempfile.mkstemp(dir=self._directory)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            Path(name).rename(self._directory / key)
            files = sorted(self._directory.glob(_ANY_KEY), key=lambda path: path.stat().st_mtime_ns)
            for path in files[:-_KEPT]:
                path.unlink()


def _is_ours(path: Path) -> bool:
    found = path.lstat()
    return found.st_uid == os.geteuid() and not path.is_symlink() and not found.st_mode & 0o022
