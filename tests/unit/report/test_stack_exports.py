"""Stacks as files for viewers of flame graphs: they add up to what was measured, and no name breaks the format."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from typing import Any, Final

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.render import Renderer
from kubectl_podtrace.report.render.folded import FoldedRenderer
from kubectl_podtrace.report.render.speedscope import SpeedscopeRenderer
from kubectl_podtrace.wire.records import Totals
from kubectl_podtrace.wire.stack_records import CpuStackRow, CpuStacks, FrameRow, Frames
from tests.unit.report.reports import HOSTILE, REPORTS, report_of, typical
from tests.unit.streams import Stream, scope, totals_row

NUMBERS: Final = {"type": "array", "items": {"type": "number", "minimum": 0}}
SAMPLED: Final = {
    "type": "object",
    "properties": {
        "type": {"const": "sampled"},
        "name": {"type": "string"},
        "unit": {"enum": ["bytes", "microseconds", "milliseconds", "nanoseconds", "none", "seconds"]},
        "startValue": {"type": "number"},
        "endValue": {"type": "number"},
        "samples": {"type": "array", "items": NUMBERS},
        "weights": NUMBERS,
    },
    "required": ["type", "name", "unit", "startValue", "endValue", "samples", "weights"],
    "additionalProperties": False,
}
FRAME: Final = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "file": {"type": "string"}, "line": {"type": "number"}},
    "required": ["name"],
    "additionalProperties": False,
}
FILE: Final = {
    "type": "object",
    "properties": {
        "$schema": {"const": "https://www.speedscope.app/file-format-schema.json"},
        "exporter": {"type": "string"},
        "activeProfileIndex": {"type": "number"},
        "shared": {
            "type": "object",
            "properties": {"frames": {"type": "array", "items": FRAME}},
            "required": ["frames"],
        },
        "profiles": {"type": "array", "items": SAMPLED},
    },
    "required": ["$schema", "shared", "profiles"],
    "additionalProperties": False,
}
"""What speedscope's own schema says of sampled profiles (dist/release/file-format-schema.json of its npm package)."""


def text_of(renderer: Renderer, report: Report) -> str:
    out = io.StringIO()
    renderer.render(report, out)
    return out.getvalue()


def speedscope_of(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text_of(SpeedscopeRenderer(), report))
    jsonschema.validate(found, FILE)
    return found


def folded_of(report: Report) -> dict[tuple[str, ...], int]:
    lines = text_of(FoldedRenderer(), report).splitlines()
    split = [line.rpartition(" ") for line in lines]
    found = {tuple(stack.split(";")): int(total) for stack, _, total in split}
    assert len(found) == len(lines)
    return found


def by_kind(stacks: dict[tuple[str, ...], int]) -> Counter[str]:
    kinds = Counter[str]()
    for (kind, *_), total in stacks.items():
        kinds[kind] += total
    return kinds


def of_names(*names: str) -> Report:
    """A report of one sample whose frames have these names, outermost first."""
    stream = Stream()
    frames = enumerate(reversed(names))
    rows = tuple(
        FrameRow(key=key, symbol=name, module=HOSTILE, offset=0, source=HOSTILE, build_id="") for key, name in frames
    )
    row = CpuStackRow(scope=0, key=0, samples=1, frames=tuple(range(len(names))))
    total = totals_row("cpu.run", count=1, sum_ns=7)
    stream.add(scope(), Frames(rows=rows), CpuStacks(rows=(row,)), Totals(rows=(total,)))
    return report_of(stream.fold())


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_is_a_file_that_speedscope_takes(name: str) -> None:
    found = speedscope_of(REPORTS[name]())
    frames = found["shared"]["frames"]
    assert len({json.dumps(frame, sort_keys=True) for frame in frames}) == len(frames)
    for profile in found["profiles"]:
        assert len(profile["samples"]) == len(profile["weights"])
        assert sum(profile["weights"]) == profile["endValue"] - profile["startValue"]
        assert all(number < len(frames) for sample in profile["samples"] for number in sample)


def test_profiles_add_up_to_the_time_on_the_cpu_and_to_the_waits_of_each_cause() -> None:
    report = typical()
    assert report.cpu is not None
    causes = report.cpu.block_by_cause
    kinds = by_kind(folded_of(report))
    # A sample's part of the time on a CPU is a whole number of nanoseconds.
    assert 0 <= report.cpu.on_cpu_ns - kinds["cpu"] < len(report.cpu.stacks)
    assert kinds["off-cpu network"] == causes.network.sum_ns
    assert kinds["off-cpu lock"] == causes.lock.sum_ns
    assert report.stacks is not None
    assert kinds["slow files.fsync"] == sum(
        stack.latency.sum_ns for stack in report.stacks if stack.operation == "files.fsync"
    )
    cpu, waits, slow = speedscope_of(report)["profiles"]
    assert (cpu["name"], waits["name"]) == ("CPU (1,485 samples)", "off CPU")
    assert slow["name"].startswith("slow operations")
    assert cpu["endValue"] == kinds["cpu"]
    assert waits["endValue"] == sum(total for kind, total in kinds.items() if kind.startswith("off-cpu"))


def test_a_stack_stands_outermost_first_with_its_lines_and_what_it_was_about() -> None:
    stacks = folded_of(typical())
    assert ("off-cpu network", "main", "store::ledger::fetch()", "recv") in stacks
    assert ("cpu", "main", "shop::checkout()", "write", "[kernel]") in stacks
    assert ("off-cpu lock", "(other)") in stacks
    slow = ("slow files.fsync", "main", "store::flush(store::journal&)", "fsync", "/var/lib/shop/orders.db")
    assert stacks[slow] == 107_000_000
    found = speedscope_of(typical())
    frames, profile = found["shared"]["frames"], found["profiles"][2]
    (sample,) = [
        each for each, weight in zip(profile["samples"], profile["weights"], strict=True) if weight == 107_000_000
    ]
    assert [frames[number] for number in sample] == [
        {"name": "slow files.fsync"},
        {"name": "main", "file": "main.cc", "line": 31},
        {"name": "store::flush(store::journal&)", "file": "store.cc", "line": 87},
        {"name": "fsync", "file": "/lib/x86_64-linux-gnu/libc.so.6"},
        {"name": "/var/lib/shop/orders.db"},
    ]


def test_slow_operations_of_unknown_time_are_told_by_their_number() -> None:
    report = typical()
    assert report.stacks is not None
    rest = replace(report.stacks[0], target="(other)", count=1_234)
    found = speedscope_of(replace(report, stacks=(*[each for each in report.stacks if each.target != "(other)"], rest)))
    assert found["profiles"][2]["name"] == "slow operations (without 1,234 others)"


def test_a_report_without_stacks_has_no_profiles() -> None:
    report = replace(typical(), cpu=None, stacks=None)
    assert speedscope_of(report)["profiles"] == []
    assert text_of(FoldedRenderer(), report) == ""


@given(names=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), min_size=1, max_size=4))
def test_no_name_of_a_function_breaks_a_line_or_a_stack(names: list[str]) -> None:
    report = of_names(*names, HOSTILE, "Lshop/Cart;::price")
    (stack,) = folded_of(report)
    assert len(stack) == len(names) + 3
    assert stack[0] == "cpu"
    assert stack[-1] == "Lshop/Cart:::price"
    text = text_of(FoldedRenderer(), report)
    assert text.count("\n") == 1
    assert text.replace("\n", "").isprintable()
    assert text_of(SpeedscopeRenderer(), report).isascii()
    assert len(speedscope_of(report)["profiles"][0]["samples"][0]) == len(stack)
