from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import kubectl_podtrace
import podtrace_tracer

MODULES = [
    name
    for package in (kubectl_podtrace, podtrace_tracer)
    for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) >= 3
