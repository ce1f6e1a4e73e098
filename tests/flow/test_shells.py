"""Completion as its user meets it: a real kubectl, its own scripts for three real shells, our program behind them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_podtrace.cli.main import main
from tests.flow.fake_api import FakeApi, target_pod
from tests.flow.interactive_shell import BASH, ZSH, interactive

ROOT = Path(__file__).parents[2]
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
HOSTILE = "$(touch hostile)`touch hostile`;touch hostile"


def find_kubectl() -> Path:
    """A kubectl that completes plugins; it may be absent in CI, too, for Debian 12 has 1.20."""
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("there is no kubectl")
    # Where one kubectl chooses among several, which takes it seconds, they are beside it.
    several = Path(found).resolve().parent.glob("kubectl.1.*")
    kubectl = max(several, key=lambda path: int(path.suffix[1:]), default=Path(found))
    asked = subprocess.run([kubectl, "version", "--client", "-o", "json"], capture_output=True, check=True, timeout=60)
    version = json.loads(asked.stdout)["clientVersion"]
    if int(re.sub(r"\D", "", version["minor"])) < 26:
        pytest.skip(f"kubectl {version['gitVersion']} does not complete plugins, 1.26 and newer do")
    return kubectl


def need(program: str) -> None:
    if shutil.which(program, path=SYSTEM_PATH) or Path(program).exists():
        return
    if os.environ.get("CI"):
        pytest.fail(f"{program} is absent, though CI installs it")
    pytest.skip(f"{program} is not installed")


def add_context(kubeconfig: Path, name: str) -> None:
    document = json.loads(kubeconfig.read_text())
    document["contexts"].append({"name": name, "context": {"cluster": name}})
    kubeconfig.write_text(json.dumps(document))


@pytest.fixture
def hostile_process() -> Iterator[int]:
    """A process whose command line would be a command to a shell that evaluates it."""
    with subprocess.Popen([HOSTILE + "\t\n\x1b[2J:4"], executable="/bin/cat", stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def environ(
    api: FakeApi, kubeconfig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The environment of a user who has installed plugin and completion, with a small cluster."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "kubectl").symlink_to(find_kubectl())
    plugin = programs / "kubectl-podtrace"
    plugin.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m kubectl_podtrace "$@"\n')
    plugin.chmod(0o755)
    path = f"{programs}:{SYSTEM_PATH}"
    monkeypatch.setenv("PATH", path)
    assert main(["completion", "--install"]) == 0
    assert f"wrote {programs}/kubectl_complete-podtrace\n" in capsys.readouterr().out
    for name in ("api-0", "api-1"):
        api.pods["shop", name] = target_pod(name)
    api.pods["store", "till-0"] = target_pod("till-0", namespace="store")
    api.deployments["shop", "web"] = {"spec": {"selector": {"matchLabels": {"app": "web"}}}}
    api.phases.update(shop="Active", store="Active", other="Active")
    (tmp_path / "report.json").touch()
    (tmp_path / "report.pdf").touch()
    add_context(kubeconfig, HOSTILE)
    return {"PATH": path, "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


@pytest.mark.parametrize("shell", [BASH, ZSH], ids=["bash", "zsh"])
def test_a_shell_on_a_terminal_completes(
    shell: tuple[list[str], list[str]],
    environ: dict[str, str],
    hostile_process: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need(shell[0][0])
    if shell is BASH:
        need("/usr/share/bash-completion/bash_completion")
    monkeypatch.chdir(tmp_path)
    with interactive(shell, environ) as typing:
        assert typing.completed("kubectl podtrace --fil")[0] == "kubectl podtrace --filter "
        assert typing.completed("kubectl podtrace dep", "w")[0] == "kubectl podtrace deploy/web "
        assert typing.completed("kubectl podtrace -n st", "ti")[0] == "kubectl podtrace -n store till-0 "
        assert typing.completed("kubectl podtrace --filter=net,dn", ",f")[0] == "kubectl podtrace --filter=net,dns,fs"
        line, listed = typing.completed("kubectl podtrace a")
        assert line == "kubectl podtrace api-"
        assert {"api-0", "api-1"} <= set(listed.split())
        assert "Running, 1/1 ready, 5d" in listed
        line, listed = typing.completed("kubectl podtrace --filter net,")
        assert line == "kubectl podtrace --filter net,"
        assert {"net,dns", "net,db"} <= set(listed.split())
        assert typing.completed("kubectl podtrace api-0 -o rep")[0] == "kubectl podtrace api-0 -o report.json "
        assert typing.completed("kubectl podtrace local -- bunzi")[0] == "kubectl podtrace local -- bunzip2 "
        assert typing.completed("kubectl podtrace local -- cat report.p")[0].endswith("-- cat report.pdf ")
        assert typing.completed("kubectl podtrace --diagnose=5")[0] == "kubectl podtrace --diagnose=5m "
        assert typing.completed("kubectl podtrace --context ")[0] == "kubectl podtrace --context fake "
        pid = str(hostile_process)
        _, listed = typing.completed("kubectl podtrace local --pid ")
        assert pid in listed.split()
        assert typing.completed(f"kubectl podtrace local --pid={pid}")[0] == f"kubectl podtrace local --pid={pid} "
    assert not (tmp_path / "hostile").exists()


def test_fish_completes(environ: dict[str, str], hostile_process: int, tmp_path: Path) -> None:
    need("fish")

    def completed(line: str) -> list[str]:
        script = "kubectl completion fish | source; complete -C $argv[1]"
        command = ["fish", "--no-config", "-c", script, line]
        done = subprocess.run(
            command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.splitlines()

    assert [line.split("\t")[0] for line in completed("kubectl podtrace --fil")] == ["--filter"]
    assert completed("kubectl podtrace a") == [f"api-{number}\tRunning, 1/1 ready, 5d" for number in (0, 1)]
    assert completed("kubectl podtrace --namespace=st") == ["--namespace=store\tActive, 5d"]
    assert completed("kubectl podtrace deploy/") == ["deploy/web\t1/1 ready, 5d"]
    assert completed("kubectl podtrace local -- cat report.p") == ["report.pdf"]
    assert completed("kubectl podtrace --context ") == ["fake\tcluster fake"]
    (line,) = completed(f"kubectl podtrace local --pid={hostile_process}")
    assert line.startswith(f"--pid={hostile_process}\t$(touch hostile)")
    assert not (tmp_path / "hostile").exists()
