"""Asks the kernel that this runs under what the tracer finds there, by one trace of every topic: `survey.py FILE`."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from kubectl_podtrace.wire import records
from kubectl_podtrace.wire.request import CgroupTarget
from kubectl_podtrace.wire.topics import TOPICS
from podtrace_tracer.kernel.btf import Btf
from podtrace_tracer.programs import kernel_functions, program
from tests.bpf.conftest import hierarchy
from tests.bpf.harness import Tracer, ask


def trace() -> tuple[records.Header, list[records.Probe]]:
    """The last header and all probes of a trace of every topic, of a cgroup of its own."""
    root = hierarchy("v2")
    assert root is not None, "no cgroup v2 hierarchy is mounted"
    cgroup = root / f"podtrace-survey-{os.getpid()}"
    cgroup.mkdir()
    try:
        stream = Tracer(ask(CgroupTarget(path=str(cgroup)))).stop()
    finally:
        cgroup.rmdir()
    probes = {probe.name: probe for probe in stream.of(records.Probe)}
    return list(stream.of(records.Header))[-1], list(probes.values())


def survey() -> dict[str, Any]:
    """What the page says of one kernel."""
    machine = platform.machine()
    btf = Btf.load(wanted={*program.wanted_structs(TOPICS, machine), *kernel_functions.NAMES})
    functions = kernel_functions.find(btf, casts=True, preemptible=False)
    header, probes = trace()
    return {
        "release": header.kernel,
        "build": platform.version(),
        "machine": header.machine,
        "bcc": header.bcc_version,
        "scope": header.scope_mode,
        "reads": "plain loads" if kernel_functions.CAST in functions else "helper calls",
        "preemptible": kernel_functions.are_preemptible(btf),
        "probes": {
            probe.name: {"attached": probe.attached, "reason": probe.reason, "costs": probe.costs} for probe in probes
        },
        "topics": {topic: sorted(spec.name for spec, _ in program.probes_of((topic,)).values()) for topic in TOPICS},
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(survey(), indent=1))
