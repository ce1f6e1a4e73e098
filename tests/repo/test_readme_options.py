from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
EXPLAINED_BY_THEMSELVES = {"--help", "--version"}


def options_of_help(root: Path, *verb: str) -> set[str]:
    command = [sys.executable, "-m", "kubectl_podtrace", *verb, "--help"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=True)
    return set(OPTION.findall(done.stdout)) - EXPLAINED_BY_THEMSELVES


def options_of_section(root: Path, heading: str) -> set[str]:
    text = (root / "README.md").read_text()
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(OPTION.findall(section)) - EXPLAINED_BY_THEMSELVES


def test_the_readme_s_options_are_those_of_help(root: Path) -> None:
    assert options_of_section(root, "Options") == options_of_help(root)


def test_local_mode_has_the_options_that_the_readme_shows(root: Path) -> None:
    in_help = options_of_help(root, "local")
    assert options_of_section(root, "Local mode") - {"--seconds"} <= in_help
    assert in_help <= options_of_section(root, "Local mode") | options_of_section(root, "Options")


def test_a_check_has_the_options_of_a_trace(root: Path) -> None:
    assert options_of_help(root, "check") == options_of_help(root) - {"--dry-run"}


def test_completion_has_the_options_that_the_readme_shows(root: Path) -> None:
    shown = options_of_section(root, "Completion")
    assert options_of_help(root, "completion") - {"--verbose"} <= shown


def test_cleaning_has_the_options_that_the_readme_shows(root: Path) -> None:
    shown = options_of_section(root, "Before a trace, and after one")
    in_help = options_of_help(root, "clean")
    assert shown <= in_help
    assert in_help - {"--namespace", "--all-namespaces"} <= shown | options_of_section(root, "Options")
