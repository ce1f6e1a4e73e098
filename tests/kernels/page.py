"""Writes docs/kernels.md from what the runs under other kernels left behind: `page.py DIRECTORY FILE`.

Each folder of the directory is one kernel's: `survey.json` of `survey.py`, and `tests-*.xml`, pytest's own reports.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from kubectl_podtrace.wire.topics import TOPICS

HEAD = """# Other kernels

The tests of `tests/bpf` under other kernels than the one at hand: Debian's own, on an emulated processor. Written by
`make test-kernels`, never by hand; to have it written anew, run that again.

The guests have one processor and cgroup v2 only. What needs a hierarchy of v1 is skipped there; `make test-bpf` runs it
on any machine that mounts one. What a kernel has is asked of its BTF, never of its version.
"""

PREEMPTIBLE = """Where the kernel lets programs of tracepoints sleep, those of raw tracepoints are preemptible, and it
skips a program on a processor where another task was preempted inside it. There the tracer sees system calls and the
ends of processes as trace events, which are not preemptible, reads its maps without being preempted, and keeps its
processor in the programs that are left. What can still be missed (while another user of BPF was preempted inside a map,
or in the few instructions before and after a program) the kernel counts, and each report tells it as *interrupted by
itself*: no number of connections, their states, forks and execs is off by more than that, and no other number at all.
The tests hold exactly this; they allow no other loss. On real processors those instructions take nanoseconds; an
emulator takes its interrupts just there, at the borders of functions.
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test: its module without `test_`, its name, and what came of it; `why` a skipped one was."""

    area: str
    name: str
    outcome: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """What the runs under one kernel left behind."""

    name: str
    survey: dict[str, Any]
    cases: tuple[Case, ...]

    def of_area(self, area: str) -> Counter[str]:
        """How many of an area's tests ended in each way."""
        return Counter(case.outcome for case in self.cases if case.area == area)


def read_cases(report: str) -> tuple[Case, ...]:
    """The tests in pytest's report."""
    return tuple(_case(element) for element in ET.fromstring(report).iter("testcase"))


def _case(element: ET.Element) -> Case:
    area = element.attrib["classname"].rsplit(".", 1)[-1].removeprefix("test_")
    outcome, why = "passed", ""
    for child in element:
        if child.tag in {"failure", "error"}:
            outcome = "failed"
        elif child.tag == "skipped" and outcome == "passed":
            outcome, why = "skipped", child.attrib["message"]
    return Case(area=area, name=element.attrib["name"], outcome=outcome, why=why)


def read_kernels(directory: Path) -> list[Kernel]:
    """Every kernel that was run to its end, oldest first, other machines last."""
    found = [
        Kernel(
            name=survey.parent.name,
            survey=json.loads(survey.read_text()),
            cases=tuple(
                case for report in sorted(survey.parent.glob("tests-*.xml")) for case in read_cases(report.read_text())
            ),
        )
        for survey in directory.glob("*/survey.json")
    ]
    return sorted(found, key=_place)


def _place(kernel: Kernel) -> tuple[bool, list[int]]:
    return kernel.survey["machine"] != "x86_64", [int(n) for n in re.findall(r"\d+", kernel.survey["release"])[:3]]


def collect() -> Counter[str]:
    """How many tests each area of the tier has now."""
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-m", "not long", "tests/bpf"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Counter(re.findall(r"^tests/bpf/test_(\w+)\.py::", listed, re.MULTILINE))


def read_silent(directory: Path) -> list[str]:
    """The names of kernels under which the tracer did not even start."""
    return sorted(
        folder.name for folder in directory.iterdir() if folder.is_dir() and not (folder / "survey.json").exists()
    )


def page(kernels: Sequence[Kernel], tests: Counter[str], silent: Sequence[str] = ()) -> str:
    """The whole page; `tests` is how many there are in each area."""
    failed = {(case.area, case.name): _where(kernels, case, "failed") for case in _cases(kernels, "failed")}
    skipped = {(case.area, case.name): _where(kernels, case, "skipped") for case in _cases(kernels, "skipped")}
    reasons = {(case.area, case.name): case.why for case in _cases(kernels, "skipped")}
    parts = [
        HEAD,
        "## Kernels\n",
        _table(["", *(_short(kernel) for kernel in kernels)], _facts(kernels)),
        *_listing("Under these the tracer did not start:\n", silent),
        PREEMPTIBLE,
        "## Tests\n",
        _table(["area", *(_short(kernel) for kernel in kernels)], _areas(kernels, tests)),
        *_listing("### Failed\n", (f"{area}: {_said(name)} ({where})" for (area, name), where in failed.items())),
        *_listing(
            "### Skipped\n",
            (f"{key[0]}: {_said(key[1])} ({where}): {reasons[key]}" for key, where in skipped.items()),
        ),
        "## Topics\n",
        _table(["topic", *(_short(kernel) for kernel in kernels)], _topics(kernels)),
        "## Probes\n",
        _table(["probe", *(_short(kernel) for kernel in kernels), "without it"], _probes(kernels)),
    ]
    return "\n".join(parts)


def _short(kernel: Kernel) -> str:
    # Debian's release names the interface of a series; its build says which kernel of it this is.
    release = re.search(r"\d+\.\d+\.\d+", kernel.survey["build"]) or re.search(r"[\d.]+", kernel.survey["release"])
    machine = "" if kernel.survey["machine"] == "x86_64" else f" {kernel.survey['machine']}"
    return f"{release.group() if release else kernel.name}{machine}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def _listing(title: str, lines: Iterable[str]) -> list[str]:
    found = [f"* {line}\n" for line in lines]
    return [title, "".join(found)] if found else []


def _said(name: str) -> str:
    """A test's name as the sentence that it is."""
    return name.removeprefix("test_").replace("_", " ")


def _facts(kernels: Sequence[Kernel]) -> list[list[str]]:
    def row(title: str, key: str) -> list[str]:
        return [title, *(str(kernel.survey[key]) for kernel in kernels)]

    preemptible = ["yes" if kernel.survey["preemptible"] else "no" for kernel in kernels]
    return [
        row("release that ran", "release"),
        row("its build", "build"),
        row("machine", "machine"),
        row("bcc", "bcc"),
        row("kernel memory is read by", "reads"),
        row("the target's cgroup is found by", "scope"),
        ["programs are preemptible", *preemptible],
    ]


def _areas(kernels: Sequence[Kernel], tests: Counter[str]) -> list[list[str]]:
    areas = sorted({case.area for kernel in kernels for case in kernel.cases} | set(tests))
    return [[area, *(_outcomes(kernel.of_area(area), tests[area]) for kernel in kernels)] for area in areas]


def _outcomes(counts: Counter[str], of: int) -> str:
    counts = counts + Counter({"not run": max(0, of - counts.total())})
    return ", ".join(f"{counts[word]} {word}" for word in ("passed", "failed", "skipped", "not run") if counts[word])


def _cases(kernels: Sequence[Kernel], outcome: str) -> list[Case]:
    found = {(case.area, case.name): case for k in kernels for case in k.cases if case.outcome == outcome}
    return [found[key] for key in sorted(found)]


def _where(kernels: Sequence[Kernel], case: Case, outcome: str) -> str:
    def same(other: Case) -> bool:
        return (other.area, other.name, other.outcome) == (case.area, case.name, outcome)

    return ", ".join(_short(kernel) for kernel in kernels if any(same(other) for other in kernel.cases))


def _topics(kernels: Sequence[Kernel]) -> list[list[str]]:
    return [[topic, *(_attached(kernel, topic) for kernel in kernels)] for topic in TOPICS]


def _attached(kernel: Kernel, topic: str) -> str:
    probes = kernel.survey["probes"]
    known = [probes[name]["attached"] for name in kernel.survey["topics"].get(topic, ()) if name in probes]
    if not known:
        return "not run"
    return "all probes" if all(known) else f"{sum(known)} of {len(known)} probes"


def _probes(kernels: Sequence[Kernel]) -> list[list[str]]:
    costs = {name: probe["costs"] for kernel in kernels for name, probe in kernel.survey["probes"].items()}
    return [[name, *(_probe(kernel, name) for kernel in kernels), costs[name]] for name in sorted(costs)]


def _probe(kernel: Kernel, name: str) -> str:
    probe = kernel.survey["probes"].get(name)
    if probe is None:
        return "not needed"
    return "attached" if probe["attached"] else f"absent: {probe['reason']}"


if __name__ == "__main__":
    runs = Path(sys.argv[1])
    Path(sys.argv[2]).write_text(page(read_kernels(runs), collect(), read_silent(runs)))
