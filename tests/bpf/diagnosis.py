"""What tests of findings share: the command as its user runs it, the programs that it diagnoses, what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bpf.harness import PATIENCE_S, ROOT

HERE = Path(__file__).parent
PYTHON = "/usr/bin/python3"
AILING = (PYTHON, str(HERE / "workloads/ailing.py"))
WELL = (PYTHON, str(HERE / "workloads/well.py"))
EMULATED = "PODTRACE_EMULATED" in os.environ
"""Where instructions are emulated, tracing takes more of the processor than it may, and what is well is slow. Both are
told, rightly: so nothing is shed there, and that programs are well is asked elsewhere."""
well_here = pytest.mark.skipif(EMULATED, reason="on an emulated processor everything is slow, and rightly found to be")
OF_SLOW_PROCESSORS = frozenset({"cpu-starved", "slow-files"})
FIRST = ("nice", "-n", "-15")
"""What is well is well on a busy machine, too; but who has to wait for a CPU is slow at everything."""


@dataclass(frozen=True, kw_only=True)
class Diagnose:
    """Traces a command in local mode; the report."""

    directory: Path

    def __call__(self, *command: str, flags: tuple[str, ...] = (), typed: bytes = b"", code: int = 0) -> dict[str, Any]:
        file = self.directory / "report.json"
        shed_nothing = ("--max-overhead", "0") if EMULATED and "--max-overhead" not in flags else ()
        words = [sys.executable, "-m", "kubectl_podtrace", "local", *shed_nothing, *flags, "-o", str(file)]
        done = subprocess.run(
            [*words, *(("--", *command) if command else ())],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=self.directory, input=typed, capture_output=True,
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr.decode(errors="replace")[-3000:]
        report: dict[str, Any] = json.loads(file.read_text())
        return report


def found(report: dict[str, Any], *, sought: str = "") -> list[dict[str, Any]]:
    """The findings; but those that an emulated processor gives to every program, unless one of them is `sought`."""
    usual = OF_SLOW_PROCESSORS - {sought} if EMULATED else frozenset()
    return [finding for finding in report["findings"] if finding["rule"] not in usual]


def only(report: dict[str, Any], rule: str) -> dict[str, Any]:
    """The finding, which is the only one."""
    findings = found(report, sought=rule)
    assert [finding["rule"] for finding in findings] == [rule], report["findings"]
    return findings[0]
