from __future__ import annotations

import re
from pathlib import Path

from kubectl_podtrace import errors
from kubectl_podtrace.errors import PodtraceError

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MAKE_COMMAND = re.compile(r"\bmake ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)*)")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def anchors_of(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", CODE_BLOCK.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def make_commands(document: Path) -> set[str]:
    """The targets in code: blocks and `inline` pieces; prose may say "make sure"."""
    text = document.read_text()
    code = CODE_BLOCK.findall(text) + re.findall(r"`([^`\n]+)`", CODE_BLOCK.sub("", text))
    without_remarks = (line.split("#")[0] for piece in code for line in piece.splitlines())
    return {target for line in without_remarks for match in MAKE_COMMAND.findall(line) for target in match.split()}


def test_every_relative_link_leads_somewhere(files: list[Path], root: Path) -> None:
    broken = []
    # Gold files are reports; what looks like a link in them is there to be harmless.
    for document in (path for path in files if path.suffix == ".md" and path.parent.name != "gold"):
        for target in LINK.findall(CODE_BLOCK.sub("", document.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            place = (document.parent / name) if name else document
            if not place.exists() or (anchor and anchor not in anchors_of(place)):
                broken.append(f"{document.relative_to(root)}: {target}")
    assert broken == []


def test_every_make_command_in_the_documents_exists(files: list[Path], root: Path) -> None:
    targets = set(TARGET.findall((root / "Makefile").read_text()))
    named = {str(path.relative_to(root)): make_commands(path) for path in files if path.suffix == ".md"}
    assert {"demo", "test", "install", "image"} <= named["README.md"]
    assert {name: commands - targets for name, commands in named.items() if commands - targets} == {}


def test_every_make_task_is_one_or_two_lines_and_explains_itself(root: Path) -> None:
    text = (root / "Makefile").read_text()
    explained = set(re.findall(r"^([a-z][a-z-]*):.*## \S", text, re.MULTILINE))
    assert set(TARGET.findall(text)) == explained
    assert "\n\t" in text
    assert re.search(r"(\n\t[^\n]*){3}", text) is None


def test_the_readme_s_paths_exist(root: Path) -> None:
    text = (root / "README.md").read_text()
    named = set(re.findall(r"\b(?:examples|manifests|docs|scripts)/[\w./-]+\w", text))
    assert {name for name in named if not (root / name).exists()} == set()


def test_the_readme_has_every_exit_code(root: Path) -> None:
    section = (root / "README.md").read_text().split("\n### Exit codes\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| ([0-9, ]+) \|", section, re.MULTILINE)
    found = [int(code) for cell in cells for code in cell.split(",")]
    failures = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PodtraceError))
    assert found == sorted({0, *(kind.exit_code for kind in failures)})


def test_the_changelog_keeps_an_unreleased_section_on_top(root: Path) -> None:
    headings = re.findall(r"^## (.*)$", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
