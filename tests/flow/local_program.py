"""The command line in a process of its own, with a scripted tracer: `local_program.py SCRIPT NOTES ARGUMENTS...`."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from kubectl_podtrace.cli.main import main
from kubectl_podtrace.local.tracer import TracerProgram

HERE = Path(__file__).parent


def tracer() -> AbstractContextManager[TracerProgram]:
    script, notes = sys.argv[1:3]
    arguments = (sys.executable, str(HERE / "fake_tracer.py"), script, notes)
    environment = {"PYTHONPATH": str(HERE.parents[1]), "PATH": os.environ["PATH"]}
    return nullcontext(TracerProgram(arguments=arguments, environment=environment))


if __name__ == "__main__":
    sys.exit(main(sys.argv[3:], local_tracer=tracer))
