"""The book of scopes: which index the programs gave to which container."""

from __future__ import annotations

from pathlib import Path

from kubectl_podtrace.wire.records import Scope
from podtrace_tracer.bpf import Programs
from podtrace_tracer.program import MAX_SCOPES
from podtrace_tracer.scope import Target, container_id

_OVERFLOW = MAX_SCOPES - 1


class Scopes:
    """Hands the known containers to the programs, and finds the names of those that they meet later."""

    def __init__(self, programs: Programs, target: Target) -> None:
        self._programs = programs
        self._target = target
        self._known: dict[int, Scope] = {}
        if target.match.per_child:
            self._give_out()
        else:
            self._add(0, target.match.root_id, target.directory)

    def indices(self) -> list[int]:
        """The indices in use."""
        return sorted(self._known)

    def records(self) -> list[Scope]:
        """All scopes known by now."""
        return list(self._known.values())

    def look(self) -> list[Scope]:
        """Scopes that are new since the last look."""
        if not self._target.match.per_child:
            return []
        before = set(self._known)
        for key, values in self._programs.items("scope_of_cgroup"):
            index, cgroup_id = int.from_bytes(values[0], "little"), int.from_bytes(key, "little")
            if index not in self._known:
                self._add(index, cgroup_id, self._directory(cgroup_id))
        if len(self._known) >= _OVERFLOW and _OVERFLOW not in self._known:
            self._known[_OVERFLOW] = Scope(index=_OVERFLOW, cgroup_id=0, cgroup="(further containers)", container_id="")
        return [scope for index, scope in self._known.items() if index not in before]

    def index_of(self, pid: int) -> int:
        """The scope of a process by the directory that it is in; 0 where there is only one."""
        if not self._target.match.per_child:
            return 0
        for index, scope in self._known.items():
            directory = self._directory(scope.cgroup_id)
            if directory is not None and str(pid) in (directory / "cgroup.procs").read_text(encoding="ascii").split():
                return index
        return next(iter(self._known), 0)

    def _give_out(self) -> None:
        containers = self._target.containers()
        for index, directory in enumerate(containers[:_OVERFLOW]):
            identifier = directory.stat().st_ino
            self._programs.set_number("scope_of_cgroup", identifier, index)
            self._add(index, identifier, directory)
        for index in range(len(containers), _OVERFLOW):
            self._programs.push("free_scopes", index)

    def _directory(self, cgroup_id: int) -> Path | None:
        return next((path for path in self._target.containers() if path.stat().st_ino == cgroup_id), None)

    def _add(self, index: int, cgroup_id: int, directory: Path | None) -> None:
        name = str(directory)[-1024:] if directory else ""
        self._known[index] = Scope(index=index, cgroup_id=cgroup_id, cgroup=name, container_id=container_id(name))
