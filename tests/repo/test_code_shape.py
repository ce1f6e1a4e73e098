from __future__ import annotations

import ast
from pathlib import Path

MODULE_LINES = 400
FUNCTION_LINES = 50
BPF_LINES = 250
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}


def test_no_module_is_longer_than_a_reader_can_hold(modules: dict[Path, ast.Module], root: Path) -> None:
    lengths = {str(path.relative_to(root)): len(path.read_text().splitlines()) for path in modules}
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_no_function_is_longer_than_a_screen(modules: dict[Path, ast.Module], root: Path) -> None:
    long = {}
    for path, module in modules.items():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long[f"{path.relative_to(root)}:{node.lineno} {node.name}"] = lines
    assert long == {}


def test_no_file_has_a_name_that_says_nothing(files: list[Path], root: Path) -> None:
    vague = [path for path in files if VAGUE_NAMES & {part.split(".")[0] for part in path.relative_to(root).parts}]
    assert vague == []


def test_every_bpf_file_names_its_licence_in_its_first_line(files: list[Path]) -> None:
    bpf_files = [path for path in files if path.name.endswith((".bpf.c", ".bpf.h"))]
    assert bpf_files, "the collectors' C files were not found"
    first_lines = {path.name: path.read_text().splitlines()[0] for path in bpf_files}
    unlabelled = {name: line for name, line in first_lines.items() if "SPDX-License-Identifier: GPL-2.0" not in line}
    assert unlabelled == {}


def test_no_collector_is_longer_than_its_limit(files: list[Path]) -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in files if path.name.endswith(".bpf.c")}
    assert {name: lines for name, lines in lengths.items() if lines > BPF_LINES} == {}


def test_nothing_in_the_tree_names_the_machine_it_was_written_on(files: list[Path], root: Path) -> None:
    # Written in halves, so that this file does not find itself.
    beside, workplace = "../sha" + "red", "/wo" + "rk/"
    may_look_beside = {root / ".ci/run", root / "Makefile"}
    found = []
    for path in files:
        text = path.read_text(errors="replace")
        if workplace in text or (beside in text and path not in may_look_beside):
            found.append(str(path.relative_to(root)))
    assert found == []


def test_every_script_stops_at_its_first_failure(root: Path) -> None:
    scripts = [path for path in (root / "scripts").iterdir() if path.read_text().startswith("#!/usr/bin/env bash")]
    assert scripts
    assert [path.name for path in scripts if "\nset -" not in path.read_text()] == []
