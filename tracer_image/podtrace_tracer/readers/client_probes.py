"""Probes in the libraries of database clients: attached as the libraries come to be known."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from kubectl_podtrace.wire.codec import clean_text
from kubectl_podtrace.wire.fields import MAX_TEXT
from kubectl_podtrace.wire.query_records import ClientLibraryRow
from kubectl_podtrace.wire.records import Probe
from podtrace_tracer.collectors.queries import CALL_PROGRAM, FUNCTIONS, PROTOCOLS, RETURN_PROGRAM
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.bpf import BpfError
from podtrace_tracer.programs.program import user_probe_constants
from podtrace_tracer.readers.model import TraceContext
from podtrace_tracer.symbols.function_offsets import ElfError, function_offsets
from podtrace_tracer.target.client_libraries import Candidate, ClientLibraries, FileId

MAX_LIBRARIES: Final = 64
_COSTS: Final = "database statements through it are not seen"
_STATUS: Final = "PQresultStatus"
_NON_BLOCKING: Final = "mysql_real_query_start"
"""libmariadb's functions of this kind run the others on a stack of their own and leave it in the middle. The kernel
does not find its way back from a return probe there, and ends the program, whoever's it is."""
_WANTED: Final = frozenset({function.name for function in FUNCTIONS} | {_STATUS, _NON_BLOCKING})
_STATUS_AT: Final = 40  # RESULT_STATUS of collectors/queries.bpf.c
_STATUS_READS: Final = re.compile(rb"\x8b\x47(.)", re.DOTALL)  # mov eax, [rdi + N]


@dataclass(kw_only=True)
class _Library:
    """A file with functions of interest. `since_ns`: when it got its probes; without them 0, and a `reason`.

    One that `is_costly` to detach from gets them only when somebody maps it.
    `users`: by scope, the processes that were seen to have it mapped.
    """

    path: str
    protocols: tuple[str, ...]
    since_ns: int = 0
    reason: str = ""
    users: dict[int, set[int]] = field(default_factory=dict)
    is_told: bool = False
    is_costly: bool = False


def is_any_in_sight(host: Host, pids: Iterable[int]) -> bool:
    """Does a process of these, or one that would find its libraries where they do, speak to databases?"""
    found: dict[FileId, bool] = {}

    def meet(candidate: Candidate) -> None:
        identity = candidate.identity
        if identity not in found and not any(found.values()):
            found[identity] = False
            with suppress(ElfError):
                found[identity] = bool(function_offsets(candidate.descriptor, _WANTED))

    ClientLibraries(host, meet).look(pids, again=False)
    return any(found.values())


class ClientProbes:
    """Looks through the target's processes, and remembers what it has met."""

    def __init__(self, context: TraceContext, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._context = context
        self._clock = clock
        self._files: dict[FileId, _Library | None] = {}
        self._scope_of: dict[int, int] = {}
        self._libraries = ClientLibraries(context.host, self._meet)

    def look(self, pids: Iterable[int], *, again: bool) -> None:
        """Looks at new processes, `again` at all; attaches to what they have."""
        self._scope_of = {}
        self._libraries.look(pids, again=again)

    def rows(self) -> dict[tuple[int, str, str], ClientLibraryRow]:
        """The files as rows."""
        return {
            (scope, library.path, protocol): ClientLibraryRow(
                scope=scope, path=library.path, protocol=protocol, processes=len(pids), since_ns=library.since_ns,
                reason=library.reason,
            )
            for library in self._files.values() if library is not None
            for protocol in library.protocols
            for scope, pids in library.users.items()
        }  # fmt: skip

    def _meet(self, candidate: Candidate) -> None:
        identity = candidate.identity
        if identity not in self._files:
            library = self._examined(candidate)
            if library is not None and library.is_costly and not candidate.is_mapped:
                return
            self._files[identity] = library
        library = self._files[identity]
        if library is None:
            return
        if not self._scope_of:
            self._scope_of = self._context.scopes.by_pid() or {0: 0}
        users = library.users.setdefault(self._scope_of.get(candidate.pid, 0), set())
        if candidate.is_mapped:
            users.add(candidate.pid)
            self._tell(library)

    def _tell(self, library: _Library) -> None:
        if library.is_told:
            return
        library.is_told = True
        self._context.tell(
            Probe(
                name=f"uprobe:{library.path}"[:MAX_TEXT], topic="queries", attached=not library.reason, required=False,
                costs=_COSTS, reason=library.reason,
            )
        )  # fmt: skip

    def _examined(self, candidate: Candidate) -> _Library | None:
        """A file, with its probes; None if it has nothing to do with databases."""
        path = clean_text(candidate.path.encode("utf-8", "surrogateescape"))
        try:
            offsets = function_offsets(candidate.descriptor, _WANTED)
        except ElfError as error:
            is_library = ".so" in path
            protocol = PROTOCOLS[0] if "/libpq" in path else PROTOCOLS[1]
            return _Library(path=path, protocols=(protocol,), reason=str(error)[:MAX_TEXT]) if is_library else None
        protocols = tuple(dict.fromkeys(each.protocol for each in FUNCTIONS if each.name in offsets))
        if not protocols:
            return None
        library = _Library(path=path, protocols=protocols, reason=self._why_not(candidate.descriptor, offsets))
        if not library.reason:
            self._attach(library, candidate, offsets)
        return library

    def _why_not(self, descriptor: int, offsets: dict[str, int]) -> str:
        if not self._context.programs.defines(CALL_PROGRAM):
            return "it came while the trace was under way, which had begun without any; trace again"
        if sum(library is not None and not library.reason for library in self._files.values()) >= MAX_LIBRARIES:
            return f"{MAX_LIBRARIES} such files have probes already"
        if _NON_BLOCKING in offsets and not self._context.is_chosen:
            return (
                "a program that uses its non-blocking functions would not survive the probes:"
                " if there is none on this node, ask for them with --filter db"
            )
        if _STATUS in offsets and self._context.host.machine == "x86_64":
            read = _STATUS_READS.search(os.pread(descriptor, 32, offsets[_STATUS]))
            if read and read[1][0] != _STATUS_AT:
                return "this version of libpq keeps the status of a result in another place"
        return ""

    def _attach(self, library: _Library, candidate: Candidate, offsets: dict[str, int]) -> None:
        """Attaches; where that takes long to undo only to a library that is in use."""
        found = [function for function in FUNCTIONS if function.name in offsets]
        calls = {offsets[function.name]: function.kind for function in found}
        returns = {offsets[function.name]: function.kind for function in found if function.returns}
        try:
            # The returns first: a call whose beginning was seen must not be missed at its end.
            for program, places, at_return in ((RETURN_PROGRAM, returns, True), (CALL_PROGRAM, calls, False)):
                library.is_costly |= not self._context.programs.attach_user_probes(
                    program, f"/proc/self/fd/{candidate.descriptor}", places, at_return=at_return,
                    constants_of=user_probe_constants, one_by_one=candidate.is_mapped,
                )  # fmt: skip
        except BpfError as error:
            library.reason = str(error)[:MAX_TEXT]
        else:
            library.since_ns = self._clock()
