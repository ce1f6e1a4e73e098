"""Findings of whole traces, as their user gets them: none of a program that is well, of an ailing one its own alone.

A machine that is busy with other things is no fault of a program: what is well is traced before others have their turn,
and for less than the five seconds of waiting that the rule about a lack of CPUs asks for.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import pytest

from tests.bpf.conftest import Workloads, hierarchy
from tests.bpf.dns_network import DnsNetwork
from tests.bpf.harness import PATIENCE_S, ROOT
from tests.bpf.installed import needed
from tests.bpf.services import free_port

HERE = Path(__file__).parent
PYTHON = "/usr/bin/python3"
AILING = (PYTHON, str(HERE / "workloads/ailing.py"))
WELL = (PYTHON, str(HERE / "workloads/well.py"))
FIRST = ("nice", "-n", "-15")
"""What is well is well on a busy machine, too; but who has to wait for a CPU is slow at everything."""
ENTER = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"'


class Diagnose(Protocol):
    """Traces a command in local mode; the report."""

    def __call__(
        self, *command: str, flags: tuple[str, ...] = (), typed: bytes = b"", code: int = 0
    ) -> dict[str, Any]: ...


@pytest.fixture
def diagnose(tmp_path: Path) -> Diagnose:
    file = tmp_path / "report.json"

    def run(*command: str, flags: tuple[str, ...] = (), typed: bytes = b"", code: int = 0) -> dict[str, Any]:
        words = [sys.executable, "-m", "kubectl_podtrace", "local", *flags, "-o", str(file)]
        done = subprocess.run(
            [*words, *(("--", *command) if command else ())],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path, input=typed, capture_output=True,
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr.decode(errors="replace")[-3000:]
        report: dict[str, Any] = json.loads(file.read_text())
        return report

    return run


def rules(report: dict[str, Any]) -> set[str]:
    return {finding["rule"] for finding in report["findings"]}


def only(report: dict[str, Any], rule: str) -> dict[str, Any]:
    """The finding, which is the only one."""
    assert rules(report) == {rule}, report["findings"]
    finding: dict[str, Any] = report["findings"][0]
    return finding


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
    "event loop": (*WELL, "event_loop"),
    "datagrams": (*WELL, "datagrams"),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_program_that_is_well_has_no_findings(name: str, diagnose: Diagnose, shm: Path) -> None:
    if shutil.which(HEALTHY[name][0]) is None:
        pytest.skip(f"there is no {HEALTHY[name][0]}")
    report = diagnose(*FIRST, *(word.format(shm=shm) for word in HEALTHY[name]))
    assert report["findings"] == []
    assert report["headline"]["verdict"].startswith("no findings; ")
    assert {"connections-failed", "slow-files", "cpu-throttled", "command-failed"} <= set(report["looked_for"])


@pytest.mark.parametrize(
    ("program", "arguments"), [("timing", ("pingpong", "1009")), ("rate", ("{shm}", "2", "10007")), ("twins", ())]
)
def test_our_own_loads_that_let_nothing_fail_have_no_findings(
    program: str, arguments: tuple[str, ...], diagnose: Diagnose, workloads: Workloads, shm: Path
) -> None:
    words = (word.format(shm=shm) for word in arguments)
    assert diagnose(*FIRST, str(workloads[program]), *words, typed=b"\n\n\n")["findings"] == []


def test_redis_under_load_has_no_findings(diagnose: Diagnose, shm: Path) -> None:
    benchmark, port = needed("redis-benchmark", "redis-tools"), str(free_port())
    server = (needed(*REDIS), "--port", port, "--save", "", "--dir", str(shm))
    load = (benchmark, "-p", port, "-t", "set,get,lpush", "-n", "2000", "-q")
    assert diagnose(*FIRST, *WELL, "server_and_client", *server, "--", *load)["findings"] == []


def test_node_has_no_findings(diagnose: Diagnose, shm: Path) -> None:
    script = f"const fs = require('fs'); for (let i = 0; i < 300; i++) fs.writeFileSync('{shm}/file', String(i))"
    assert diagnose(*FIRST, needed("node", "nodejs"), "-e", script)["findings"] == []


def test_a_command_that_fails_is_told_with_its_code(diagnose: Diagnose) -> None:
    assert "ended with exit code 3" in only(diagnose("sh", "-c", "exit 3", code=3), "command-failed")["evidence"]
    crash = only(diagnose("sh", "-c", "kill -SEGV $$", code=139), "command-failed")
    assert (crash["severity"], "SIGSEGV" in crash["evidence"]) == ("critical", True)


def test_connections_that_are_refused(diagnose: Diagnose) -> None:
    finding = only(diagnose(*AILING, "refused"), "connections-failed")
    assert (finding["severity"], "ECONNREFUSED 50" in finding["evidence"]) == ("critical", True)
    assert finding["next_step"].startswith("nothing listens on 127.0.0.1:")


def test_a_threshold_that_is_not_passed_raises_nothing(diagnose: Diagnose) -> None:
    assert diagnose(*AILING, "refused", flags=("--error-threshold", "100"))["findings"] == []


@pytest.fixture
def dns(tmp_path: Path) -> Iterator[DnsNetwork]:
    network = DnsNetwork(tmp_path)
    yield network
    network.close()


@pytest.mark.parametrize(
    ("arguments", "rule", "text"),
    [
        (
            ("lookups", "never.example", "7"),
            "dns-timeouts",
            ") had no answer in 5 s, most by 127.0.0.1:53, most for never.example",
        ),
        (("lookups", "servfail.example", "7"), "dns-errors", "7 of 7 (100 %) failed, threshold 10 %: SERVFAIL 7"),
        (("lookups", "slow150.example", "11"), "dns-slow", "127.0.0.1:53 took longer than 100 ms"),
        (("asked_twice", "11"), "dns-retries", "11 queries again for 11 lookups"),
    ],
)
def test_lookups_that_fail_or_take_long(
    arguments: tuple[str, ...], rule: str, text: str, diagnose: Diagnose, dns: DnsNetwork
) -> None:
    assert text in only(diagnose(*dns.inside, *AILING, *arguments), rule)["evidence"]


def test_lookups_that_are_answered_are_no_finding(diagnose: Diagnose, dns: DnsNetwork) -> None:
    assert diagnose(*dns.inside, *AILING, "lookups", "nx.example", "101")["findings"] == []


@contextmanager
def far_away(delay_ms: int, lost_of_100: int) -> Iterator[tuple[str, ...]]:
    """The words that put a command behind a mirror that delays and loses packets."""
    if not Path("/dev/net/tun").exists():
        pytest.skip("there is no /dev/net/tun")
    command = ["unshare", "--net", PYTHON, str(HERE / "reflector.py"), str(delay_ms), str(lost_of_100)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as mirror:
        out: IO[bytes] | None = mirror.stdout
        assert out is not None
        try:
            assert out.readline() == b"ready\n"
            yield ("nsenter", "--net", "--target", str(mirror.pid))
        finally:
            mirror.kill()


def test_round_trips_to_a_far_peer_spike(diagnose: Diagnose) -> None:
    with far_away(75, 0) as inside:
        finding = only(diagnose(*inside, *AILING, "talk", "10.77.0.2", "7"), "rtt-spikes")
    assert "above 100 ms" in finding["evidence"]


def test_a_peer_that_is_far_but_below_the_threshold_is_no_finding(diagnose: Diagnose) -> None:
    with far_away(20, 0) as inside:
        assert diagnose(*inside, *AILING, "talk", "10.77.0.2", "7")["findings"] == []


def test_handshakes_with_a_far_peer_are_slow(diagnose: Diagnose) -> None:
    with far_away(75, 0) as inside:
        finding = only(diagnose(*inside, *AILING, "knock", "10.77.0.2", "13"), "handshakes-slow")
    assert "half of 13 took longer than 100 ms" in finding["evidence"]


def test_connections_that_carry_one_request_each_to_a_far_peer(diagnose: Diagnose) -> None:
    with far_away(10, 0) as inside:
        finding = only(diagnose(*inside, *AILING, "talk_once", "10.77.0.2", "53"), "connections-one-shot")
    # The last one is still being closed when the program, and with it the trace, ends.
    assert finding["evidence"].startswith(("52 connections to 10.77.0.2:", "53 connections to 10.77.0.2:"))


def test_segments_that_get_lost_are_sent_again(diagnose: Diagnose) -> None:
    with far_away(1, 5) as inside:
        finding = only(diagnose(*inside, *AILING, "upload", "10.77.0.2", "60"), "retransmits")
    assert "segments" in finding["evidence"]


@pytest.mark.parametrize(
    ("ailment", "rule", "text"),
    [
        ("broken", "connections-broken", "20 operations on 40 connections failed"),
        ("hung_up", "tcp-errors", "EPIPE 100"),
        ("unheard_datagrams", "udp-errors", "50 of 50 (100 %) failed"),
        ("flood", "udp-drops", "full"),
        ("out_of_descriptors", "descriptors-exhausted", "EMFILE 1"),
    ],
)
def test_sockets_and_descriptors(ailment: str, rule: str, text: str, diagnose: Diagnose) -> None:
    assert text in only(diagnose(*AILING, ailment), rule)["evidence"]


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


@pytest.fixture
def made(opened: ExitStack) -> Iterator[list[Path]]:
    """Directories of cgroups, to be removed in the end."""
    directories: list[Path] = []
    yield directories
    for directory in directories:
        for _ in range(10_000):
            try:
                directory.rmdir()
                break
            except OSError:
                os.sched_yield()


def controlled(controller: str, made: list[Path], limits: dict[str, str], name: str = "") -> Path:
    """A cgroup in the hierarchy that has the controller, with the one of the limits that there is in it."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    roots = [
        Path(where) for _, where, kind, options, *_ in mounts if kind == "cgroup" and controller in options.split(",")
    ]
    v2 = hierarchy("v2")
    own = {"blkio": "io"}.get(controller, controller)
    if v2 and own in (v2 / "cgroup.subtree_control").read_text().split():
        roots.append(v2)
    if not roots:
        pytest.skip(f"no cgroup hierarchy has the controller {controller}")
    directory = roots[0] / (name or f"podtrace-limited-{os.getpid()}")
    if not directory.exists():
        directory.mkdir()
        made.append(directory)
    for file, value in limits.items():
        if (directory / file).exists():
            (directory / file).write_text(value)
            return directory
    pytest.skip(f"{controller} has none of {', '.join(limits)}")


def test_a_slow_disk_is_told_with_its_file(diagnose: Diagnose, made: list[Path], tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    if os.major(device) == 0:
        pytest.skip(f"{tmp_path} is on no disk")
    number = f"{os.major(device)}:{os.minor(device)}"
    limits = {"blkio.throttle.write_iops_device": f"{number} 20", "io.max": f"{number} wiops=20"}
    slow = controlled("blkio", made, limits)
    report = diagnose("sh", "-c", ENTER, "sh", str(slow), *AILING, "slow_writes", str(tmp_path))
    finding = only(report, "slow-files")
    assert (finding["severity"], finding["title"]) == ("critical", "writes are slow")
    assert f"most slow operations on {tmp_path}/journal" in finding["evidence"]
    assert "took longer than 10 ms" in finding["evidence"]


def test_a_cpu_limit_that_throttles(diagnose: Diagnose, made: list[Path]) -> None:
    limited = controlled("cpu", made, {"cpu.cfs_quota_us": "20000", "cpu.max": "20000 100000"})
    with subprocess.Popen(["sh", "-c", ENTER, "sh", str(limited), *AILING, "spin"], stdout=subprocess.PIPE) as spinning:
        assert spinning.stdout is not None
        spinning.stdout.readline()
        report = diagnose(flags=("--diagnose", "2s", "--pid", str(spinning.pid)))
        spinning.kill()
    finding = only(report, "cpu-throttled")
    assert (finding["severity"], "threads were held back in" in finding["evidence"]) == ("critical", True)


def test_a_process_that_takes_more_memory_than_it_may(diagnose: Diagnose, made: list[Path]) -> None:
    limited = controlled("memory", made, {"memory.limit_in_bytes": str(48 << 20), "memory.max": str(48 << 20)})
    report = diagnose("sh", "-c", ENTER, "sh", str(limited), *AILING, "greedy", "200")
    assert only(report, "processes-oom-killed")["evidence"] == "the kernel killed 1 process: python3 1"


def test_memory_that_is_nearly_used_up(diagnose: Diagnose, cgroup: Path, made: list[Path]) -> None:
    limit = 64 << 20
    limited = controlled("memory", made, {"memory.limit_in_bytes": str(limit), "memory.max": str(limit)}, cgroup.name)
    entering = 'echo $$ > "$1/cgroup.procs" && echo $$ > "$2/cgroup.procs" && shift 2 && exec "$@"'
    words = ["sh", "-c", entering, "sh", str(limited), str(cgroup), *AILING, "hold", "54"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holding:
        assert holding.stdout is not None
        holding.stdout.readline()
        report = diagnose(flags=("--diagnose", "3s", "--cgroup", str(cgroup)))
        holding.kill()
    assert "memory-near-limit" in rules(report), report["memory"]


def test_threads_that_fight_for_a_lock(diagnose: Diagnose) -> None:
    finding = only(diagnose(*AILING, "fight", "4"), "lock-contention")
    assert (finding["severity"], "4 threads for 0x" in finding["evidence"]) == ("critical", True)


def test_threads_that_share_one_cpu_wait_for_it(diagnose: Diagnose) -> None:
    needed("taskset", "util-linux")
    finding = only(diagnose("taskset", "-c", "0", *AILING, "busy", "3", "4"), "cpu-starved")
    assert "for a CPU and ran" in finding["evidence"]


@pytest.mark.parametrize(
    ("arguments", "rule", "text"),
    [
        (("kill -ABRT $$", "3", "-6"), "processes-crashed", "sh SIGABRT 3"),
        (("kill -KILL $$", "2", "-9"), "processes-killed", "2 processes ended by SIGKILL: sh 2"),
        (("sleep 0.3; no-such-program", "7", "127"), "processes-failed", "sh 7 times with exit code 127"),
    ],
)
def test_processes_that_come_to_a_bad_end(arguments: tuple[str, ...], rule: str, text: str, diagnose: Diagnose) -> None:
    assert text in only(diagnose(*AILING, "children", *arguments), rule)["evidence"]


def test_files_that_are_never_closed(diagnose: Diagnose, shm: Path) -> None:
    finding = only(diagnose(*AILING, "leaking", str(shm), "18", flags=("--diagnose", "17s")), "descriptor-leak")
    assert "files more than at the start" in finding["evidence"]


def test_a_table_of_descriptors_that_is_nearly_full(diagnose: Diagnose) -> None:
    finding = only(diagnose(*AILING, "near_limit", flags=("--diagnose", "2s")), "descriptors-near-limit")
    assert "of 100 open" in finding["evidence"]


def test_a_process_that_does_nothing_is_idle(diagnose: Diagnose) -> None:
    with subprocess.Popen([*AILING, "wait"], stdout=subprocess.PIPE) as idle:
        assert idle.stdout is not None
        idle.stdout.readline()
        report = diagnose(flags=("--diagnose", "1s", "--pid", str(idle.pid)))
        idle.kill()
    assert only(report, "no-events")["severity"] == "info"
    assert "did nothing that was traced" in report["headline"]["verdict"]


def test_an_idle_cgroup_and_an_empty_one_are_told_apart(diagnose: Diagnose, cgroup: Path) -> None:
    flags = ("--diagnose", "1s", "--cgroup", str(cgroup))
    empty = only(diagnose(flags=flags), "no-events")
    assert (empty["severity"], empty["evidence"]) == ("warning", "the target is not running")
    with subprocess.Popen(["sh", "-c", ENTER, "sh", str(cgroup), *AILING, "wait"], stdout=subprocess.PIPE) as idle:
        assert idle.stdout is not None
        idle.stdout.readline()
        report = diagnose(flags=flags)
        idle.kill()
    assert only(report, "no-events")["severity"] == "info"


def test_what_goes_through_io_uring_is_told(diagnose: Diagnose, workloads: Workloads, shm: Path) -> None:
    report = diagnose(str(workloads["uring"]), str(shm), typed=b"\n\n\n")
    assert "io-uring" in rules(report)
