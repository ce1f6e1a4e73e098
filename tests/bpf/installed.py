"""Programs from Debian's packages that the tests trace: where they are, or why a test cannot run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

PLACES = ("/usr/bin", "/usr/sbin", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))
"""Where the distribution puts programs: one of another origin, elsewhere in PATH, is not what is meant."""


def needed(program: str, package: str) -> str:
    """The path of a program. A test without it is skipped with the reason; in CI, where it is installed, it fails."""
    found = shutil.which(program, path=os.pathsep.join(PLACES))
    return found or _absent(program, package)


def needed_file(path: str, package: str) -> str:
    """The path of another file that a test cannot do without; the same as `needed`."""
    return path if Path(path).exists() else _absent(path, package)


def _absent(what: str, package: str) -> NoReturn:
    reason = f"there is no {what} (Debian: {package})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
