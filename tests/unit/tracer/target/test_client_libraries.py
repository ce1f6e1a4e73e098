"""Which files of a made-up node are looked at for functions of database clients."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from podtrace_tracer.kernel.host import Host
from podtrace_tracer.target.client_libraries import Candidate, ClientLibraries

Seen = list[tuple[str, int, bool]]


class Node:
    """A /proc below a directory, in which processes have a root, a program and mapped files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.container = root / "container"
        (self.container / "usr/lib").mkdir(parents=True)
        self.program = root / "program"
        self.program.write_bytes(b"program")

    def process(self, pid: int, *mapped: Path) -> None:
        place = self.root / "proc" / str(pid)
        (place / "map_files").mkdir(parents=True, exist_ok=True)
        for name, target in (("root", self.container), ("exe", self.program)):
            if not (place / name).exists():
                (place / name).symlink_to(target)
        lines = []
        for number, path in enumerate(mapped):
            addresses = f"{4096 + number:x}-{8192 + number:x}"
            if not (place / "map_files" / addresses).exists():
                (place / "map_files" / addresses).symlink_to(path)
            lines.append(f"{addresses} r-xp 00000000 00:2a 42                     {path}\n")
        (place / "maps").write_text("".join(lines))

    def library(self, path: str) -> Path:
        made = self.root / path
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes(path.encode())
        return made


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def seen() -> Seen:
    return []


@pytest.fixture
def look(node: Node, seen: Seen) -> Callable[..., Seen]:
    def visit(candidate: Candidate) -> None:
        assert os.fstat(candidate.descriptor).st_ino == candidate.identity[1]
        seen.append((candidate.path.removeprefix(str(node.root)), candidate.pid, candidate.is_mapped))

    host = Host(root=node.root, release="6.1", machine="x86_64", is_root=True)
    libraries = ClientLibraries(host, visit)

    def looked(*pids: int, again: bool = False) -> Seen:
        seen.clear()
        libraries.look(pids, again=again)
        return [entry for entry in seen if entry[0] != "/program"]

    return looked


@pytest.mark.parametrize(
    "name",
    [
        "libpq.so.5.15", "libpq-e8a033dd.so.5.16", "libmysqlclient.so.21", "libmysqlclient_r.so.18", "libmariadb.so.3",
        "libmariadbclient.so", "libperconaserverclient.so.21.2.33",
    ],
)  # fmt: skip
def test_a_client_library_is_known_by_its_name(node: Node, look: Callable[..., Seen], name: str) -> None:
    node.process(7, node.library(f"app/{name}"))
    assert look(7) == [(f"/app/{name}", 7, True)]


@pytest.mark.parametrize("name", ["libpqxx.so.6", "libpq.a", "libc.so.6", "libmysqlclient.so.conf"])
def test_other_files_are_not_looked_at(node: Node, look: Callable[..., Seen], name: str) -> None:
    node.process(7, node.library(f"app/{name}"))
    assert look(7) == []


def test_libraries_that_lie_where_libraries_do_are_known_before_somebody_maps_them(
    node: Node, look: Callable[..., Seen]
) -> None:
    node.library("container/usr/lib/libpq.so.5")
    node.library("container/usr/lib/libpqxx.so.5")
    node.process(7)
    assert look(7) == [("/usr/lib/libpq.so.5", 7, False)]


def test_a_link_does_not_lead_out_of_a_container(node: Node, look: Callable[..., Seen]) -> None:
    outside = node.library("libmariadb.so.3")
    (node.container / "usr/lib/libmariadb.so.3").symlink_to(outside)
    node.process(7)
    assert look(7) == []


def test_a_process_is_looked_at_once_again_when_it_runs_another_program_and_when_asked(
    node: Node, look: Callable[..., Seen]
) -> None:
    library = node.library("app/libpq.so.5")
    node.process(7)
    assert look(7) == []
    node.process(7, library)
    assert look(7) == []
    assert look(7, again=True) == [("/app/libpq.so.5", 7, True)]
    other = node.library("other")
    (node.root / "proc/7/exe").unlink()
    (node.root / "proc/7/exe").symlink_to(other)
    assert look(7) == [("/other", 7, True), ("/app/libpq.so.5", 7, True)]


def test_a_process_that_has_gone_is_passed_over(look: Callable[..., Seen]) -> None:
    assert look(4_000_000) == []
