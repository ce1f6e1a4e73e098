from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kubectl_podtrace.errors import CommandNotExecutableError, CommandNotFoundError
from kubectl_podtrace.local.command import CommandLine, ExitStatus, HeldCommand, find_command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="local mode is for Linux")
PATIENCE_S = 10.0


@contextmanager
def held(*words: str) -> Iterator[HeldCommand]:
    with closing(HeldCommand(find_command(words))) as command:
        command.await_ready()
        yield command


def await_end(command: HeldCommand) -> ExitStatus:
    assert select.select([command.pidfd], [], [], PATIENCE_S)[0]
    assert command.status is not None
    return command.status


def test_a_name_is_found_on_the_path_and_keeps_its_words() -> None:
    line = find_command(["sh", "-c", "exit"])
    assert Path(line.path).is_absolute()
    assert line.words == ("sh", "-c", "exit")


def test_a_relative_file_becomes_an_absolute_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert find_command(["./tool"]) == CommandLine(path=str(tmp_path / "tool"), words=("./tool",))


def test_what_cannot_be_run_is_told_apart_from_what_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("")
    with pytest.raises(CommandNotFoundError, match="no-such-command"):
        find_command(["no-such-command"])
    with pytest.raises(CommandNotFoundError):
        find_command([str(tmp_path / "missing")])
    with pytest.raises(CommandNotExecutableError, match="directory"):
        find_command([str(tmp_path)])
    with pytest.raises(CommandNotExecutableError, match="not executable"):
        find_command([str(tmp_path / "text")])


def test_a_command_does_nothing_before_its_release_and_everything_after(tmp_path: Path) -> None:
    with held("touch", str(tmp_path / "marker")) as command:
        assert command.status is None
        assert not (tmp_path / "marker").exists()
        command.release()
        assert command.exec_failure() is None
        assert await_end(command) == ExitStatus(code=0, signal=0)
    assert (tmp_path / "marker").exists()


def test_a_command_inherits_what_we_were_handed_for_it_and_nothing_of_ours(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with (tmp_path / "ours").open("w"), held("ls", "/proc/self/fd") as command:
        handed = {int(path.name) for path in Path("/proc/self/fd").iterdir() if is_inheritable(int(path.name))}
        command.release()
        await_end(command)
    seen = {int(name) for name in capfd.readouterr().out.split()}
    # The one more is ls's own, of the directory.
    assert seen > handed
    assert len(seen - handed) == 1


def is_inheritable(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:
        return False


def test_no_signal_is_ignored_for_a_command_but_those_that_we_were_told_to(capfd: pytest.CaptureFixture[str]) -> None:
    python_s, glibc_s = (signal.SIGPIPE, signal.SIGXFSZ), (32, 33)
    not_asked_for = sum(1 << (number - 1) for number in (*python_s, *glibc_s))
    ours = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("SigIgn"))
    with held("grep", "SigIgn", "/proc/self/status") as command:
        command.release()
        await_end(command)
    its = int(capfd.readouterr().out.split()[1], 16)
    # The C library's two serve its own threads, which set them anew.
    assert its & ~(3 << 31) == int(ours.split()[1], 16) & ~not_asked_for


def test_a_command_s_environment_is_the_one_that_we_were_given() -> None:
    text = (
        "from kubectl_podtrace.local.command import HeldCommand, find_command\n"
        "command = HeldCommand(find_command(['env']))\n"
        "command.await_ready(); command.release(); command.exec_failure(); command._process.wait(); command.close()\n"
    )
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3]), "ODD": "a=b"}
    done = subprocess.run([sys.executable, "-c", text], env=given, capture_output=True, text=True, check=True)
    assert dict(line.split("=", 1) for line in done.stdout.splitlines()) == given


def test_a_command_stays_in_our_session_and_process_group() -> None:
    with held("sleep", "60") as command:
        command.release()
        assert command.exec_failure() is None
        assert os.getsid(command.pid) == os.getsid(0)
        assert os.getpgid(command.pid) == os.getpgid(0)


def test_a_command_that_is_never_released_ends_with_us(tmp_path: Path) -> None:
    with held("touch", str(tmp_path / "marker")) as command:
        pid = command.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (tmp_path / "marker").exists()


def test_the_holder_ends_by_itself_when_its_channel_does(tmp_path: Path) -> None:
    command = HeldCommand(find_command(["touch", str(tmp_path / "marker")]))
    command.await_ready()
    os.close(os.dup(command.channel))
    command._channel.shutdown(2)
    assert await_end(command) == ExitStatus(code=1, signal=0)
    command.close()


def test_a_signal_before_the_release_is_the_held_one_s_end() -> None:
    with held("true") as command:
        command.send(signal.SIGINT)
        assert await_end(command).shell_code == 128 + signal.SIGINT
        command.release()


def test_what_the_kernel_will_not_execute_is_explained(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo no interpreter named")
    script.chmod(0o755)
    with held(str(script)) as command:
        command.release()
        failure = command.exec_failure()
        assert failure is not None
        assert (failure.exit_code, "-- sh" in str(failure.hint)) == (126, True)


@pytest.mark.usefixtures("deaf_to_sigterm")
def test_a_command_that_ignores_sigterm_is_killed() -> None:
    with held("sleep", "60") as command:
        command.release()
        assert command.exec_failure() is None
        command.end(0.3)
        assert command.status is not None
        assert command.status.signal == signal.SIGKILL


@pytest.mark.parametrize(("status", "code"), [(ExitStatus(code=3, signal=0), 3), (ExitStatus(code=0, signal=9), 137)])
def test_a_status_is_one_number_in_a_shell(status: ExitStatus, code: int) -> None:
    assert status.shell_code == code
