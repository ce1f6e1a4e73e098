"""What the reader of programs' files keeps of them."""

from __future__ import annotations

import os
from pathlib import Path

from podtrace_tracer.symbols.worker import Files


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def names(files: Files, descriptor: int, *addresses: int) -> list[str]:
    return [place.symbol for place in files.get("compiled:1", "compiled", descriptor).places(addresses)]


def test_a_list_of_compiled_functions_is_read_again_when_it_has_grown_and_kept_once(tmp_path: Path) -> None:
    path, files = tmp_path / "perf-1.map", Files()
    path.write_text("1000 10 first\n")
    opened = [os.open(path, os.O_RDONLY) for _ in range(3)]
    assert names(files, opened[0], 0x1000, 0x2000) == ["first", ""]
    assert names(files, opened[1], 0x1000, 0x2000) == ["first", ""]
    assert [is_open(each) for each in opened] == [True, False, True]
    with path.open("a") as file:
        file.write("2000 10 second\n")
    assert names(files, opened[2], 0x1000, 0x2000) == ["first", "second"]
    assert [is_open(each) for each in opened] == [False, False, True]
    os.close(opened[2])


def test_files_that_were_not_asked_for_lately_are_closed(tmp_path: Path) -> None:
    files, opened = Files(most=2), []
    for name in ("a", "b", "c"):
        path = tmp_path / name
        path.write_text("1000 10 first\n")
        opened.append(os.open(path, os.O_RDONLY))
        files.get(name, "compiled", opened[-1])
    assert [is_open(each) for each in opened] == [False, True, True]
    for each in opened[1:]:
        os.close(each)
