from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.cli.main import main
from kubectl_podtrace.local.tracer import TracerProgram
from tests.flow import fake_tracer

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="local mode is for Linux")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command line left behind."""

    code: int
    out: str
    err: str
    notes: dict[str, Any]


RunLocal = Callable[..., Outcome]


@pytest.fixture
def run_local(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> RunLocal:
    """Runs `local ...` with a scripted tracer; `{}` in an argument stands for an empty directory's path."""

    def run(*arguments: str, script: str = "usual") -> Outcome:
        notes = tmp_path / "notes.json"

        def tracer() -> AbstractContextManager[TracerProgram]:
            program = TracerProgram(
                arguments=(sys.executable, str(Path(fake_tracer.__file__)), script, str(notes)),
                environment={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
            )
            return nullcontext(program)

        code = main(["local", *(argument.replace("{}", str(tmp_path)) for argument in arguments)], local_tracer=tracer)
        out, err = capfd.readouterr()
        seen = json.loads(notes.read_text()) if notes.exists() else {}
        return Outcome(code=code, out=out, err=err, notes=seen)

    return run


@pytest.fixture(autouse=True)
def no_cgroup_is_left() -> Iterator[None]:
    yield
    # Other cgroups come and go meanwhile: os.walk passes over what has gone.
    names = [name for _, directories, _ in os.walk("/sys/fs/cgroup") for name in directories]
    assert [name for name in names if name.startswith(f"podtrace-{os.getpid()}-")] == []


def test_a_command_is_traced_from_before_its_first_instruction_to_its_end(run_local: RunLocal) -> None:
    outcome = run_local("--", "sh", "-c", "echo begun; touch {}/marker; exit 7")
    assert outcome.code == 7
    assert "marker" not in outcome.notes["beside"], "it ran before the probes were attached"
    assert outcome.out.startswith("begun\n")
    assert "4,242" in outcome.out


def test_the_tracer_is_out_of_reach_of_the_terminal_s_signals(run_local: RunLocal) -> None:
    outcome = run_local("--", "true")
    assert outcome.notes["session"] != os.getsid(0)


def test_the_held_process_is_the_one_that_becomes_the_command(run_local: RunLocal) -> None:
    outcome = run_local("--", "sh", "-c", "echo $$")
    assert outcome.notes["pids"] == [int(outcome.out.split("\n", 1)[0])]


@pytest.mark.skipif(os.geteuid() != 0, reason="making a cgroup needs root")
def test_a_command_has_a_cgroup_of_its_own_while_it_runs(run_local: RunLocal) -> None:
    outcome = run_local("--", "grep", "-o", f"podtrace-{os.getpid()}-.*", "/proc/self/cgroup")
    assert outcome.notes["cgroup"].endswith(outcome.out.split("\n", 1)[0])


def test_a_json_report_goes_to_its_file_and_names_command_and_status(run_local: RunLocal, tmp_path: Path) -> None:
    outcome = run_local("-o", "{}/report.json", "--", "sh", "-c", "echo mine; exit 3")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (outcome.code, outcome.out) == (3, "mine\n")
    assert report["target"]["command"] == ["sh", "-c", "echo mine; exit 3"]
    assert report["target"]["exit_status"] == 3
    assert report["files"]["read"]["count"] == fake_tracer.READS
    assert report["trust"]["truncated"] is False


def test_a_report_that_cannot_be_written_is_refused_before_the_command_runs(
    run_local: RunLocal, tmp_path: Path
) -> None:
    outcome = run_local("-o", "{}/no/such/place/report.json", "--", "touch", "{}/marker")
    assert outcome.code != 0
    assert "its directory does not exist" in outcome.err
    assert not (tmp_path / "marker").exists()


def test_a_report_whose_place_has_gone_meanwhile_is_shown_instead(run_local: RunLocal, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    outcome = run_local("-o", "{}/place/report.json", "--", "rmdir", "{}/place")
    assert outcome.code != 0
    assert "cannot write" in outcome.err
    assert json.loads(outcome.out)["tool"]["name"] == "kubectl-podtrace"


@pytest.mark.parametrize("script", ["usual", "fading"])
def test_events_are_written_beside_the_report_also_of_a_tracer_that_is_lost(
    run_local: RunLocal, tmp_path: Path, script: str
) -> None:
    run_local("--events-csv", "{}/events.csv", "-o", "{}/report.csv", "--", "true", script=script)
    header, kept_back = (tmp_path / "events.csv").read_text().splitlines()
    assert (header[:5], kept_back.split(",")[1]) == ("time,", "(suppressed)")
    assert (tmp_path / "report.csv").read_text().startswith("section,")


def test_events_whose_place_has_gone_meanwhile_do_not_cost_the_report(run_local: RunLocal, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    outcome = run_local("--events-csv", "{}/place/events.csv", "--export", "json", "--", "rmdir", "{}/place")
    assert outcome.code == 8
    assert "cannot write" in outcome.err
    assert json.loads(outcome.out)["tool"]["name"] == "kubectl-podtrace"


def test_a_trace_that_is_refused_leaves_no_events(run_local: RunLocal, tmp_path: Path) -> None:
    assert run_local("--events-csv", "{}/events.csv", "--", "true", script="refusing").code == 7
    assert not (tmp_path / "events.csv").exists()


def test_json_is_all_that_is_written_to_stdout_after_the_command(run_local: RunLocal) -> None:
    outcome = run_local("--export", "json", "--", "true")
    assert json.loads(outcome.out)["tool"]["name"] == "kubectl-podtrace"


def test_a_command_that_a_signal_ended_has_the_exit_code_that_a_shell_gives_it(run_local: RunLocal) -> None:
    assert run_local("--", "sh", "-c", "kill -TERM $$").code == 143


def test_the_end_of_the_duration_ends_the_command_and_is_a_success(run_local: RunLocal) -> None:
    outcome = run_local("--diagnose", "200ms", "-o", "{}/report.json", "--", "sleep", "60")
    assert outcome.code == 0


def test_flags_after_the_dashes_are_the_command_s(run_local: RunLocal) -> None:
    assert run_local("--", "echo", "--version", "-v", "--").out.startswith("--version -v --\n")


def test_what_the_request_says_is_what_was_typed(run_local: RunLocal) -> None:
    arguments = ("--filter", "proc,fs", "--fs-threshold", "0.5", "--rtt-threshold", "7", "--error-threshold", "3")
    outcome = run_local(*arguments, "--export", "json", "--", "true")
    report = json.loads(outcome.out)
    assert report["settings"] == {
        "topics": ["files", "processes", "memory", "descriptors"],
        "error_threshold_ratio": 0.03,
        "rtt_threshold_ns": 7_000_000,
        "fs_threshold_ns": 500_000,
    }


def test_what_tracing_may_cost_is_asked_and_what_was_shed_for_it_is_shown_as_partial(run_local: RunLocal) -> None:
    arguments = ("--max-overhead", "0.5", "--filter", "fs")
    outcome = run_local(*arguments, "--", "true", script="shedding")
    assert outcome.notes["max_overhead_ppm"] == 5_000
    assert "File system (partial: until " in outcome.out
    assert "reads are not counted, since tracing took 15.0 % of the node (limit 0.5 %)" in outcome.out
    report = json.loads(run_local(*arguments, "--export", "json", "--", "true", script="shedding").out)
    assert [part["lacks"] for part in report["files"]["partial"]] == ["reads are not counted"]
    assert not report["trust"]["complete"]
    assert report["cost"]["overhead_ratio"] == 0.15
    assert report["cost"]["programs"] == [
        {"name": "raw_tracepoint:sys_exit", "runs": 5_003, "run_ns": 2_000_000, "misses": 2}
    ]
    assert [shed["limit_ratio"] for shed in report["cost"]["shed"]] == [0.005]


def test_without_a_limit_tracing_may_cost_five_percent_and_zero_switches_the_limit_off(run_local: RunLocal) -> None:
    assert run_local("--", "true").notes["max_overhead_ppm"] == 50_000
    assert run_local("--max-overhead", "0", "--", "true").notes["max_overhead_ppm"] == 0


def test_stdin_is_the_command_s(run_local: RunLocal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "input").write_text("typed\n")
    stdin = os.dup(0)
    with (tmp_path / "input").open("rb") as file:
        os.dup2(file.fileno(), 0)
        try:
            outcome = run_local("--", "cat")
        finally:
            os.dup2(stdin, 0)
            os.close(stdin)
    assert outcome.out.startswith("typed\n")


def test_a_refusal_is_told_in_the_tracer_s_words_and_the_command_never_runs(
    run_local: RunLocal, tmp_path: Path
) -> None:
    outcome = run_local("--", "touch", "{}/marker", script="refusing")
    assert outcome.code == 7
    assert "error: this kernel has no BTF\\x1b[2J\nhint: use a newer one\n" in outcome.err
    assert 'note: "touch" was not run' in outcome.err
    assert outcome.out == ""
    assert not (tmp_path / "marker").exists()


def test_a_tracer_that_falls_over_is_told_with_its_last_words(run_local: RunLocal) -> None:
    outcome = run_local("--", "true", script="crashing")
    assert outcome.code == 6
    assert "ended with exit code 3: ImportError: no bcc \\x1b[2J" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_tracer_that_ends_before_its_probes_are_attached_is_an_error(run_local: RunLocal) -> None:
    outcome = run_local("--", "true", script="unready")
    assert outcome.code == 6
    assert "before its probes were attached" in outcome.err


def test_a_stream_that_breaks_off_is_reported_as_far_as_it_came(run_local: RunLocal) -> None:
    outcome = run_local("--export", "json", "--", "sleep", "60", script="fading")
    report = json.loads(outcome.out)
    assert outcome.code == 1
    assert report["trust"]["truncated"] is True
    assert report["trust"]["noise_lines"] == 1


def test_what_is_no_record_is_counted_and_changes_no_number(run_local: RunLocal) -> None:
    outcome = run_local("--export", "json", "--", "true", script="babbling")
    report = json.loads(outcome.out)
    assert outcome.code == 0
    assert report["trust"]["noise_lines"] == 8
    assert report["files"]["read"]["count"] == fake_tracer.READS


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("echo never", 126, "-- sh"),
        ("#!/no/such/interpreter\n", 126, "interpreter in its #! line"),
    ],
)
def test_a_file_that_cannot_be_executed_is_explained(
    run_local: RunLocal, tmp_path: Path, content: str, code: int, said: str
) -> None:
    script = tmp_path / "script"
    script.write_text(content)
    script.chmod(0o755)
    outcome = run_local("--", str(script))
    assert outcome.code == code
    assert outcome.out == ""
    assert f'error: "{script}" cannot be executed' in outcome.err
    assert said in outcome.err


def test_a_command_that_does_not_exist_is_an_error_before_anything_starts(run_local: RunLocal) -> None:
    outcome = run_local("--", "no-such-command-at-all")
    assert (outcome.code, outcome.notes) == (127, {})
    assert 'error: there is no command "no-such-command-at-all"' in outcome.err


def test_the_first_interrupt_waits_for_the_command_and_reports(run_local: RunLocal) -> None:
    outcome = run_local("--", "sh", "-c", "kill -INT $PPID; echo tidied up; exit 7")
    assert outcome.code == 7
    assert "tidied up" in outcome.out
    assert "4,242" in outcome.out


def test_an_interrupt_that_the_command_ignores_is_told_while_the_command_runs(run_local: RunLocal) -> None:
    # Its stderr is the file that ours is captured in; were nothing said, it would be ended and have another code.
    waiting = 'trap "" INT; kill -INT $PPID; until grep -q "ending the command" /dev/stderr; do :; done; exit 7'
    outcome = run_local("--", "sh", "-c", waiting)
    assert outcome.code == 7
    assert outcome.err.count("ending the command\n") == 1


def test_the_second_interrupt_leaves_at_once_and_leaves_nothing_behind(run_local: RunLocal) -> None:
    # As many as it takes for two to arrive apart, and no more: our pid may be somebody else's one day.
    insisting = 'echo $$; n=0; while [ $n -lt 100000 ] && [ -d "/proc/$PPID" ]; do kill -INT $PPID; n=$((n+1)); done'
    outcome = run_local("--", "sh", "-c", insisting, script="deaf")
    assert outcome.code == 130
    assert outcome.err.endswith("error: interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(outcome.out.split()[0]), 0)


def test_a_process_s_end_ends_its_trace(run_local: RunLocal) -> None:
    watched = os.posix_spawn("/bin/sleep", ["sleep", "0.3"], {})
    try:
        outcome = run_local("--pid", str(watched))
    finally:
        os.waitpid(watched, 0)
    assert outcome.code == 0
    assert outcome.notes["pids"] == [watched]
    assert "4,242" in outcome.out


def test_a_process_that_does_not_exist_is_an_error(run_local: RunLocal) -> None:
    outcome = run_local("--pid", str(2**31 - 1))
    assert outcome.code == 7
    assert "error: there is no process 2147483647" in outcome.err


def test_a_cgroup_that_does_not_exist_is_an_error(run_local: RunLocal) -> None:
    outcome = run_local("--cgroup", "/no/such.slice")
    assert outcome.code == 7
    assert 'error: there is no cgroup "/no/such.slice"' in outcome.err


@pytest.mark.skipif(os.geteuid() != 0, reason="making a cgroup needs root")
def test_processes_that_outlive_the_command_run_on_and_are_mentioned(run_local: RunLocal) -> None:
    outcome = run_local("--", "sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!")
    left = int(outcome.out.split("\n", 1)[0])
    os.kill(left, 9)
    assert outcome.code == 0
    assert "note: 1 of the processes that the command started still runs" in outcome.err


def test_a_gate_from_a_file_that_passes_leaves_the_command_s_exit_code(run_local: RunLocal, tmp_path: Path) -> None:
    (tmp_path / "gate.txt").write_text("# of the tests\nfiles.read.errors > 0\n")
    outcome = run_local("--fail-on", "@{}/gate.txt", "--", "sh", "-c", "exit 7")
    assert outcome.code == 7
    assert "\nGate\n  verdict  passed: its condition does not hold\n" in outcome.out
    assert "gate:" not in outcome.err


def test_a_gate_that_fails_is_exit_code_3_where_the_command_ended_well(run_local: RunLocal) -> None:
    outcome = run_local("--fail-on", "files.read.count > 4_000", "--", "true")
    assert outcome.code == 3
    assert "gate: failed: files.read.count > 4_000: found 4,242\nerror: the gate failed: " in outcome.err


def test_a_gate_that_fails_is_no_error_to_be_traced_back(run_local: RunLocal) -> None:
    outcome = run_local("-v", "--fail-on", "files.read.count > 4_000", "--", "true")
    assert outcome.code == 3
    assert "Traceback" not in outcome.err


def test_a_command_that_failed_keeps_its_exit_code_and_the_gate_is_told(run_local: RunLocal) -> None:
    outcome = run_local("--fail-on", "files.read.count > 4_000", "--", "sh", "-c", "exit 7")
    assert outcome.code == 7
    assert outcome.err.endswith(
        "gate: failed: files.read.count > 4_000: found 4,242\n"
        "gate: failed: its condition holds; the exit code stays 7\n"
    )


def test_a_gate_judges_a_process_that_was_running(run_local: RunLocal) -> None:
    outcome = run_local("--diagnose", "100ms", "--pid", str(os.getpid()), "--fail-on", "files.read.count > 4_000")
    assert outcome.code == 3


def test_a_lost_tracer_turns_no_gate_green(run_local: RunLocal) -> None:
    outcome = run_local("--pid", str(os.getpid()), "--fail-on", "files.read.count > 1_000_000", script="fading")
    assert outcome.code == 3
    assert "gate: not judged: files.read.count > 1_000_000: " in outcome.err
    assert "the trace is incomplete" in outcome.err


def test_a_typo_in_a_gate_starts_nothing(run_local: RunLocal, tmp_path: Path) -> None:
    (tmp_path / "gate.txt").write_text("files.read.count > 5\nfiles.reed.count > 5\n")
    outcome = run_local("--fail-on", "@{}/gate.txt", "--", "touch", "{}/marker")
    assert outcome.code == 2
    assert f'{tmp_path}/gate.txt, line 2: "files.reed.count > 5": there is no "reed" in files' in outcome.err
    assert (outcome.notes, (tmp_path / "marker").exists()) == ({}, False)
