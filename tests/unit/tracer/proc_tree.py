"""A /proc of made-up processes, as far as their descriptors are concerned."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

TICK_NS = 10_000_000


def add_process(
    proc: Path,
    pid: int,
    links: Mapping[int, str],
    *,
    ticks: int = 100,
    comm: str = "shop",
    state: str = "S",
    limit: str = "1024",
    inner: int = 7,
    table_size: int = 64,
) -> None:
    """Makes or replaces the process."""
    base = proc / str(pid)
    remove_process(proc, pid)
    add_table(base / "fd", links)
    (base / "stat").write_text(_stat(pid, comm, state, ticks))
    (base / "status").write_text(f"Name:\t{comm}\nFDSize:\t{table_size}\nNSpid:\t{pid}\t{inner}\n")
    (base / "limits").write_text(
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        f"Max open files            {limit}                 524288               files     \n"
    )


def add_thread(proc: Path, pid: int, tid: int, links: Mapping[int, str], *, state: str = "S") -> None:
    """Gives a process a thread with a table of its own."""
    base = proc / str(pid) / "task" / str(tid)
    add_table(base / "fd", links)
    (base / "stat").write_text(_stat(tid, "thread", state, 1))


def remove_process(proc: Path, pid: int) -> None:
    shutil.rmtree(proc / str(pid), ignore_errors=True)


def add_table(directory: Path, links: Mapping[int, str]) -> None:
    directory.mkdir(parents=True)
    for number, link in links.items():
        (directory / str(number)).symlink_to(link)


def _stat(pid: int, comm: str, state: str, ticks: int) -> str:
    return f"{pid} ({comm}) {state} " + "0 " * 18 + f"{ticks} 0 0\n"
