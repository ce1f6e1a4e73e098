"""Real servers at a fixed load: each in a cgroup of its own on one processor, its client on another one."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cgroups import Cgroup, cgroup
from benchmarks.clients import Answers, pgbench_answers, redis_answers, version_in, wrk_answers
from benchmarks.failure import BenchmarkError
from benchmarks.rounds import Sample
from benchmarks.tracing import ROOT, Processors

NGINX, REDIS, POSTGRESQL = "nginx", "Redis", "PostgreSQL"
_PACKAGES = {
    "nginx": "nginx", "wrk": "wrk", "redis-server": "redis-server", "redis-benchmark": "redis-tools",
    "postgres": "postgresql", "pgbench": "postgresql",
}  # fmt: skip
_SECONDS = 2
_WRK_CONNECTIONS, _WRK_PAUSE_MS = 80, 10
_REDIS_CLIENTS, _REDIS_REQUESTS = 50, 100_000
_PGBENCH_CLIENTS, _PGBENCH_PER_S, _PGBENCH_SCALE = 4, 600, 10
_PATIENCE_S = 30.0
_NGINX_CONFIGURATION = """\
daemon off; user root; worker_processes 1; pid nginx.pid; error_log error.log;
events {{ worker_connections 768; }}
http {{
    access_log access.log; sendfile on; tcp_nopush on;
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{ listen 127.0.0.1:{port}; root html; }}
}}
"""


@dataclass(frozen=True, kw_only=True)
class ServerLoad:
    """A running server and the client that asks it."""

    name: str
    version: str
    client: tuple[str, ...]
    read: Callable[[str], Answers]
    cgroup: Cgroup
    client_cgroup: Cgroup
    processors: Processors
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *, traced_client: bool = False) -> tuple[Sample, int]:
        """One run of the client, outside of what is traced if not said otherwise; and its number of requests."""
        command = self.processors.holding(self.processors.beside, list(self.client))
        if traced_client:
            command = self.client_cgroup.entering(command)
        processes, before = len(self.cgroup.processes()), self.cgroup.cpu_ns()
        answers = self.read(_output(command, self.environment))
        self.cgroup.settle(processes)
        cpu_ns = (self.cgroup.cpu_ns() - before) / answers.count
        return Sample(cpu_ns=cpu_ns, per_s=answers.per_s, p99_ns=answers.p99_ns), answers.count


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a server is started."""

    directory: Path
    cgroup: Cgroup
    client_cgroup: Cgroup
    processors: Processors
    port: int

    @contextmanager
    def running(self, command: list[str], is_ready: Callable[[], bool]) -> Iterator[None]:
        """The server, from when it is ready."""
        held = self.cgroup.entering(self.processors.holding(self.processors.load, command))
        log = self.directory / "server.log"
        with log.open("wb") as out:
            process = subprocess.Popen(held, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            deadline = time.monotonic() + _PATIENCE_S
            while not is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise BenchmarkError(f"{command[0]} did not start:\n{log.read_text(errors='replace')}")
                time.sleep(0.02)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(_PATIENCE_S)

    def accepts(self) -> bool:
        """Does somebody listen on the port?"""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


@contextmanager
def _nginx(place: _Place) -> Iterator[ServerLoad]:
    (place.directory / "html").mkdir()
    (place.directory / "html" / "index.html").write_bytes(b"x" * 1024)
    configuration = place.directory / "nginx.conf"
    configuration.write_text(_NGINX_CONFIGURATION.format(port=place.port), encoding="ascii")
    nginx, wrk = _program("nginx"), _program("wrk")
    script = str(ROOT / "benchmarks" / "loads" / "wrk_paced.lua")
    client = (wrk, "-t1", f"-c{_WRK_CONNECTIONS}", f"-d{_SECONDS}s", "-s", script, f"http://127.0.0.1:{place.port}/")
    command = [nginx, "-p", str(place.directory), "-c", str(configuration)]
    with place.running(command, place.accepts):
        environment = {"PAUSE_MS": str(_WRK_PAUSE_MS)}
        said = [nginx, "-v"]
        yield _load(place, NGINX, says_version=said, client=client, read=wrk_answers, environment=environment)


@contextmanager
def _redis(place: _Place) -> Iterator[ServerLoad]:
    server, port = _program("redis-server"), str(place.port)
    command = [server, "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", str(place.directory)]
    asking = ("-t", "get", "-c", str(_REDIS_CLIENTS), "-n", str(_REDIS_REQUESTS), "--csv")
    client = (_program("redis-benchmark"), "-h", "127.0.0.1", "-p", port, *asking)
    with place.running(command, place.accepts):
        yield _load(
            place, REDIS, says_version=[server, "--version"], client=client,
            read=lambda text: redis_answers(text, _REDIS_REQUESTS),
        )  # fmt: skip


@contextmanager
def _postgresql(place: _Place) -> Iterator[ServerLoad]:
    data, logs = place.directory / "data", place.directory / "logs"
    data.mkdir()
    logs.mkdir()
    shutil.chown(data, "postgres", "postgres")
    unprivileged = [_program("setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    server, pgbench = _program("postgres"), _program("pgbench")
    _output([*unprivileged, _program("initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "--no-locale"])
    settings = {
        "listen_addresses": "127.0.0.1", "port": str(place.port), "unix_socket_directories": "",
        # Whatever runs now and then would fall into one round and not into another.
        "autovacuum": "off", "checkpoint_timeout": "1d", "max_wal_size": "4GB",
    }  # fmt: skip
    arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    connection = ("-h", "127.0.0.1", "-p", str(place.port), "-U", "postgres")
    is_ready = [_program("pg_isready"), "-q", *connection]
    with place.running(
        [*unprivileged, server, "-D", str(data), *arguments],
        lambda: subprocess.run(is_ready, check=False).returncode == 0,
    ):
        _output([pgbench, "-i", "-q", "-s", str(_PGBENCH_SCALE), *connection, "postgres"])
        rate = ("-c", str(_PGBENCH_CLIENTS), "--rate", str(_PGBENCH_PER_S), "-T", str(_SECONDS), "--random-seed=1")
        logged = ("-n", "-l", "--log-prefix", str(logs / "transactions"))
        client = (pgbench, *rate, *logged, *connection, "postgres")
        yield _load(
            place, POSTGRESQL, says_version=[server, "--version"], client=client,
            read=lambda text: pgbench_answers(text, _taken(logs)),
        )  # fmt: skip


_SERVERS = {NGINX: _nginx, REDIS: _redis, POSTGRESQL: _postgresql}


@contextmanager
def server_loads(directory: Path, parent: Path, processors: Processors) -> Iterator[list[ServerLoad]]:
    """All servers, each in a directory and a cgroup of its own."""
    directory.chmod(0o755)  # PostgreSQL refuses to run as root
    with ExitStack() as stack:
        clients = stack.enter_context(cgroup(parent, "clients"))
        found = []
        for name, server in _SERVERS.items():
            own = directory / name.lower()
            own.mkdir()
            place = _Place(
                directory=own,
                cgroup=stack.enter_context(cgroup(parent, own.name)),
                client_cgroup=clients,
                processors=processors,
                port=_free_port(),
            )
            found.append(stack.enter_context(server(place)))
        yield found


def require_programs() -> None:
    """Raises BenchmarkError with all that is missing, before anything is measured."""
    missing = sorted({package for program, package in _PACKAGES.items() if _found(program) is None})
    if missing:
        raise BenchmarkError(f"the servers or their clients are missing; Debian packages: {' '.join(missing)}")


def _load(
    place: _Place,
    name: str,
    *,
    says_version: Sequence[str],
    client: tuple[str, ...],
    read: Callable[[str], Answers],
    environment: dict[str, str] | None = None,
) -> ServerLoad:
    return ServerLoad(
        name=name,
        version=version_in(_output(says_version)),
        client=client,
        read=read,
        cgroup=place.cgroup,
        client_cgroup=place.client_cgroup,
        processors=place.processors,
        environment=environment or {},
    )


def _output(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, env=environment or None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", timeout=120, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def _found(name: str) -> str | None:
    """A program on the path, or where Debian puts it: servers in /usr/sbin, PostgreSQL's beside its version."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    places = [*(str(path) for path in reversed(versions)), "/usr/sbin"]
    return shutil.which(name) or shutil.which(name, path=":".join(places))


def _program(name: str) -> str:
    path = _found(name)
    if path is None:
        raise BenchmarkError(f"there is no program {name}")
    return path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _taken(directory: Path) -> str:
    """The text of all files in a directory, which are removed."""
    texts = []
    for path in sorted(directory.iterdir()):
        texts.append(path.read_text(encoding="ascii"))
        path.unlink()
    return "".join(texts)
