from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kubectl_podtrace.cli import completion
from kubectl_podtrace.errors import CompletionError, UsageError

NAME = "kubectl_complete-podtrace"
PACKAGED = "#!/usr/bin/python3\nfrom kubectl_podtrace.cli.complete import entry_point\nentry_point()\n"


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


class Machine:
    """A home with the plugin beside other programs on the PATH."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.bin = home / "bin"
        self.plugin = program(self.bin / "kubectl-podtrace", '#!/bin/sh\nprintf "<%s>" "$@"\n')
        self.file = self.bin / NAME
        self.environ = {"PATH": f"/nowhere:{self.bin}", "HOME": str(home), "SHELL": "/usr/bin/fish"}
        self._capsys = capsys

    def run(self, *arguments: str) -> str:
        assert completion.run(arguments, self.environ) == 0
        shown = self._capsys.readouterr()
        assert shown.err == ""
        return shown.out


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, capsys)


def test_what_is_installed_hands_the_words_to_the_plugin(machine: Machine) -> None:
    assert machine.run("--install").startswith(f"wrote {machine.file}\n")
    command = [str(machine.file), "-n", "", "a b"]
    done = subprocess.run(command, env=machine.environ, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "<__complete><-n><><a b>"


def test_installing_again_changes_nothing_and_says_so(machine: Machine) -> None:
    machine.run("--install")
    before = machine.file.stat()
    assert machine.run("--install").startswith(f"nothing to do: {machine.file} is there\n")
    assert machine.file.stat() == before
    assert [path.name for path in machine.bin.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "damage", [lambda path: path.chmod(0o644), lambda path: path.write_text(path.read_text()[:90])]
)
def test_what_an_earlier_version_wrote_is_renewed(machine: Machine, damage: object) -> None:
    machine.run("--install")
    whole = machine.file.read_text()
    assert callable(damage)
    damage(machine.file)
    assert machine.run("--install").startswith(f"wrote {machine.file}\n")
    assert (machine.file.read_text(), os.access(machine.file, os.X_OK)) == (whole, True)


def test_the_line_for_the_user_s_shell_is_told(machine: Machine) -> None:
    said = machine.run("--install")
    assert "  kubectl completion fish | source   # in ~/.config/fish/config.fish\n" in said
    assert "bash" not in said
    machine.environ["SHELL"] = "/opt/nu"
    said = machine.run("--install")
    assert "source <(kubectl completion bash)   # in ~/.bashrc" in said
    assert "source <(kubectl completion zsh)   # in ~/.zshrc" in said


def test_a_directory_that_is_not_on_the_path_is_told(machine: Machine) -> None:
    place = machine.home / "elsewhere" / "deep"
    assert f"wrote {place / NAME}\n{place} is not on the PATH" in machine.run("--install", "--dir", str(place))
    assert "not on the PATH" not in machine.run("--install")
    machine.plugin.unlink()
    assert "kubectl-podtrace is not on the PATH" in machine.run("--install", "--dir", str(machine.bin))


def test_without_a_plugin_on_the_path_it_goes_to_the_user_s_programs(machine: Machine) -> None:
    machine.plugin.unlink()
    place = machine.home / ".local" / "bin"
    assert machine.run("--install").startswith(f"wrote {place / NAME}\n{place} is not on the PATH")
    machine.environ["PATH"] = str(place)
    assert machine.run("--uninstall") == f"removed {place / NAME}\n"


def test_a_foreign_file_is_left_alone(machine: Machine) -> None:
    program(machine.file, "#!/bin/sh\necho mine\n")
    for flag in ("--install", "--uninstall"):
        with pytest.raises(CompletionError, match="not ours"):
            completion.run([flag], machine.environ)
    assert machine.file.read_text() == "#!/bin/sh\necho mine\n"
    machine.file.unlink()
    machine.file.symlink_to("/nowhere/at/all")
    with pytest.raises(CompletionError, match="not ours"):
        completion.run(["--install"], machine.environ)
    machine.file.unlink()
    machine.file.mkdir()
    with pytest.raises(CompletionError, match="not ours"):
        completion.run(["--uninstall"], machine.environ)


def test_what_came_with_the_package_is_enough_and_stays(machine: Machine) -> None:
    program(machine.file, PACKAGED)
    assert machine.run("--install").startswith(f"nothing to do: {machine.file} came with the Python package\n")
    with pytest.raises(CompletionError, match="came with the Python package"):
        completion.run(["--uninstall"], machine.environ)
    assert machine.file.read_text() == PACKAGED


def test_uninstalling_removes_what_was_installed(machine: Machine) -> None:
    place = machine.home / "elsewhere"
    machine.run("--install")
    machine.run("--install", "--dir", str(place))
    assert machine.run("--uninstall") == f"removed {machine.file}\n"
    assert machine.run("--uninstall", f"--dir={place}") == f"removed {place / NAME}\n"
    assert machine.run("--uninstall") == f"nothing to do: there is no {machine.file}\n"


def test_a_place_that_cannot_be_written_is_an_error_that_says_what_to_do(machine: Machine) -> None:
    (machine.home / "file").touch()
    with pytest.raises(CompletionError, match="cannot be written") as caught:
        completion.run(["--install", "--dir", str(machine.home / "file" / "bin")], machine.environ)
    assert "--dir" in str(caught.value.hint)


def test_without_a_flag_the_three_shells_are_explained_and_what_is_missing(machine: Machine) -> None:
    said = machine.run()
    assert "it does not yet: kubectl podtrace completion --install" in said
    assert [shell for shell in ("bash", "zsh", "fish") if f"kubectl completion {shell}" in said] == [
        "bash",
        "zsh",
        "fish",
    ]
    machine.run("--install")
    assert f"it does: {machine.file}\n" in machine.run()


@pytest.mark.parametrize("arguments", [["--install", "--uninstall"], ["--dir", "/tmp"], ["bash"]])
def test_what_makes_no_sense_is_refused(machine: Machine, arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        completion.run(arguments, machine.environ)
