"""The repository, looked at from outside.

Real: the files of this tree, and the programs that build or start it. Fake: nothing. Asserted: what the house rules and
the documents promise about the files themselves.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", "__pycache__", "build", "dist", "htmlcov", "kernels-out", ".hypothesis"}


def _walk(directory: Path) -> Iterator[Path]:
    for entry in sorted(directory.iterdir()):
        if entry.name in NOT_OURS or entry.name.startswith(".coverage") or entry.name.endswith(("_cache", ".egg-info")):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        elif entry.is_file():
            yield entry


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's top directory."""
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file of the tree that is neither generated nor somebody else's."""
    return list(_walk(ROOT))


@pytest.fixture(scope="session")
def modules(files: list[Path]) -> dict[Path, ast.Module]:
    """Every Python file, parsed."""
    return {path: ast.parse(path.read_text()) for path in files if path.suffix == ".py"}
