from __future__ import annotations

import doctest
import importlib
import pkgutil
from functools import cache

import pytest

import kubectl_podtrace
import podtrace_tracer

MODULES = [
    name
    for package in (kubectl_podtrace, podtrace_tracer)
    for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not name.endswith("__main__")
]


@cache
def examples(name: str) -> list[doctest.DocTest]:
    return [found for found in doctest.DocTestFinder().find(importlib.import_module(name)) if found.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    runner = doctest.DocTestRunner()
    for example in examples(name):
        runner.run(example)
    assert runner.summarize().failed == 0


def test_there_are_examples() -> None:
    assert sum(len(found.examples) for name in MODULES for found in examples(name)) >= 3
