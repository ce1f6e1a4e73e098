"""The reader of programs' files: a process of its own, without rights, since containers can put anything into them.

It is handed open files and offsets over its stdin, a socket, and answers with names. It ends with that socket.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
from collections import OrderedDict
from contextlib import suppress
from typing import Any, Final, NamedTuple

from podtrace_tracer.symbols.elf import ElfError
from podtrace_tracer.symbols.program_file import CompiledCode, ProgramFile

MAX_QUESTION: Final = 64 * 1024
_MEMORY_BYTES: Final = 768 * 1024 * 1024
_NOBODY: Final = 65_534
_KEPT_FILES: Final = 8
_NICENESS: Final = 19
_NO_NEW_PRIVILEGES: Final = 38  # PR_SET_NO_NEW_PRIVS


KINDS: Final[dict[str, type[ProgramFile | CompiledCode]]] = {"program": ProgramFile, "compiled": CompiledCode}
"""What a file can be asked as."""


class _Kept(NamedTuple):
    descriptor: int
    size: int
    file: ProgramFile | CompiledCode


class Files:
    """The files that were asked for last, with what was read of them."""

    def __init__(self, most: int = _KEPT_FILES) -> None:
        self._most = most
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def get(self, name: str, kind: str, descriptor: int) -> ProgramFile | CompiledCode:
        """The file of this name, which is closed when it is kept no longer. Raises ElfError.

        It is read again when it has another size: what names compiled code grows.
        """
        size = os.fstat(descriptor).st_size
        known = self._kept.pop(name, None)
        if known is not None and known.size == size:
            os.close(descriptor)
        else:
            if known is not None:
                os.close(known.descriptor)
                known = None  # before the next one is read: either may be large
            try:
                known = _Kept(descriptor, size, KINDS[kind](descriptor))
            except ElfError:
                os.close(descriptor)
                raise
        self._kept[name] = known
        while len(self._kept) > self._most:
            os.close(self._kept.popitem(last=False)[1].descriptor)
        return known.file


def answer(files: Files, question: dict[str, Any], descriptor: int) -> dict[str, Any]:
    """The places of a file that a question asks for, in its order."""
    try:
        file = files.get(question["file"], question["kind"], descriptor)
    except ElfError:
        return {"number": question["number"], "build_id": "", "places": [[at, "", ""] for at in question["offsets"]]}
    places = [list(place) for place in file.places(question["offsets"], wanted=question["wanted"])]
    return {"number": question["number"], "build_id": file.build_id, "places": places}


def give_up_rights() -> None:
    """Becomes nobody, with little memory, behind all others."""
    with suppress(OSError):
        os.nice(_NICENESS)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def main() -> None:
    """Answers until nobody asks any more."""
    asked = socket.socket(fileno=0)
    give_up_rights()
    files = Files()
    while True:
        text, descriptors, _, _ = socket.recv_fds(asked, MAX_QUESTION, 1)
        if not text or not descriptors:
            return
        asked.send(json.dumps(answer(files, json.loads(text), descriptors[0])).encode())


if __name__ == "__main__":
    main()
