"""Where a cgroup's controllers have their files: a cgroup of another hierarchy has the same path there."""

from __future__ import annotations

from pathlib import Path

from podtrace_tracer.kernel.host import Host
from podtrace_tracer.target.scope import Target, hierarchies, hierarchy_of


def directories_of(target: Target, cgroup: str, host: Host) -> list[Path]:
    """Those of a scope of the target, by the cgroup that its record names; of a set of processes, the first one's."""
    if target.directory is None:
        return directories_of_process(target.pids[0], host)
    # The scope of further containers has no cgroup.
    return directories_of_cgroup(Path(cgroup), host) if Path(cgroup).is_relative_to(host.cgroups) else []


def directories_of_cgroup(directory: Path, host: Host) -> list[Path]:
    """The cgroup itself, then those of its name in all hierarchies, whether they are there or not."""
    below = directory.relative_to(hierarchy_of(host, directory))
    return [directory, *(hierarchy / below for hierarchy in hierarchies(host))]


def directories_of_process(pid: int, host: Host) -> list[Path]:
    """The cgroups that a process is in now."""
    try:
        text = (host.proc / str(pid) / "cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    paths = {line.split(":", 2)[2].strip("/") for line in text.splitlines()}
    return [hierarchy / path for path in sorted(paths - {""}) for hierarchy in hierarchies(host)]
