"""The book of scopes: which index the programs gave to which container."""

from __future__ import annotations

from pathlib import Path

from kubectl_podtrace.wire.fields import MAX_TEXT
from kubectl_podtrace.wire.records import Scope
from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.programs.map_values import name_in, number_in
from podtrace_tracer.programs.program import MAX_SCOPES
from podtrace_tracer.target.scope import Target, container_id, pids_below

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
            index, cgroup_id = number_in(values), int.from_bytes(key, "little")
            if index not in self._known:
                self._add(index, cgroup_id, self._directory(cgroup_id), self._name(index))
        if len(self._known) >= _OVERFLOW and _OVERFLOW not in self._known:
            self._known[_OVERFLOW] = Scope(index=_OVERFLOW, cgroup_id=0, cgroup="(further containers)", container_id="")
        return [scope for index, scope in self._known.items() if index not in before]

    def by_pid(self) -> dict[int, int]:
        """The scope of each process that is in a container now; empty where there is one scope only."""
        if not self._target.match.per_child:
            return {}
        directories = {_inode(path): path for path in self._target.containers()}
        found = ((index, directories.get(scope.cgroup_id)) for index, scope in self._known.items())
        return {pid: index for index, path in found if path for pid in pids_below(path)}

    def _give_out(self) -> None:
        containers = self._target.containers()
        for index, directory in enumerate(containers[:_OVERFLOW]):
            identifier = _inode(directory)
            if not identifier:
                continue  # it has gone meanwhile
            self._programs.set_number("scope_of_cgroup", identifier, index)
            self._add(index, identifier, directory)
        for index in range(len(containers), _OVERFLOW):
            self._programs.push("free_scopes", index)

    def _directory(self, cgroup_id: int) -> Path | None:
        return next((path for path in self._target.containers() if _inode(path) == cgroup_id), None)

    def _name(self, index: int) -> str:
        """The name of a cgroup as the programs found it; they meet containers that are gone a moment later."""
        found = self._programs.values("scope_names", index)
        return name_in(found[0]) if found else ""

    def _add(self, index: int, cgroup_id: int, directory: Path | None, name: str = "") -> None:
        name = str(directory)[-MAX_TEXT:] if directory else name
        self._known[index] = Scope(index=index, cgroup_id=cgroup_id, cgroup=name, container_id=container_id(name))


def _inode(path: Path) -> int:
    """A directory's inode number, which is its cgroup's id; 0 if it has gone meanwhile."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0
