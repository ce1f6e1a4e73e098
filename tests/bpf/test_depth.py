"""Connections of one request, and lookups that search domains cause, against what programs and servers count."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.analysis.search_waste import SearchWaste, search_waste
from kubectl_podtrace.analysis.selection import select
from kubectl_podtrace.wire.codec import encode
from kubectl_podtrace.wire.connection_records import OneShotRow, OneShots
from kubectl_podtrace.wire.request import CgroupTarget
from kubectl_podtrace.wire.search_records import ResolverSettings
from podtrace_tracer.target import resolver_settings
from podtrace_tracer.target.resolver_settings import ResolverSettings as ResolverSettingsRead
from tests.bpf.conftest import StartTracer
from tests.bpf.dns_network import DnsNetwork
from tests.bpf.harness import ENTER_CGROUP, PATIENCE_S, ask
from tests.bpf.stream import Stream

SERVER = """
import socket, sys, threading
own = socket.create_server(("127.0.0.1", 0), backlog=64)
print(own.getsockname()[1], flush=True)
def serve(client):
    while data := client.recv(4096):
        if data.endswith(b"?"):
            client.sendall(b"!")
while True:
    client, _ = own.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
"""

CLIENT = """
import socket, sys
port = int(sys.argv[1])
def run(times, *requests, answered=True, vector=False):
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", port)) as own:
            for request in requests:
                own.sendmsg([request]) if vector else own.sendall(request)
                if answered and request.endswith(b"?"):
                    assert own.recv(10) == b"!"
hello = bytes([0x16, 3, 1]) + b"hello?"
run(7, b"one?")                             # one request
run(5, b"in ", b"several ", b"pieces?")     # one request
run(3, b"no answer is read", answered=False)  # one request
run(11, b"one?", b"two?")                   # two
run(13, b"one?", b"two?", b"three?")
run(17)                                     # no data: a check that the port is open
run(19, hello, b"one?", b"bye")             # one behind the handshake of TLS
run(23, hello, b"one?", vector=True)        # the same, sent otherwise
run(29, hello, b"one?", b"two?")            # two behind it
"""
ONE_SHOTS = 7 + 5 + 3 + 19 + 23


def one_shots(stream: Stream) -> dict[tuple[str, int], OneShotRow]:
    """The last row of each target."""
    return {(row.address, row.port): row for record in stream.of(OneShots) for row in record.rows}


def test_connections_of_one_request_are_told_from_others(run: int, cgroup: Path, start_tracer: StartTracer) -> None:
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("tcp", "connections")))
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            command = ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), sys.executable, "-c", CLIENT, str(port)]
            subprocess.run(command, check=True, timeout=PATIENCE_S)
            stream = tracer.stop()
        finally:
            server.kill()
    stream.assert_whole()
    row = one_shots(stream)["127.0.0.1", port]
    total = stream.total("connections.handshake")
    # Where raw tracepoints are preemptible, no number of connections is off by more than the report tells.
    assert 0 <= ONE_SHOTS + 11 + 13 + 17 + 29 - total.count <= stream.skipped
    assert 0 <= ONE_SHOTS - row.connections <= stream.skipped
    assert 0 < row.handshake_ns < total.sum_ns


def test_without_tcp_nothing_is_said_of_requests(cgroup: Path, start_tracer: StartTracer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("connections",)))
        code = f"import socket; socket.create_connection(('127.0.0.1', {own.getsockname()[1]})).close()"
        subprocess.run(["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), sys.executable, "-c", code], check=True)
        stream = tracer.stop()
    stream.assert_whole()
    assert one_shots(stream) == {}


SEARCH = "shop.absent svc.absent"
RESOLVE = """
import socket, sys
for name in sys.argv[1:]:
    socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
print("done", flush=True)
sys.stdin.readline()
"""
NAMES = ("api.vendor.example", "v4only.vendor.example", "four.dots.of.example", "db")


@pytest.fixture
def network(tmp_path: Path) -> Iterator[DnsNetwork]:
    network = DnsNetwork(tmp_path, f"timeout:1 attempts:2 ndots:3\nsearch {SEARCH}")
    yield network
    network.close()


def waste_of(stream: Stream) -> SearchWaste:
    """What a report says of it."""
    fold = Fold()
    for line in stream.lines:
        fold.feed(encode(line))
    found = search_waste(select(fold.state(), None, start_ns=fold.started_ns, end_ns=fold.ended_ns))
    assert found is not None
    return found


def test_lookups_in_vain_are_those_that_the_server_had_no_name_for(
    run: int, network: DnsNetwork, cgroup: Path, start_tracer: StartTracer
) -> None:
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("dns",)))
    command = ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), *network.inside, sys.executable, "-c", RESOLVE, *NAMES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == "done\n"
        tracer.wait_for(lambda record: isinstance(record, ResolverSettings))
        stream = tracer.stop()
        program.stdin.close()
    stream.assert_whole()
    found, answered = waste_of(stream), network.answered()
    wasted = {(name, code): count for (name, code), count in answered.items() if name.endswith(".absent")}
    assert {code for _, code in wasted} == {3}
    assert found.wasted == sum(wasted.values()) == 3 * 2 * 2  # three names, two domains, A and AAAA
    assert found.empty_aaaa == 1
    assert found.useful == sum(count for (_, code), count in answered.items() if code == 0) - found.empty_aaaa
    assert (found.search, found.ndots) == (tuple(SEARCH.split()), 3)
    assert {each.name for each in found.names} == set(NAMES) - {"four.dots.of.example"}
    assert found.advice is not None
    assert '"api.vendor.example."' in found.advice


def test_settings_are_read_below_the_container_s_root_only(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    outside = tmp_path.parent / "outside.conf"
    outside.write_text("search outside\n")
    (tmp_path / "etc/resolv.conf").symlink_to(outside)
    code = "import os, sys; os.chroot(sys.argv[1]); print('ready', flush=True); sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as jailed:
        assert jailed.stdin is not None
        assert jailed.stdout is not None
        assert jailed.stdout.readline() == "ready\n"
        assert resolver_settings.read(Path("/proc"), jailed.pid) is None
        (tmp_path / str(outside).lstrip("/")).parent.mkdir(parents=True)
        (tmp_path / str(outside).lstrip("/")).write_text("search inside\noptions ndots:5\n")
        found = resolver_settings.read(Path("/proc"), jailed.pid)
        assert found == ResolverSettingsRead(search=("inside",), ndots=5)
        (tmp_path / "etc/resolv.conf").unlink()
        os.mkfifo(tmp_path / "etc/resolv.conf")
        assert resolver_settings.read(Path("/proc"), jailed.pid) is None
        jailed.stdin.close()
