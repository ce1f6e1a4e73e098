"""PostgreSQL and MariaDB of Debian's packages, outside of what is traced, and how to ask them what they counted."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path

from tests.bpf.harness import ENTER_CGROUP
from tests.bpf.installed import needed, needed_file
from tests.bpf.services import Service, free_port, owned_directory, until

HERE = Path(__file__).parent


class Postgresql:
    """A server on a UNIX socket that counts statements by their text (pg_stat_statements)."""

    def __init__(self, cgroup: Path, opened: ExitStack) -> None:
        initdb, server = needed("initdb", "postgresql"), needed("postgres", "postgresql")
        self.directory = opened.enter_context(owned_directory("postgres"))
        as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = str(self.directory / "data")
        making = [initdb, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"]
        subprocess.run([*as_owner, *making], check=True, capture_output=True, cwd="/")
        settings = {
            "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.directory), "fsync": "off",
            "shared_preload_libraries": "pg_stat_statements", "autovacuum": "off", "logging_collector": "off",
        }  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.port = free_port()
        command = [*as_owner, server, "-D", data, "-p", str(self.port), *options]
        service = Service(command, port=self.port, cgroup=cgroup, directory=self.directory)
        opened.callback(service.close)
        until(lambda: "is ready to accept connections" in service.log.read_text(), "PostgreSQL is ready")
        self.ask("create extension pg_stat_statements")

    @property
    def environment(self) -> dict[str, str]:
        """What libpq's programs find the server by."""
        return {
            "PGHOST": str(self.directory), "PGPORT": str(self.port), "PGUSER": "postgres", "PGDATABASE": "postgres",
            "PATH": "/usr/bin:/bin", "HOME": str(self.directory),
        }  # fmt: skip

    def ask(self, text: str) -> list[str]:
        """The lines of a result; psql runs outside of the target."""
        command = [needed("psql", "postgresql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=self.environment
        ).stdout.splitlines()

    def forget(self) -> None:
        """Lets it count anew."""
        self.ask("select pg_stat_statements_reset()")

    def calls(self) -> dict[str, int]:
        """How often the server executed each text, those that ended well, by its own words for the text."""
        rows = self.ask("select calls || ' ' || regexp_replace(query, '\\s+', ' ', 'g') from pg_stat_statements")
        return {text: int(count) for count, _, text in (row.partition(" ") for row in rows)}


class Mariadb:
    """A server on a UNIX socket."""

    def __init__(self, cgroup: Path, opened: ExitStack) -> None:
        install, server = needed("mariadb-install-db", "mariadb-server"), needed("mariadbd", "mariadb-server")
        self.directory = opened.enter_context(owned_directory("mysql"))
        data = self.directory / "data"
        subprocess.run(
            [install, "--no-defaults", "--user=mysql", f"--datadir={data}", "--auth-root-authentication-method=normal",
             "--skip-test-db"],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip
        self.socket, port = str(self.directory / "socket"), free_port()
        command = [
            server, "--no-defaults", "--user=mysql", f"--datadir={data}", f"--socket={self.socket}",
            f"--port={port}", "--bind-address=127.0.0.1", f"--pid-file={self.directory / 'pid'}",
        ]  # fmt: skip
        service = Service(command, port=port, cgroup=cgroup, directory=self.directory)
        opened.callback(service.close)
        until(lambda: "ready for connections" in service.log.read_text(), "MariaDB is ready")


def compiled(name: str, directory: Path, *libraries: str) -> Path:
    """A load that is linked with a client library, which is to be found as programs find theirs."""
    for header, package in (("postgresql/libpq-fe.h", "libpq-dev"), ("mariadb/mysql.h", "libmariadb-dev")):
        needed_file(f"/usr/include/{header}", package)
    program = directory / name
    includes = ["-I/usr/include/postgresql", "-I/usr/include/mariadb"]
    source = HERE / "workloads" / f"{name}.c"
    subprocess.run(
        ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", *includes, "-o", str(program), str(source), *libraries],
        check=True,
    )
    return program


class Run:
    """A program in a cgroup that says `ready`, waits for a line, and says what it did."""

    def __init__(self, command: list[str], *, cgroup: Path, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == "ready\n", line

    def release(self) -> dict[str, tuple[int, int]]:
        """Lets it work; the statements that it sent: how often, with how many errors."""
        said, _ = self.process.communicate("\n")
        assert self.process.returncode == 0, said
        rows = [line.split(" ", 2) for line in said.splitlines()]
        return {text: (int(count), int(errors)) for count, errors, text in rows}

    def close(self) -> None:
        """Leaves no process behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def in_cgroup(command: list[str], cgroup: Path, environment: dict[str, str]) -> str:
    """Runs a program in a cgroup to its end; what it wrote."""
    entered = ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), *command]
    return subprocess.run(entered, check=True, capture_output=True, text=True, env=environment).stdout
