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


def rules(report: dict[str, Any]) -> set[str]:
    """The names of all findings."""
    return {finding["rule"] for finding in report["findings"]}


def only(report: dict[str, Any], rule: str) -> dict[str, Any]:
    """The finding, which is the only one."""
    assert rules(report) == {rule}, report["findings"]
    finding: dict[str, Any] = report["findings"][0]
    return finding
