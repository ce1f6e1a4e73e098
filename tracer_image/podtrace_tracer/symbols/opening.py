"""Opening what stacks are named from: programs' files, lists of compiled functions, the kernel's own library.

Directories of a container are hostile: no link is followed, and nothing but regular files is opened.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from podtrace_tracer.symbols import memory_map
from podtrace_tracer.symbols.memory_map import Mapping

VDSO: Final = "[vdso]"
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_MAX_VDSO: Final = 64 * 1024


def program(directory: Path, mapping: Mapping) -> int | None:
    """The file of a mapping of the process of this /proc directory; None where it cannot be opened.

    By this link the very file opens, deleted or in whatever mount namespace, whatever its path leads to by now.
    """
    with suppress(OSError):
        return _regular(os.open(directory / "map_files" / f"{mapping.start:x}-{mapping.end:x}", _FLAGS))
    return None


def compiled_code(directory: Path, pid: int) -> int | None:
    """The file /tmp/perf-PID.map of a process, by the pid that it knows itself by."""
    parts = ("tmp", f"perf-{pid}.map")
    opened: list[int] = []
    try:
        opened.append(os.open(directory / "root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        opened.append(os.open(parts[0], os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=opened[-1]))
        return _regular(os.open(parts[1], _FLAGS | os.O_NOFOLLOW, dir_fd=opened[-1]))
    except OSError:
        return None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def kernel_library(proc: Path) -> int | None:
    """A copy of the library that the kernel maps into every process: ours is everybody's."""
    with suppress(OSError):
        own = next((each for each in memory_map.read(proc / "self").mappings if each.path == VDSO), None)
        if own is not None and own.end - own.start <= _MAX_VDSO:
            with (proc / "self/mem").open("rb", buffering=0) as memory:
                memory.seek(own.start)
                content = memory.read(own.end - own.start)
            descriptor = os.memfd_create("podtrace-vdso")
            os.write(descriptor, content)
            return descriptor
    return None


def _regular(descriptor: int) -> int | None:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None
