from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SHOW_HEAVY_IMPORTS = """
import contextlib, io, json, sys
sys.argv[0] = "kubectl-podtrace"
from kubectl_podtrace.cli.main import main
printed = io.StringIO()
with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
    main(sys.argv[1:])
heavy = {"kubernetes", "rich", "jinja2", "yaml", "urllib3", "prometheus_client", "bcc", "pyroute2"} & set(sys.modules)
print(json.dumps({"printed": printed.getvalue(), "heavy": sorted(heavy)}))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["local", "--help"],
        ["check", "--help"],
        ["clean", "--help"],
        ["completion", "--help"],
        ["completion"],
        ["--version"],
        ["__complete", "--"],
        ["__complete", "api-0", "--filter", "net,"],
        ["__complete", "local", "--pid", ""],
    ],
)
def test_what_needs_no_cluster_loads_no_heavy_library(arguments: list[str], root: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", SHOW_HEAVY_IMPORTS, *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["heavy"] == []
    assert outcome["printed"].strip()
