"""The reader of programs' files as a process: it answers, and whatever it does or does not, its asker goes on."""

from __future__ import annotations

import os
import select
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from podtrace_tracer.symbols.symbolizer import Answer, Symbolizer
from tests.unit.tracer.symbols.elf_blob import BUILD_ID, CODE_AT, LOADED_AT, Symbol, elf

ROOT = Path(__file__).parents[4]
LIAR = "import socket; s = socket.socket(fileno=0); s.recv(65536); s.send(b'%s')"
PROGRAM = elf([Symbol(name="main", address=LOADED_AT + CODE_AT, size=0x20)])


@pytest.fixture
def descriptor(tmp_path: Path) -> int:
    path = tmp_path / "program"
    path.write_bytes(PROGRAM)
    path.chmod(0o600)  # who reads it may have no right to it: it is handed over open
    return os.open(path, os.O_RDONLY)


def worker(symbolizer_text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", symbolizer_text)


def answers(symbolizer: Symbolizer, descriptor: int, offsets: list[int], within_s: float = 30) -> dict[int, Answer]:
    found: dict[int, Answer] = {}

    def take(offset: int, answer: Answer) -> None:
        found[offset] = answer

    symbolizer.ask("1:2:/program", descriptor, offsets, take)
    symbolizer.finish(time.monotonic() + within_s)
    symbolizer.close()
    os.close(descriptor)
    return found


def test_places_are_named_and_told_whose_file_it_is(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'tracer_image'}:{ROOT}")
    found = answers(Symbolizer(), descriptor, [CODE_AT, *range(CODE_AT + 0x10, CODE_AT + 0x60)])
    assert found[CODE_AT].place == (LOADED_AT + CODE_AT, "main", "")
    assert found[CODE_AT + 0x30].place == (LOADED_AT + CODE_AT + 0x30, "", "")
    assert {answer.build_id for answer in found.values()} == {BUILD_ID.hex()}


def test_a_reader_takes_no_module_from_the_directory_that_somebody_happens_to_be_in(
    descriptor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'tracer_image'}:{ROOT}")
    assert answers(Symbolizer(), descriptor, [CODE_AT])[CODE_AT].place.symbol == "main"


@pytest.mark.parametrize(
    "text",
    [
        "import sys; sys.exit(1)",
        "import os; os.abort()",
        LIAR % "nonsense",
        LIAR % r'{"number": 1, "build_id": 1, "places": []}',
    ],
)
def test_a_reader_that_dies_or_lies_leaves_places_without_names(descriptor: int, text: str) -> None:
    found = answers(Symbolizer(worker(text)), descriptor, list(range(CODE_AT, CODE_AT + 300)))
    assert len(found) == 300
    assert {answer.place.symbol for answer in found.values()} == {""}
    assert found[CODE_AT].place.address == CODE_AT


def test_a_reader_that_is_busy_is_not_waited_for(descriptor: int) -> None:
    symbolizer = Symbolizer(worker("import time; time.sleep(600)"))
    found: list[int] = []
    began = time.monotonic()
    symbolizer.ask("1:2:/program", descriptor, [CODE_AT], lambda offset, _: found.append(offset))
    for _ in range(100):
        symbolizer.turn()
    assert (found, symbolizer.is_busy) == ([], True)
    symbolizer.finish(time.monotonic() + 0.05)
    assert found == [CODE_AT]
    assert time.monotonic() - began < 10
    symbolizer.close()
    os.close(descriptor)


def test_what_is_asked_place_by_place_is_told_as_what_is_asked_at_once(
    descriptor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'tracer_image'}:{ROOT}")
    other = tmp_path / "other"
    other.write_bytes(elf([Symbol(name="other", address=LOADED_AT + CODE_AT, size=0x20)]))
    symbolizer, found = Symbolizer(), dict[tuple[str, int], str]()
    offsets = range(CODE_AT, CODE_AT + 0x20)

    def take(name: str, offset: int, answer: Answer) -> None:
        found[name, offset] = answer.place.symbol

    with other.open("rb") as file:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for offset in offsets:
            symbolizer.ask("program", descriptor, [offset], partial(take, "program"))
            symbolizer.ask("other", file.fileno(), [offset], partial(take, "other"))
        assert len(list(Path("/proc/self/fd").iterdir())) == before + 2, "each file is held once"
    symbolizer.finish(time.monotonic() + 30)
    symbolizer.close()
    assert found == {
        (name, offset): symbol for name, symbol in (("program", "main"), ("other", "other")) for offset in offsets
    }
    os.close(descriptor)


def test_it_wakes_whoever_waits_for_an_answer_once(descriptor: int, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    symbolizer = Symbolizer(worker(f"import socket; s = socket.socket(fileno=0); s.recv(9); open({str(go)!r}).read()"))
    symbolizer.ask("1:2:/program", descriptor, [CODE_AT], lambda *_: None)
    symbolizer.turn()
    woken = select.poll()
    woken.register(symbolizer.wake_descriptor, select.POLLIN)
    assert woken.poll(0) == []
    go.write_text("")
    assert woken.poll(30_000)
    symbolizer.turn()
    assert woken.poll(0) == [], "the reader has ended, and nobody asks it any more"
    symbolizer.close()
    os.close(descriptor)


def test_files_that_cannot_be_held_open_leave_their_places_without_names(descriptor: int) -> None:
    found: list[int] = []
    symbolizer = Symbolizer()
    os.close(descriptor)
    symbolizer.ask("1:2:/program", descriptor, [1, 2, 3], lambda offset, _: found.append(offset))
    assert (found, symbolizer.is_busy) == ([1, 2, 3], False)
