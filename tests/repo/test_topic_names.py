from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from kubectl_podtrace.report.model import Report
from kubectl_podtrace.wire.topics import EVENT_OPERATIONS, OPERATION_NAMES, OPERATIONS, TOPICS


@pytest.fixture(scope="module")
def pages(root: Path) -> dict[str, str]:
    """The part of docs/what-is-counted.md under each heading."""
    text = (root / "docs/what-is-counted.md").read_text()
    heads_and_texts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(heads_and_texts[0::2], heads_and_texts[1::2], strict=True))


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_has_its_one_name_in_every_layer(topic: str, root: Path, pages: dict[str, str]) -> None:
    assert (root / f"tracer_image/podtrace_tracer/collectors/{topic}.py").is_file()
    assert (root / f"kubectl_podtrace/analysis/{topic}.py").is_file()
    assert (root / f"kubectl_podtrace/report/sections/{topic}.py").is_file()
    assert topic in {field.name for field in fields(Report)}
    assert topic in pages


def test_layers_have_no_topic_that_the_wire_does_not_know(root: Path, pages: dict[str, str]) -> None:
    collectors = {path.stem for path in (root / "tracer_image/podtrace_tracer/collectors").glob("*.py")}
    assert collectors - {"__init__", "base", "model", "registry", "io_uring"} == set(TOPICS)
    assert {name for name in pages if name.islower()} == {operation.topic for operation in OPERATIONS}


@pytest.mark.parametrize("operation", sorted(OPERATION_NAMES))
def test_every_operation_is_explained_under_its_topic(operation: str, pages: dict[str, str]) -> None:
    topic, _, name = operation.partition(".")
    shown = f"`{topic}.state_*`" if name.startswith("state_") else f"`{operation}`"
    assert shown in pages[topic]


def test_every_operation_that_is_explained_exists(pages: dict[str, str]) -> None:
    named = {word for text in pages.values() for word in re.findall(rf"`((?:{'|'.join(TOPICS)}|io_uring)\.\w+)`", text)}
    assert named <= OPERATION_NAMES


def test_what_counts_as_an_event_is_written_down(pages: dict[str, str]) -> None:
    sentence = re.search(r"\*\*Events\*\* in the summary are (.*?), added up", pages["Whose, and when"], re.DOTALL)
    assert sentence
    words = {word for part in sentence.group(1).split(",") for word in part.replace(" and ", ",").split(",")}
    # Forks are two operations, of processes and of threads; sends and receives are those of TCP and of UDP.
    kinds = {name.partition(".")[2] for name in EVENT_OPERATIONS}
    assert len({word.strip() for word in words}) == len(kinds) - 1
