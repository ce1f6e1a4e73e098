from __future__ import annotations

import os
from pathlib import Path

from podtrace_tracer.target.process_memory import in_ticks, of_living_threads, read

TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def stat(directory: Path, *, minor: int, major: int, comm: str = "a) (b", pages: int = 3) -> None:
    directory.mkdir(parents=True)
    fields = [
        "S",
        *["1", "1", "1", "0", "-1", "0"],
        str(minor),
        "900",
        str(major),
        "800",
        *("0",) * 8,
        "77",
        "4096",
        str(pages),
    ]
    (directory / "stat").write_text(f"7 ({comm}) {' '.join(fields)} 0 0\n")


def test_a_process_tells_its_faults_and_what_is_resident(tmp_path: Path) -> None:
    stat(tmp_path / "7", minor=211, major=3)
    found = read(tmp_path, 7)
    assert found is not None
    assert (found.minor, found.major, found.comm, found.start_ns) == (211, 3, "a) (b", 77 * TICK)
    assert found.resident_bytes == 3 * os.sysconf("SC_PAGE_SIZE")


def test_living_threads_are_added_up_without_those_that_ended(tmp_path: Path) -> None:
    for thread in (7, 8):
        stat(tmp_path / "7/task" / str(thread), minor=thread, major=1)
    assert of_living_threads(tmp_path, 7) == (15, 2)
    assert of_living_threads(tmp_path, 9) == (0, 0)


def test_a_process_that_has_gone_or_makes_no_sense_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "8").mkdir()
    (tmp_path / "8/stat").write_text("8 (cut")
    assert read(tmp_path, 8) is None
    assert read(tmp_path, 9) is None


def test_this_process_tells_what_the_kernel_tells_of_it() -> None:
    found = read(Path("/proc"), os.getpid())
    assert found is not None
    assert found.minor > 0
    assert found.resident_bytes > 1 << 20
    assert in_ticks(found.start_ns + TICK - 1) == found.start_ns
