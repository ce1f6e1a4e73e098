from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import podtrace_tracer
from kubectl_podtrace.wire.fields import CUT_MARK, MAX_TEXT
from podtrace_tracer.readers.paths import CUT, DELETED, INTERNAL, UNKNOWN, Paths, assemble

NAME = st.binary(min_size=1, max_size=20).filter(lambda name: not set(name) & set(b"\0/"))


@pytest.mark.parametrize(
    ("names", "flags", "path"),
    [
        (b"", 0, "/"),
        (b"data\0", 0, "/data"),
        (b"current\0db\0lib\0var\0", 0, "/var/lib/db/current"),
        (b"with space\0t\xc3\xa4\0", 0, "/tä/with space"),
        (b"bad\xff\0d\0", 0, "/d/bad\\xff"),
        (b"gone\0tmp\0", DELETED, "/tmp/gone (deleted)"),
        (b"memfd:cache\0", INTERNAL, "memfd:cache"),
        (b"memfd:a\0", 0, "/memfd:a"),
        (b"status\0" + b"1\0", INTERNAL, "/1/status"),
        (b"deep\0er\0", CUT, "…/er/deep"),
        (b"deep\0er\0", CUT | DELETED, "…/er/deep (deleted)"),
    ],
)
def test_a_path_is_put_together_from_its_names(names: bytes, flags: int, path: str) -> None:
    assert assemble(names, flags) == path


@given(st.lists(NAME, max_size=30))
def test_names_come_back_in_reverse_order(names: list[bytes]) -> None:
    path = assemble(b"".join(name + b"\0" for name in names), 0)
    expected = "/" + "/".join(name.decode("utf-8", "backslashreplace") for name in reversed(names))
    assert path == expected or (len(path) == MAX_TEXT and path.endswith(CUT_MARK))


def test_a_path_too_long_for_the_wire_is_cut_and_marked() -> None:
    path = assemble(b"\0".join([b"x" * 200] * 12), 0)
    assert len(path) == MAX_TEXT
    assert path.endswith(CUT_MARK)


def test_the_flags_are_those_of_the_c_text() -> None:
    text = (Path(podtrace_tracer.__file__).parent / "include/path.bpf.h").read_text()
    found = {name: int(number) for name, number in re.findall(r"#define PATH_(DELETED|INTERNAL|CUT) (\d+)", text)}
    assert found == {"DELETED": DELETED, "INTERNAL": INTERNAL, "CUT": CUT}


def test_a_file_keeps_its_number_and_takes_its_newest_path() -> None:
    paths = Paths()
    assert [paths.number(key) for key in (b"a", b"b", b"a")] == [0, 1, 0]
    assert paths.path(b"a") == UNKNOWN
    paths.learn(b"a", b"old\0", 0)
    paths.learn(b"a", b"new\0", 0)
    assert (paths.path(b"a"), paths.number(b"a"), paths.path(b"b")) == ("/new", 0, UNKNOWN)
