"""Redis, nginx and PostgreSQL under a known load: what they count themselves is what is traced."""

from __future__ import annotations

import re
import signal
import struct
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import StartTracer
from tests.bpf.harness import ask
from tests.bpf.installed import needed
from tests.bpf.services import HOST, Client, Service, free_port, is_gone, is_quiet, owned_directory, until
from tests.bpf.stream import FileUse

TOPICS = ("tcp", "connections", "files", "processes", "descriptors")


INFO = b"*1\r\n$4\r\nINFO\r\n"


def redis_information(client: Client) -> tuple[dict[str, int], int]:
    """The sums that INFO tells, and the size of the reply, which is not in them."""
    before = client.received
    client.send(INFO)
    size = int(client.take_until(b"\r\n")[1:])
    text = client.take(size + 2).decode()
    return {
        name: int(number) for name, number in re.findall(r"^(total_\w+):(\d+)\r?$", text, re.MULTILINE)
    }, client.received - before


def test_redis_counts_the_same_connections_calls_bytes_and_flushes(
    cgroup: Path, start_tracer: StartTracer, tmp_path: Path, opened: ExitStack
) -> None:
    benchmark, port, sets, requests = needed("redis-benchmark", "redis-tools"), free_port(), 503, 10_007
    command = [
        needed("redis-server", "redis-server"), "--bind", HOST, "--port", str(port), "--dir", str(tmp_path),
        "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0",
    ]  # fmt: skip
    redis = Service(command, port=port, cgroup=cgroup, directory=tmp_path)
    opened.callback(redis.close)
    asking = Client(port)
    redis_information(asking)
    (log,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=TOPICS))
    before, _ = redis_information(asking)
    setting = Client(port)
    for number in range(sets):
        setting.send(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$4\r\n%04d\r\n" % number)
        assert setting.take(5) == b"+OK\r\n"
    setting.close()
    load = ["-t", "get", "-n", str(requests), "-c", "7", "-q"]
    subprocess.run([benchmark, "-h", HOST, "-p", str(port), *load], check=True, capture_output=True)
    after, last_reply = redis_information(asking)
    asking.close()
    until(lambda: is_quiet(port), "redis has closed all connections")
    stream = tracer.stop()
    stream.assert_whole()
    counts = stream.counts()
    grown = {name: number - before[name] for name, number in after.items()}
    receive, send = counts["tcp.receive"], counts["tcp.send"]
    assert counts["connections.accept"].count == grown["total_connections_received"]
    # The difference of two INFOs lacks the first one's request, the last one's reply, and the end of their connection.
    assert receive.bytes == grown["total_net_input_bytes"] + len(INFO)
    assert receive.count + receive.would_block == grown["total_reads_processed"] + 2
    assert send.bytes == grown["total_net_output_bytes"] + last_reply
    assert send.count + send.would_block == grown["total_writes_processed"] + 1
    assert stream.files[str(log)] == FileUse(operations=2 * sets, bytes=log.stat().st_size, opened=0)
    assert counts["files.fsync"].count == sets


NGINX = """
daemon off; master_process on; worker_processes 2; user root; pid {directory}/pid; error_log stderr;
events {{ worker_connections 128; accept_mutex off; }}
http {{
    log_format sizes "$connection $request_length $bytes_sent $status $uri";
    access_log {directory}/access sizes;
    client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
    uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
    sendfile on; keepalive_requests 10000;
    server {{
        listen {host}:{port};
        root {directory}/pages;
        location = /status {{ stub_status; }}
    }}
}}
"""


def fetch(client: Client, path: str) -> bytes:
    """The body of a reply; the connection stays."""
    client.send(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    head = client.take_until(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length, head
    return client.take(int(length[1]))


def test_nginx_counts_the_same_connections_requests_and_bytes(
    cgroup: Path, start_tracer: StartTracer, tmp_path: Path, opened: ExitStack
) -> None:
    port, page, connections, requests, missing = free_port(), b"n" * 10_007, 17, 31, 5
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/page").write_bytes(page)
    (tmp_path / "conf").write_text(NGINX.format(directory=tmp_path, host=HOST, port=port))
    command = [needed("nginx", "nginx"), "-c", str(tmp_path / "conf"), "-p", str(tmp_path)]
    nginx = Service(command, port=port, cgroup=cgroup, directory=tmp_path)
    opened.callback(nginx.close)
    until(lambda: len((cgroup / "cgroup.procs").read_text().split()) == 3, "nginx has its two workers")
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=TOPICS))
    clients = [Client(port) for _ in range(connections)]
    for _ in range(requests):
        for client in clients:
            assert fetch(client, "/page") == page
    for _ in range(missing):
        fetch(clients[0], "/missing")
    status = fetch(clients[0], "/status").decode()
    for client in clients:
        client.close()
    until(lambda: is_quiet(port), "nginx has closed all connections")
    nginx.stop(signal.SIGQUIT)
    stream = tracer.stop()
    stream.assert_whole()
    accepts, handled, requested = map(int, re.findall(r"^ (\d+) (\d+) (\d+)", status, re.MULTILINE)[0])
    lines = [line.split() for line in (tmp_path / "access").read_text().splitlines()]
    counts = stream.counts()
    assert accepts == handled == connections == counts["connections.accept"].count == len({line[0] for line in lines})
    assert requested == len(lines) == connections * requests + missing + 1
    assert counts["tcp.receive"].bytes == sum(int(line[1]) for line in lines) == sum(client.sent for client in clients)
    assert counts["tcp.send"].bytes == sum(int(line[2]) for line in lines) == sum(client.received for client in clients)
    served = connections * requests
    assert stream.files[str(tmp_path / "pages/page")] == FileUse(
        operations=served, bytes=served * len(page), opened=served
    )
    log = tmp_path / "access"
    assert stream.files[str(log)] == FileUse(operations=len(lines), bytes=log.stat().st_size, opened=0)
    assert stream.errors["files.open", 2] == missing
    assert stream.exits == {(0, 0): 3}


class Postgres:
    """A client of PostgreSQL's own protocol: simple queries only, nobody asks for a password."""

    def __init__(self, port: int) -> None:
        self.connection = Client(port)
        self.pid = 0
        words = b"user\0postgres\0database\0postgres\0\0"
        self.connection.send(struct.pack("!II", 8 + len(words), 196_608) + words)
        self._replies()

    def _replies(self) -> list[list[str]]:
        rows = []
        while True:
            kind, size = struct.unpack("!cI", self.connection.take(5))
            body = self.connection.take(size - 4)
            assert kind != b"E", body
            if kind == b"K":
                self.pid = struct.unpack("!I", body[:4])[0]
            if kind == b"D":
                rows.append(_fields(body))
            if kind == b"Z":
                return rows

    def query(self, text: str) -> list[list[str]]:
        """The rows of its result."""
        data = text.encode() + b"\0"
        self.connection.send(b"Q" + struct.pack("!I", 4 + len(data)) + data)
        return self._replies()

    def close(self) -> None:
        """Says good-bye and waits for the end of the process that served it."""
        self.connection.send(b"X" + struct.pack("!I", 4))
        self.connection.close()
        until(lambda: is_gone(self.pid), f"backend {self.pid} has ended")


def _fields(body: bytes) -> list[str]:
    (count,), place, fields = struct.unpack("!H", body[:2]), 2, []
    for _ in range(count):
        (size,) = struct.unpack("!i", body[place : place + 4])
        fields.append(body[place + 4 : place + 4 + max(size, 0)].decode())
        place += 4 + max(size, 0)
    return fields


@pytest.fixture
def postgres(cgroup: Path, opened: ExitStack) -> tuple[Service, Path]:
    initdb, server, port = needed("initdb", "postgresql"), needed("postgres", "postgresql"), free_port()
    directory = opened.enter_context(owned_directory("postgres"))
    as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    making = [initdb, "-D", str(directory), "-U", "postgres", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"]
    subprocess.run([*as_owner, *making], check=True, capture_output=True, cwd="/")
    # Nothing but the test's own transactions may write to the log: no checkpoint, no vacuum, no snapshot for a standby.
    settings = {
        "listen_addresses": HOST, "unix_socket_directories": "", "log_connections": "on", "logging_collector": "off",
        "wal_level": "minimal", "max_wal_senders": "0", "wal_writer_delay": "10s", "checkpoint_timeout": "1h",
        "autovacuum": "off", "max_parallel_workers": "0", "jit": "off",
    }  # fmt: skip
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command = [*as_owner, server, "-D", str(directory), "-p", str(port), *options]
    service = Service(command, port=port, cgroup=cgroup, directory=directory)
    opened.callback(service.close)
    until(lambda: "is ready to accept connections" in service.log.read_text(), "PostgreSQL is ready")
    return service, directory


def test_postgresql_counts_the_same_connections_transactions_and_flushes(
    cgroup: Path, postgres: tuple[Service, Path], start_tracer: StartTracer
) -> None:
    service, directory = postgres
    connections, inserts = 7, 101
    first = Postgres(service.port)
    first.query("CREATE TABLE numbers (number int)")
    first.close()
    second = Postgres(service.port)
    second.query("SELECT pg_stat_reset_shared('wal')")
    second.close()
    logged = service.log.read_text().count("connection received")
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=TOPICS))
    clients = [Postgres(service.port) for _ in range(connections)]
    for number in range(inserts):
        clients[number % connections].query(f"INSERT INTO numbers VALUES ({number})")
    assert clients[0].query("SELECT count(*) FROM numbers") == [[str(inserts)]]
    for client in clients:
        client.close()
    until(lambda: is_quiet(service.port), "PostgreSQL has closed all connections")
    stream = tracer.stop()
    stream.assert_whole()
    asking = Postgres(service.port)
    ((wal_writes, wal_syncs),) = asking.query("SELECT wal_write, wal_sync FROM pg_stat_wal")
    asking.close()
    counts = stream.counts()
    assert counts["connections.accept"].count == connections
    assert service.log.read_text().count("connection received") - logged == connections + 1
    assert (counts["processes.fork_process"].count, counts["processes.exit"].count) == (connections, connections)
    assert counts["tcp.receive"].bytes == sum(client.connection.sent for client in clients)
    assert counts["tcp.send"].bytes == sum(client.connection.received for client in clients)
    wal = [use for path, use in stream.files.items() if path.startswith(str(directory / "pg_wal"))]
    assert int(wal_syncs) == inserts == counts["files.fsync"].count
    assert sum(use.operations for use in wal) == int(wal_writes) + int(wal_syncs)
    service.stop(signal.SIGINT)
