"""Writes docs/kernels.md from what is kept of the runs under other kernels: `page.py RESULTS FILE` (`results.py`)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from kubectl_podtrace.wire.topics import TOPICS
from tests.kernels.results import Area, Kernel, read_all

HEAD = """# Other kernels

The tests of `tests/bpf` under other kernels than the one at hand: Debian's own, on an emulated processor. Written by
`make test-kernels`, never by hand; to have it written anew, run that again. All of it takes hours, so areas can be run
one by one: behind the numbers of each stands the commit that ran.

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


def _place(kernel: Kernel) -> tuple[bool, list[int]]:
    release = re.findall(r"\d+", kernel.survey["release"])[:3]
    return kernel.survey["machine"] != "x86_64", [int(number) for number in release]


def collect() -> Counter[str]:
    """How many tests each area of the tier has now."""
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-m", "not long", "tests/bpf"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Counter(re.findall(r"^tests/bpf/test_(\w+)\.py::", listed, re.MULTILINE))


def page(known: Sequence[Kernel], tests: Counter[str]) -> str:
    """The whole page: the oldest kernel first, other machines last; `tests` is how many there are in each area."""
    kernels = sorted((kernel for kernel in known if kernel.survey), key=_place)
    silent = [kernel.name for kernel in known if not kernel.survey]
    names = [_short(kernel) for kernel in kernels]
    parts = [
        HEAD,
        "## Kernels\n",
        _table(["", *names], _facts(kernels)),
        *_listing("Under these the tracer did not start:\n", silent),
        PREEMPTIBLE,
        "## Tests\n",
        _table(["area", *names], _areas(kernels, tests)),
        *_listing("### Failed\n", _not_passed(kernels, lambda area: dict.fromkeys(area.failed, ""))),
        *_listing("### Skipped\n", _not_passed(kernels, lambda area: area.skipped)),
        "## Topics\n",
        _table(["topic", *names], _topics(kernels)),
        "## Probes\n",
        _table(["probe", *names, "without it"], _probes(kernels)),
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
    none = Area(tree="")
    return [
        [name, *(_outcomes(kernel.areas.get(name, none), of) for kernel in kernels)]
        for name, of in sorted(tests.items())
    ]


def _outcomes(area: Area, of: int) -> str:
    counts = area.outcomes + Counter({"not run": max(0, of - area.outcomes.total())})
    told = ", ".join(f"{counts[word]} {word}" for word in ("passed", "failed", "skipped", "not run") if counts[word])
    return f"{told} ({area.tree})" if area.tree else told


def _not_passed(kernels: Sequence[Kernel], of: Callable[[Area], Mapping[str, str]]) -> list[str]:
    """Each test that ended so with the kernels under which it did, and why."""
    where: dict[tuple[str, str], list[Kernel]] = {}
    reasons: dict[tuple[str, str], str] = {}
    for kernel in kernels:
        for name, area in kernel.areas.items():
            for test, why in of(area).items():
                where.setdefault((name, test), []).append(kernel)
                reasons[name, test] = f": {why}" if why else ""
    return [
        f"{area}: {_said(test)} ({', '.join(_short(kernel) for kernel in where[area, test])}){reasons[area, test]}"
        for area, test in sorted(where)
    ]


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
    Path(sys.argv[2]).write_text(page(read_all(Path(sys.argv[1])), collect()))
