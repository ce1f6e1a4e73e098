"""How this machine runs the tracer: the system's Python, and a directory that shows it what the image would hold."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import kubectl_podtrace
from kubectl_podtrace.errors import BccMissingError, LocalModeError, NotRootError, TracerPythonMissingError
from kubectl_podtrace.wire.request import CACHE_VARIABLE

SYSTEM_PYTHON: Final = Path("/usr/bin/python3")
OLDEST_PYTHON: Final = (3, 11)
COMPILED: Final = Path("/var/cache/podtrace")
"""Where the tracer keeps what it compiled, so that the next trace starts at once; root alone can write there."""
_NEEDED_MODULES: Final = ("bcc", "pyroute2")
_PROBE_TIMEOUT_S: Final = 30
_PROBE: Final = f"""
import importlib.util, sys
missing = [name for name in {_NEEDED_MODULES!r} if importlib.util.find_spec(name) is None]
print(*sys.version_info[:2], *missing)
"""


@dataclass(frozen=True, kw_only=True)
class TracerProgram:
    """What to execute, and in which environment; the request is added to it."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]


TracerFactory = Callable[[], AbstractContextManager[TracerProgram]]
"""Makes a tracer that can be started while the context lasts; raises `LocalModeError` where there is none."""


@contextmanager
def system_tracer(python: Path = SYSTEM_PYTHON) -> Iterator[TracerProgram]:
    """The tracer under the system's Python, which is the one that has Debian's bcc."""
    if sys.platform != "linux":
        raise LocalModeError(
            "local tracing works on Linux only: it loads BPF programs into this machine's kernel",
            "a pod can be traced from here: kubectl podtrace -n NAMESPACE POD",
        )
    if os.geteuid() != 0:
        raise NotRootError
    check_python(python)
    with tempfile.TemporaryDirectory(prefix="podtrace-") as directory:
        lay_out(Path(directory), find_tracer(Path(kubectl_podtrace.__file__).parent))
        yield TracerProgram(
            # No directory of the user's on the module path (-P the current one, -s their site-packages): it might
            # hold PyPI's "bcc". -B because root would write its caches into the user's tree.
            arguments=(str(python), "-P", "-s", "-B", "-m", "podtrace_tracer"),
            environment={CACHE_VARIABLE: str(COMPILED), **_without_python(os.environ), "PYTHONPATH": directory},
        )


def check_python(python: Path) -> None:
    """Whether this Python can run the tracer; raises `TracerPythonMissingError` or `BccMissingError`."""
    packages = "apt-get install python3 python3-bpfcc python3-pyroute2"
    try:
        answer = subprocess.run(
            [str(python), "-I", "-B", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            env=_without_python(os.environ),
        ).stdout.split()
        version = (int(answer[0]), int(answer[1]))
    except FileNotFoundError:
        raise TracerPythonMissingError(f"there is no {python}, which runs the tracer", packages) from None
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise TracerPythonMissingError(f"{python}, which runs the tracer, does not work: {error}", packages) from error
    if version < OLDEST_PYTHON:
        raise TracerPythonMissingError(
            f"{python} is Python {version[0]}.{version[1]}; the tracer needs 3.11 or newer",
            "Debian 12, Ubuntu 24.04 and anything newer have it",
        )
    missing = answer[2:]
    if "bcc" in missing:
        raise BccMissingError(str(python))
    if missing:
        raise TracerPythonMissingError(f"{python} cannot import {missing[0]}", packages)


def find_tracer(package: Path) -> Path:
    """The tracer's files: within the installed package, or beside it in a checkout."""
    places = (package / "_tracer" / "podtrace_tracer", package.parent / "tracer_image" / "podtrace_tracer")
    for place in places:
        if (place / "__main__.py").is_file():
            return place
    raise LocalModeError("the tracer's files are missing from this installation", "install kubectl-podtrace again")


def lay_out(directory: Path, tracer: Path) -> None:
    """Fill a directory with what the tracer imports, and no more, as links: our site-packages stay out of its sight."""
    package = Path(kubectl_podtrace.__file__).parent
    (directory / "podtrace_tracer").symlink_to(tracer.absolute())
    (directory / "kubectl_podtrace").mkdir()
    for name in ("__init__.py", "wire"):
        (directory / "kubectl_podtrace" / name).symlink_to((package / name).absolute())


def _without_python(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the system's Python must not be that of a virtual environment or of a user's experiments."""
    return {name: value for name, value in environ.items() if not name.startswith("PYTHON")}
