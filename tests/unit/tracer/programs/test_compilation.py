"""Where compiled programs are kept, and what is never taken from there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubectl_podtrace.wire.request import CACHE_VARIABLE
from podtrace_tracer.programs import compilation
from podtrace_tracer.programs.compilation import Cache, CompileError, Compiler, telling
from podtrace_tracer.programs.compiled import Compiled, Layout, Map

COMPILED = Compiled(
    bcc_version="0.26.0",
    programs={"on_sys_enter": bytes(range(16))},
    maps=(
        Map(
            name="totals", kind=6, flags=0, entries=7, key_bytes=4, value_bytes=12,
            key=Layout(size=4, members=(("value", 0, "I"),)),
            value=Layout(size=12, members=(("count", 0, "Q"), ("size", 8, "I"))),
        ),
    ),
)  # fmt: skip
KEY = "a" * 64


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "kept"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = tmp_path / "tree"
    path.mkdir()
    (path / "a.h").write_text("struct a;")
    return path


def test_what_was_compiled_reads_as_it_was_written() -> None:
    assert Compiled.from_json(COMPILED.to_json()) == COMPILED


def test_a_value_has_a_part_for_each_cpu_where_its_map_has() -> None:
    one = COMPILED.maps[0]
    assert (one.is_per_cpu, one.value_step) == (True, 16)
    plain = Map(**{**vars(one), "kind": 1})
    assert (plain.is_per_cpu, plain.value_step) == (False, 12)


def test_what_is_kept_is_found_again_and_nothing_else(directory: Path) -> None:
    cache = Cache(directory)
    assert cache.find(KEY) is None
    cache.keep(KEY, COMPILED.to_json())
    assert cache.find(KEY) == COMPILED
    assert [path.name for path in directory.iterdir()] == [KEY]
    assert directory.joinpath(KEY).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"bcc_version": 1}', COMPILED.to_json()[:-40]])
def test_what_is_broken_is_compiled_anew(directory: Path, text: bytes) -> None:
    cache = Cache(directory)
    cache.keep(KEY, text)
    assert cache.find(KEY) is None


def test_what_others_may_write_is_not_loaded(directory: Path, tmp_path: Path) -> None:
    cache = Cache(directory)
    cache.keep(KEY, COMPILED.to_json())
    directory.joinpath(KEY).chmod(0o622)
    assert cache.find(KEY) is None
    directory.joinpath(KEY).chmod(0o600)
    directory.joinpath(KEY).rename(tmp_path / "elsewhere")
    directory.joinpath(KEY).symlink_to(tmp_path / "elsewhere")
    assert cache.find(KEY) is None


def test_a_directory_that_others_may_write_is_not_used(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(directory))
    assert Cache.of_environment() is not None
    directory.chmod(0o777)
    assert Cache.of_environment() is None
    monkeypatch.setenv(CACHE_VARIABLE, str(directory / "file" / "below"))
    (directory / "file").touch()
    assert Cache.of_environment() is None
    monkeypatch.delenv(CACHE_VARIABLE)
    assert Cache.of_environment() is None


def test_the_last_used_ones_stay_and_no_other_file_is_touched(directory: Path) -> None:
    (directory / "note").touch()
    cache = Cache(directory)
    for number in range(20):
        key = f"{number:064x}"
        cache.keep(key, COMPILED.to_json())
        os.utime(directory / key, ns=(number, number))
        if number:
            assert cache.find(f"{0:064x}") == COMPILED
    names = {path.name for path in directory.iterdir()}
    assert names == {"note", f"{0:064x}", *(f"{number:064x}" for number in range(5, 20))}


def test_another_text_flag_or_tree_is_another_job(tree: Path) -> None:
    digests = [compilation.digest("a", ["-DX=1"], tree), compilation.digest("b", ["-DX=1"], tree)]
    digests += [compilation.digest("a", ["-DX=2"], tree), compilation.digest("a-DX=1", [], tree)]
    (tree / "a.h").write_text("struct b;")
    digests.append(compilation.digest("a", ["-DX=1"], tree))
    (tree / "a.h").rename(tree / "b.h")
    digests.append(compilation.digest("a", ["-DX=1"], tree))
    assert len(set(digests)) == 6


def test_a_compiler_that_says_no_is_quoted_and_leaves_no_process(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    # This Python has no bcc, or else a bcc that finds no C in the text.
    compiler = Compiler(None)
    with pytest.raises(CompileError, match="error: "):
        compiler.compile("no C at all", [], tree)
    compiler.close()


CHILDREN_OF_AN_IDLE_COMPILER = """
import os
from podtrace_tracer.programs.compilation import Compiler
Compiler(None).close()
os.waitpid(-1, os.WNOHANG)
"""


def test_a_compiler_without_a_job_leaves_no_process() -> None:
    # In a Python of its own: other tests leave this one a browser's driver as a child.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHILDREN_OF_AN_IDLE_COMPILER]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert "ChildProcessError" in done.stderr


def test_the_telling_lines_of_a_long_output_are_kept() -> None:
    said = "0: (b7) r0 = 1\nR1 invalid mem access 'inv'\nprocessed 3 insns\n"
    assert telling(said, "on_x: Permission denied") == "on_x: Permission denied | R1 invalid mem access 'inv'"
    assert telling("a\nb\nc\nd\n") == "b | c | d"
    assert telling("", "no") == "no"
