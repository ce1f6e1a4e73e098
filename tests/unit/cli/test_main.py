from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kubectl_podtrace import __version__
from kubectl_podtrace.cli.main import main

ROOT = Path(__file__).parents[3]


def test_the_usage_is_that_of_a_kubectl_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: kubectl podtrace [-n NAMESPACE] POD [flags]\n")
    assert main(["local", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: kubectl podtrace local [flags] -- COMMAND [ARGS...]\n")


def test_the_version_is_told_wherever_it_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--version"], ["-n", "shop", "--version"], ["local", "--version"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out == f"kubectl-podtrace {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which pod?"),
        (["a", "b"], "more than one target: a b"),
        (["-n", "shop", "local", "x"], "hint: the verb local comes first"),
        (["api", "--frob"], "unrecognized arguments: --frob"),
        (["api", "--diag", "1s"], "unrecognized arguments: --diag"),
        (["api", "--diagnose"], "expected one argument"),
        (["api", "--diagnose", "soon"], '"soon" is not a duration'),
        (["api", "--filter", "weather"], 'no filter "weather"'),
        (["api", "--filter", "nets"], 'did you mean "net"?'),
        (["api", "--rtt-threshold", "nan"], '"nan" is not a threshold'),
        (["api", "--error-threshold", "101"], '"101" is not a percentage'),
        (["api", "--export", "xml"], 'not exported as "xml"'),
        (["api", "-o", "report.pdf"], "not written as .pdf"),
        (["api", "--events-csv", "-"], "stdout is the report's"),
        (["api", "-o", "e.csv", "--events-csv", "e.csv"], "cannot hold both"),
        (["check", "api", "--events-csv", "e.csv"], "a check traces nothing"),
        (["check", "api", "-o", "csv"], "a check is printed"),
        (["api", "--export", "json", "-o", "md"], "ask for two formats"),
        (["api", "--filter", "proc", "--export", "folded"], "no stacks of these topics"),
        (["api", "--request-timeout", "soon"], '"soon" is not a duration'),
        (["api", "--image-pull-policy", "Sometimes"], "invalid choice"),
        (["api;reboot"], "cannot be the name of a pod"),
        (["$(reboot)"], "cannot be the name of a pod"),
        (["../etc"], "cannot"),
        (["job/api"], "a target is POD, pod/POD or deploy/NAME"),
        (["api", "-n", "Shop!"], "cannot be the name of a namespace"),
        (["api", "-c", "a", "--all-containers"], "exclude each other"),
        (["local"], "local mode traces one thing"),
        (["local", "--"], "no command after --"),
        (["local", "ls"], "a command goes after --"),
        (["local", "ls", "-l"], "a command goes after --"),
        (["local", "--pid", "1", "--", "ls"], "local mode traces one thing"),
        (["local", "--pid", "self"], '"self" is not a process id'),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused_in_one_line_and_a_hint(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert [line.split(":")[0] for line in shown.err.splitlines()] in (["error", "hint"], ["error"])


def test_control_characters_of_an_argument_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["api", "--diagnose", "\x1b[2J\udce4"]) == 2
    assert capsys.readouterr().err.startswith('error: "\\x1b[2J\\udce4" is not a duration\n')


def broken_tracer() -> None:
    """A defect of ours."""
    raise ZeroDivisionError("by nothing")


def test_a_defect_is_told_in_one_line_and_with_its_place_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local", "--", "true"], local_tracer=broken_tracer) == 1  # type: ignore[arg-type]
    shown = capsys.readouterr().err
    assert (
        "error: this is a defect of kubectl-podtrace: ZeroDivisionError: by nothing\nhint: run again with -v" in shown
    )
    assert "Traceback" not in shown
    assert main(["local", "-v", "--", "true"], local_tracer=broken_tracer) == 1  # type: ignore[arg-type]
    assert "Traceback" in capsys.readouterr().err


def interrupted_tracer() -> None:
    """Ctrl+C before the trace."""
    raise KeyboardInterrupt


def test_an_interrupt_before_the_trace_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local", "--", "true"], local_tracer=interrupted_tracer) == 130  # type: ignore[arg-type]
    assert capsys.readouterr().err == "error: interrupted\n"


def test_a_reader_that_has_gone_is_no_error() -> None:
    command = [sys.executable, "-m", "kubectl_podtrace", "--help"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in {0, 141}
