"""The same known work in several languages: each run-time makes its own system calls, every one is counted."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from kubectl_podtrace.wire import file_records
from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import StartTracer
from tests.bpf.echo import HOST, Echo
from tests.bpf.harness import Claims, Load, ask
from tests.bpf.installed import needed
from tests.bpf.strace_use import COMMAND, Use, strace_use
from tests.bpf.stream import Stream

SOURCES = Path(__file__).parent / "workloads"


def python(_: Path) -> list[str]:
    return [needed("python3", "python3"), str(SOURCES / "work.py")]


def node(_: Path) -> list[str]:
    return [needed("node", "nodejs"), str(SOURCES / "work.js")]


def go(built: Path) -> list[str]:
    program = built / "work"
    if not program.exists():
        environment = {
            "CGO_ENABLED": "0",
            "GO111MODULE": "off",
            "GOCACHE": str(built / "go"),
            "PATH": os.environ["PATH"],
        }
        command = [needed("go", "golang-go"), "build", "-o", str(program), str(SOURCES / "work.go")]
        subprocess.run(command, env=environment, check=True)
    return [str(program)]


def java(built: Path) -> list[str]:
    compiler = needed("javac", "default-jdk-headless")
    if not (built / "Work.class").exists():
        subprocess.run([compiler, "-d", str(built), str(SOURCES / "Work.java")], check=True)
    return [needed("java", "default-jre-headless"), "-XX:TieredStopAtLevel=1", "-cp", str(built), "Work"]


LANGUAGES = {"python": python, "node": node, "go": go, "java": java}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(params=LANGUAGES)
def command(request: pytest.FixtureRequest, built: Path) -> list[str]:
    make: Callable[[Path], list[str]] = LANGUAGES[request.param]
    return make(built)


def run(load: Load) -> Claims:
    load.release()
    claims = load.claims()
    load.finish()
    return claims


def strace_run(command: list[str], directory: Path, log: Path, opened: ExitStack) -> Use:
    """An identical run under strace, and what was seen of it."""
    with Echo() as echo:
        words = [*command, str(directory), str(echo.port), str(echo.refusing_port)]
        load = Load(Path(words[0]), *words[1:], wrapper=(*COMMAND, str(log)))
        opened.callback(load.close)
        run(load)
    return strace_use(list(log.parent.glob(f"{log.name}.*")), directory)


def failed_opens(stream: Stream, directory: Path) -> dict[str, int]:
    latest = {row.path: row.failed for record in stream.of(file_records.FailedOpens) for row in record.rows}
    return {path: failed for path, failed in latest.items() if path.startswith(str(directory))}


def test_a_program_s_files_connections_and_children_are_counted_as_it_its_server_and_strace_count_them(
    *, command: list[str], cgroup: Path, start_tracer: StartTracer, shm: Path, tmp_path: Path, opened: ExitStack
) -> None:
    with Echo() as echo:
        words = [*command, str(shm), str(echo.port), str(echo.refusing_port)]
        load = Load(Path(words[0]), *words[1:], cgroup=cgroup)
        opened.callback(load.close)
        tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
        claims = run(load)
    stream = tracer.stop()
    stream.assert_whole()
    counts, told = stream.counts(), claims.body
    own_files = {path: use for path, use in stream.files.items() if path.startswith(str(shm))}
    assert own_files == claims.files
    assert failed_opens(stream, shm) == {f"{shm}/missing-{number}": 1 for number in range(told["failed_opens"])}
    assert (counts["tcp.send"].count, counts["tcp.send"].bytes) == (told["sends"], told["sent"])
    assert counts["tcp.receive"].bytes == told["received"]
    assert (echo.accepted, echo.received, echo.sent) == (
        counts["connections.handshake"].count, counts["tcp.send"].bytes, counts["tcp.receive"].bytes,
    )  # fmt: skip
    assert stream.targets == claims.targets
    refused = claims.targets[HOST, echo.refusing_port].failed
    assert {number: n for (name, number), n in stream.errors.items() if name == "connections.failure"} == {
        errno.ECONNREFUSED: refused
    }
    assert counts["connections.attempt"].count == echo.accepted + refused
    if told["receives"] is not None:
        assert counts["tcp.receive"].count == told["receives"]
    assert [row.comm for row in stream.processes.values()].count("true") == told["children"]
    assert not [row for row in stream.processes.values() if row.alive]

    use = strace_run(command, shm, tmp_path / "strace", opened)
    assert own_files == use.files
    for name in ("tcp.send", "tcp.receive"):
        assert (counts[name].count - counts[name].errors, counts[name].bytes) == (use.calls[name], use.bytes[name]), (
            name
        )
    unlinked = counts["files.unlink"]
    assert unlinked.count - unlinked.errors == use.calls["files.unlink"]
    assert counts["processes.exec"].count == use.execs
    assert counts["processes.fork_process"].count == use.processes
    assert counts["processes.exit"].count == use.processes + 1
