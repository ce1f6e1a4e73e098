from __future__ import annotations

import re
import typing
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from kubectl_podtrace.wire.fields import MAX_LINE, MAX_TEXT
from kubectl_podtrace.wire.records import type_of_kind
from podtrace_tracer.stream.event_room import EVENT_BYTES_PER_S


@pytest.fixture(scope="module")
def sections(root: Path) -> dict[str, str]:
    """The part of the page on each kind of record."""
    records = (root / "docs/wire.md").read_text().split("\n## Records\n")[1]
    heads_and_texts = re.split(r"^### (.*)$", records, flags=re.MULTILINE)[1:]
    return dict(zip(heads_and_texts[0::2], heads_and_texts[1::2], strict=True))


def listed(section: str, title: str) -> list[str]:
    """The names behind `Fields:` or `Rows of ...:`."""
    found = re.search(rf"^{re.escape(title)}:(.*?)\.$", section, re.MULTILINE | re.DOTALL)
    return re.findall(r"`(\w+)`", found.group(1)) if found else []


def test_the_page_explains_every_kind_of_record_in_the_order_of_its_definition(sections: dict[str, str]) -> None:
    assert list(sections) == list(type_of_kind)


@pytest.mark.parametrize("kind", type_of_kind)
def test_the_page_names_every_field_in_its_order(kind: str, sections: dict[str, str]) -> None:
    record_type = type_of_kind[kind]
    assert listed(sections[kind], "Fields") == [field.name for field in fields(record_type)]
    for name, hint in typing.get_type_hints(record_type).items():
        inner = next(iter(typing.get_args(hint)), None)
        if is_dataclass(inner):
            assert listed(sections[kind], f"Rows of `{name}`") == [field.name for field in fields(inner)]


def test_the_page_s_limits_are_those_of_the_wire(root: Path) -> None:
    text = (root / "docs/wire.md").read_text()
    assert f"at most {MAX_LINE:,} bytes" in text
    assert f"at most {MAX_TEXT:,} bytes" in text
    assert f"limited to {EVENT_BYTES_PER_S // 1024} KiB a second" in text
