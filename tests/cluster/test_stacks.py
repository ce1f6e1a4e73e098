"""The stacks of a container that has no tools, no symbols of its own but those in the program, and another C library.

Real: the pod, the program in it, the tracer pod that reads the container's files. Not real: that it came in an image.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cluster.conftest import Kubectl
from tests.cluster.tracing import podtrace, running_pod, shell

SOURCE: Final = Path(__file__).parents[1] / "bpf" / "workloads" / "stacks.c"
LOAD: Final = """
mkfifo /data/go; exec 3<>/data/go; touch /data/ready; read -r _ <&3
exec /data/stacks /data/journal <&3 >/data/said
"""
WORK: Final = """
echo >/data/go; until grep -q ready /data/said; do sleep 0.1; done
echo >/data/go; until grep -q done /data/said; do sleep 0.1; done
"""
WRITES: Final = {("writes_by_hand", "work", "main"): 7, ("writes_by_foot", "work", "main"): 11}
OWN: Final = {"journal", *(name for chain in WRITES for name in chain)}

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PODTRACE_IMAGE"), reason="PODTRACE_IMAGE does not name the tracer's image"),
    pytest.mark.usefixtures("nothing_left"),
]


@pytest.fixture(params=["gcc -static", "musl-gcc"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The load, as programs are that stand alone in an image; musl's own needs its loader."""
    compiler, *flags = request.param.split()
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    made = tmp_path / "stacks"
    subprocess.run([compiler, "-O2", "-fno-omit-frame-pointer", *flags, "-o", str(made), str(SOURCE)], check=True)
    return made


@pytest.fixture
def pod(kubectl: Kubectl, program: Path) -> Iterator[str]:
    """A pod in which the program is about to begin."""
    with running_pod(
        kubectl, f"stacks-{secrets.token_hex(3)}", shell("load", LOAD), shell("hand", "sleep 86400")
    ) as name:
        kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        put(kubectl, name, program, "/data/stacks")
        loader = Path("/lib/ld-musl-x86_64.so.1")
        if loader.exists():
            put(kubectl, name, loader.resolve(), str(loader))
        kubectl("exec", name, "-c", "hand", "--", "sh", "-c", "until [ -e /data/ready ]; do sleep 0.1; done")
        yield name


def put(kubectl: Kubectl, pod: str, file: Path, path: str) -> None:
    """Copies a file into the container, without what `kubectl cp` needs there."""
    script = f"mkdir -p {Path(path).parent} && cat >{path} && chmod 755 {path}"
    command = ["kubectl", "-n", kubectl.namespace, "exec", "-i", pod, "-c", "load", "--", "sh", "-c", script]
    subprocess.run(command, input=file.read_bytes(), check=True)


def test_a_containers_own_program_names_its_functions(kubectl: Kubectl, pod: str) -> None:
    with podtrace(kubectl, pod, "-c", "load", "--filter", "fs", "--fs-threshold", "0.000001") as trace:
        trace.wait_for("tracing")
        kubectl("exec", pod, "-c", "hand", "--", "sh", "-c", WORK)
        report = trace.interrupt()
    writes = [
        stack
        for stack in report["stacks"]
        if stack["operation"] == "files.write" and stack["target"] == "/data/journal"
    ]
    chains = {own_functions(stack): stack["count"] for stack in writes}
    assert {chain[-3:]: count for chain, count in chains.items()} == WRITES
    # The functions of musl keep no frames: the one that called them can be missing.
    assert {chain[:-3] for chain in chains} <= {(), ("journal",)}


def own_functions(stack: dict[str, Any]) -> tuple[str, ...]:
    """The functions of the program itself, innermost first."""
    names = [frame["symbol"] for frame in stack["frames"] if frame["module"] == "/data/stacks"]
    return tuple(name for name in names if name in OWN)
