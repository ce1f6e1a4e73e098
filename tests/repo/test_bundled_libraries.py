from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.report.render.html.assets import manifest

PLACE = "kubectl_podtrace/report/assets/libraries"


@pytest.fixture(params=manifest(), ids=lambda entry: str(entry["name"]))
def library(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


def test_a_bundled_file_is_the_released_one(library: dict[str, Any], root: Path) -> None:
    content = (root / PLACE / library["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == library["sha256"]
    assert library["source"] == f"npm:{library['name']}@{library['version']}"


def test_a_bundled_file_can_stand_in_a_document_as_it_is(library: dict[str, Any], root: Path) -> None:
    text = (root / PLACE / library["file"]).read_bytes().decode()
    assert not re.search(r"</script|<!--|\r|\x00|sourceMappingURL", text, re.IGNORECASE)


def test_all_that_a_bundled_file_holds_comes_with_its_licence(library: dict[str, Any], root: Path) -> None:
    assert any(part.startswith(f"{library['name']} ") for parts in library["parts"].values() for part in parts)
    for name in library["parts"]:
        assert re.search(r"copyright|public domain", (root / PLACE / "licences" / name).read_text(), re.IGNORECASE)


def test_nothing_is_bundled_without_being_listed(root: Path) -> None:
    listed = {str(entry["file"]) for entry in manifest()} | {"manifest.json"}
    assert {path.name for path in (root / PLACE).iterdir() if path.is_file()} == listed
    licences = {name for entry in manifest() for name in entry["parts"]}
    assert {path.name for path in (root / PLACE / "licences").iterdir()} == licences


def test_no_script_of_ours_makes_markup_or_code_of_text(root: Path) -> None:
    scripts = list((root / PLACE).parent.glob("*.js"))
    assert scripts
    dangerous = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\.html\(")
    assert [path.name for path in scripts if dangerous.search(path.read_text())] == []
