"""Findings of whole traces, as their user gets them: none of a program that is well, of an ailing one its own alone.

A machine that is busy with other things is no fault of a program: what is well is traced before others have their turn,
and for less than the five seconds of waiting that the rule about a lack of CPUs asks for.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bpf.conftest import Workloads
from tests.bpf.diagnosis import AILING, FIRST, PYTHON, WELL, Diagnose, only, well_here
from tests.bpf.installed import needed
from tests.bpf.services import free_port

pytestmark = pytest.mark.alone

REDIS = ("redis-server", "redis-server")
NGINX = ("nginx", "nginx")
HEALTHY: dict[str, tuple[str, ...]] = {
    "true": ("true",),
    "sleep": ("sleep", "1"),
    "ls": ("ls", "-lR", "/usr/share/doc"),
    "find": ("find", "/usr/lib", "-name", "*.conf"),
    "dd": ("dd", "if=/dev/zero", "of={shm}/zeros", "bs=64k", "count=500", "conv=fsync"),
    "copy and remove": ("sh", "-c", "cp -r /usr/share/doc/[a-c]* {shm} && rm -r {shm}/*"),
    "archive": ("sh", "-c", "tar cf - /etc/ssl /usr/share/doc/[a-c]* | gzip -1 | wc -c"),
    "pipeline that stops early": ("sh", "-c", "yes | head -n 1000 | wc -l"),
    "script that asks grep": (
        "sh",
        "-c",
        "for i in $(seq 50); do grep -q nothing /etc/passwd; test -e /none; done; true",
    ),
    "failed search": ("sh", "-c", "for i in $(seq 20); do command -v no-such-program; done; ls /etc >/dev/null"),
    "python": (PYTHON, "-c", "import json, http.client, asyncio, unittest, email.mime.text"),
    "perl": ("perl", "-e", "print qq(line $_\n) for 1..10000"),
    "compiler": ("sh", "-c", "echo 'int main(void) {{ return 0; }}' | gcc -x c -o {shm}/program - && {shm}/program"),
    "repository": ("sh", "-c", "cd {shm} && git init -q && git -c gc.auto=0 add -f . && git status && git log || true"),
    "web server": (*WELL, "web"),
    "IPv6 first": (*WELL, "dual_stack"),
    "database": (*WELL, "database", "{shm}"),
    "threads": (*WELL, "threads"),
    "pool of threads": (*WELL, "pool"),
    "event loop": (*WELL, "event_loop"),
    "datagrams": (*WELL, "datagrams"),
}


@well_here
@pytest.mark.parametrize("name", HEALTHY)
def test_a_program_that_is_well_has_no_findings(name: str, diagnose: Diagnose, shm: Path) -> None:
    if shutil.which(HEALTHY[name][0]) is None:
        pytest.skip(f"there is no {HEALTHY[name][0]}")
    report = diagnose(*FIRST, *(word.format(shm=shm) for word in HEALTHY[name]))
    assert report["findings"] == []
    assert report["headline"]["verdict"].startswith("no findings; ")
    assert {"connections-failed", "slow-files", "cpu-throttled", "command-failed"} <= set(report["looked_for"])


@well_here
@pytest.mark.parametrize(
    ("program", "arguments"), [("timing", ("pingpong", "1009")), ("rate", ("{shm}", "2", "10007")), ("twins", ())]
)
def test_our_own_loads_that_let_nothing_fail_have_no_findings(
    program: str, arguments: tuple[str, ...], diagnose: Diagnose, workloads: Workloads, shm: Path
) -> None:
    words = (word.format(shm=shm) for word in arguments)
    assert diagnose(*FIRST, str(workloads[program]), *words, typed=b"\n\n\n")["findings"] == []


@well_here
def test_redis_under_load_has_no_findings(diagnose: Diagnose, shm: Path) -> None:
    benchmark, port = needed("redis-benchmark", "redis-tools"), str(free_port())
    server = (needed(*REDIS), "--port", port, "--save", "", "--dir", str(shm))
    load = (benchmark, "-p", port, "-t", "set,get,lpush", "-n", "2000", "-q")
    assert diagnose(*FIRST, *WELL, "server_and_client", *server, "--", *load)["findings"] == []


@well_here
def test_node_has_no_findings(diagnose: Diagnose, shm: Path) -> None:
    script = f"const fs = require('fs'); for (let i = 0; i < 300; i++) fs.writeFileSync('{shm}/file', String(i))"
    assert diagnose(*FIRST, needed("node", "nodejs"), "-e", script)["findings"] == []


def test_a_command_that_fails_is_told_with_its_code(diagnose: Diagnose) -> None:
    assert "ended with exit code 3" in only(diagnose("sh", "-c", "exit 3", code=3), "command-failed")["evidence"]
    crash = only(diagnose("sh", "-c", "kill -SEGV $$", code=139), "command-failed")
    assert (crash["severity"], "SIGSEGV" in crash["evidence"]) == ("critical", True)


def test_files_that_may_not_be_opened(diagnose: Diagnose, shm: Path) -> None:
    secret = shm / "secret"
    secret.touch(0o600)
    finding = only(diagnose(*AILING, "forbidden", str(secret)), "file-errors")
    assert "EACCES 1,000" in finding["evidence"]
    assert finding["evidence"].endswith(f"most for {secret}")


def test_a_disk_that_is_full(diagnose: Diagnose, tmp_path: Path) -> None:
    mounting = 'mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"'
    inside = ("unshare", "--mount", "sh", "-c", mounting, "sh", str(tmp_path))
    finding = only(diagnose(*inside, *AILING, "full_disk", str(tmp_path)), "storage-failed")
    assert (finding["severity"], "ENOSPC 1" in finding["evidence"]) == ("critical", True)
