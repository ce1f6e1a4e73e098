from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

import kubectl_podtrace
from kubectl_podtrace.errors import BccMissingError, LocalModeError, NotRootError, TracerPythonMissingError
from kubectl_podtrace.local.tracer import check_python, find_tracer, lay_out, system_tracer
from kubectl_podtrace.wire.request import CACHE_VARIABLE


def python_that_says(text: str, directory: Path) -> Path:
    python = directory / "python3"
    python.write_text(f"#!/bin/sh\necho '{text}'\n")
    python.chmod(0o755)
    return python


def test_a_python_that_has_everything_is_accepted(tmp_path: Path) -> None:
    check_python(python_that_says("3 11", tmp_path))


def test_an_older_python_is_refused_with_what_has_a_newer_one(tmp_path: Path) -> None:
    with pytest.raises(TracerPythonMissingError, match=r"is Python 3\.10") as refusal:
        check_python(python_that_says("3 10 bcc", tmp_path))
    assert "Debian 12" in str(refusal.value.hint)


@pytest.mark.parametrize(
    ("missing", "error"),
    [("bcc", BccMissingError), ("bcc pyroute2", BccMissingError), ("pyroute2", TracerPythonMissingError)],
)
def test_a_missing_module_is_named_with_its_debian_package(
    tmp_path: Path, missing: str, error: type[LocalModeError]
) -> None:
    with pytest.raises(error) as refusal:
        check_python(python_that_says(f"3 13 {missing}", tmp_path))
    assert missing.split(maxsplit=1)[0] in refusal.value.message
    assert "python3-bpfcc python3-pyroute2" in str(refusal.value.hint)


def test_no_python_and_one_that_does_not_work_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TracerPythonMissingError, match="there is no"):
        check_python(tmp_path / "python3")
    with pytest.raises(TracerPythonMissingError, match="does not work"):
        check_python(python_that_says("nonsense", tmp_path))


def test_this_python_is_asked_in_earnest() -> None:
    missing = [name for name in ("bcc", "pyroute2") if importlib.util.find_spec(name) is None]
    with pytest.raises(LocalModeError, match=f"cannot import {missing[0]}") if missing else nullcontext():
        check_python(Path(sys.executable))


def test_a_wheel_s_tracer_is_found_within_the_package_and_a_checkout_s_beside_it(tmp_path: Path) -> None:
    package = tmp_path / "kubectl_podtrace"
    beside = tmp_path / "tracer_image" / "podtrace_tracer"
    within = package / "_tracer" / "podtrace_tracer"
    with pytest.raises(LocalModeError, match="missing"):
        find_tracer(package)
    for place in (beside, within):
        place.mkdir(parents=True)
        (place / "__main__.py").touch()
        assert find_tracer(package) == place


def test_the_tracer_s_view_holds_the_wire_and_the_version_and_nothing_else_of_us(tmp_path: Path) -> None:
    tracer = tmp_path / "tracer"
    tracer.mkdir()
    (tracer / "__main__.py").write_text(
        "import kubectl_podtrace, kubectl_podtrace.wire.codec as c; print(c.MAX_LINE)\n"
    )
    view = tmp_path / "view"
    view.mkdir()
    lay_out(view, tracer)
    assert sorted(path.name for path in (view / "kubectl_podtrace").iterdir()) == ["__init__.py", "wire"]
    done = subprocess.run(
        [sys.executable, "-P", "-s", "-S", "-B", "-m", "podtrace_tracer"],
        env={"PYTHONPATH": str(view)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("8000\n", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="is about everyone but root")
def test_only_root_may_trace() -> None:
    with pytest.raises(NotRootError), system_tracer():
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_tracer_sees_no_setting_of_our_python_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    package = Path(kubectl_podtrace.__file__).parent
    try:
        find_tracer(package)
    except LocalModeError:
        pytest.skip("the tracer is not in this tree")
    with system_tracer(python_that_says("3 11", tmp_path)) as program:
        view = Path(program.environment["PYTHONPATH"])
        assert (view / "podtrace_tracer" / "__main__.py").is_file()
        assert {name for name in program.environment if name.startswith("PYTHON")} == {"PYTHONPATH"}
    assert not view.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_was_compiled_is_kept_unless_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = python_that_says("3 11", tmp_path)
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    with system_tracer(python) as program:
        assert program.environment[CACHE_VARIABLE] == "/var/cache/podtrace"
    monkeypatch.setenv(CACHE_VARIABLE, "")
    with system_tracer(python) as program:
        assert program.environment[CACHE_VARIABLE] == ""
