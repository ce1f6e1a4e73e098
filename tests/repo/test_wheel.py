from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

TRACER = "tracer_image/podtrace_tracer"
CARRIED = "kubectl_podtrace/_tracer/podtrace_tracer"


@pytest.fixture(scope="module")
def wheel_names(root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in a wheel built from this tree."""
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=100)
    (wheel,) = place.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


def test_the_wheel_carries_every_file_of_the_tracer(wheel_names: list[str], files: list[Path], root: Path) -> None:
    wanted = {
        str(path.relative_to(root)).replace(TRACER, CARRIED, 1) for path in files if path.is_relative_to(root / TRACER)
    }
    assert wanted
    assert {name for name in wheel_names if name.startswith(CARRIED)} == wanted


def test_the_wheel_carries_every_file_of_the_plugin(wheel_names: list[str], files: list[Path], root: Path) -> None:
    wanted = {str(path.relative_to(root)) for path in files if path.is_relative_to(root / "kubectl_podtrace")}
    carried = {name for name in wheel_names if name.startswith("kubectl_podtrace/") and not name.startswith(CARRIED)}
    assert carried == wanted


def test_the_wheel_installs_the_commands_that_kubectl_looks_for(wheel_names: list[str], root: Path) -> None:
    assert [name for name in wheel_names if name.endswith("dist-info/entry_points.txt")]
    scripts = tomllib.loads((root / "pyproject.toml").read_text())["project"]["scripts"]
    assert {"kubectl-podtrace", "kubectl_complete-podtrace"} <= set(scripts)
    for place in scripts.values():
        module, _, function = place.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
    assert [name for name in wheel_names if name.endswith("licenses/LICENSES/GPL-2.0-only.txt")]
