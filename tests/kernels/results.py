"""What the tests said under each kernel, kept from run to run: `results.py RUN RESULTS TREE KERNEL...` takes one in.

RUN has a folder for each kernel: `survey.json` of `survey.py`, and `tests-test_AREA.xml`, pytest's own reports. RESULTS
has a file for each, in which an area's tests take the place of what they said before. TREE names the sources that ran.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET


@dataclass(frozen=True, kw_only=True)
class Area:
    """What the tests of one file said: how many passed, and the others by name, skipped ones with the reason."""

    tree: str
    passed: int = 0
    failed: tuple[str, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def outcomes(self) -> Counter[str]:
        """How many ended in each way."""
        return Counter(passed=self.passed, failed=len(self.failed), skipped=len(self.skipped))


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """What is known of one kernel; with an empty survey the tracer did not even start."""

    name: str
    survey: dict[str, Any]
    areas: dict[str, Area]


def read_area(report: str, tree: str) -> Area:
    """The tests in pytest's report. What is expected to fail, and failed, counts as skipped, with its reason."""
    passed, failed, skipped = 0, list[str](), dict[str, str]()
    for case in ET.fromstring(report).iter("testcase"):
        outcomes = {child.tag: child for child in case}
        if outcomes.keys() & {"failure", "error"}:
            failed.append(case.attrib["name"])
        elif "skipped" in outcomes:
            why = outcomes["skipped"]
            known = "expected to fail: " if why.attrib.get("type") == "pytest.xfail" else ""
            skipped[case.attrib["name"]] = known + why.attrib["message"]
        else:
            passed += 1
    return Area(tree=tree, passed=passed, failed=tuple(sorted(failed)), skipped=dict(sorted(skipped.items())))


def read(file: Path) -> Kernel:
    """What was kept of one kernel."""
    kept = json.loads(file.read_text())
    areas = {name: Area(**{**area, "failed": tuple(area["failed"])}) for name, area in kept["areas"].items()}
    return Kernel(name=file.stem, survey=kept["survey"], areas=areas)


def read_all(directory: Path) -> list[Kernel]:
    """What was kept of all kernels."""
    return [read(file) for file in sorted(directory.glob("*.json"))]


def take_in(run: Path, results: Path, tree: str, kernels: Iterable[str]) -> None:
    """Keeps what a run of some areas left behind; a kernel under which it left nothing stays as it was."""
    results.mkdir(exist_ok=True)
    for name in kernels:
        file, survey = results / f"{name}.json", run / name / "survey.json"
        reports = {report.stem.removeprefix("tests-test_"): report for report in (run / name).glob("tests-*.xml")}
        if not reports:
            continue
        known = read(file).areas if file.exists() else {}
        areas = known | {area: read_area(report.read_text(), tree) for area, report in reports.items()}
        kept = {
            "survey": json.loads(survey.read_text()) if survey.exists() else {},
            "areas": {area: asdict(areas[area]) for area in sorted(areas)},
        }
        file.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    take_in(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
