"""`kubectl podtrace local`: traces a command that it starts, a process or a cgroup of this machine."""

from __future__ import annotations

import os
import secrets
from argparse import SUPPRESS
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kubectl_podtrace.cli.flags import Parser, TraceOptions, add_trace_flags, trace_options
from kubectl_podtrace.cli.parse import parse_pid
from kubectl_podtrace.cli.progress import on_stderr
from kubectl_podtrace.errors import LocalModeError, PodtraceError, UsageError

if TYPE_CHECKING:
    from kubectl_podtrace.cli.run import Run
    from kubectl_podtrace.local.cgroup import CommandCgroup
    from kubectl_podtrace.local.command import HeldCommand
    from kubectl_podtrace.local.source import LocalSource
    from kubectl_podtrace.local.tracer import TracerFactory
    from kubectl_podtrace.report.target import TargetInfo
    from kubectl_podtrace.wire.request import CgroupTarget, ProcessTarget, TraceRequest

_SYNOPSIS = "kubectl podtrace local [flags] -- COMMAND [ARGS...]"
_USAGE = f"""{_SYNOPSIS}
       kubectl podtrace local [flags] --pid PID
       kubectl podtrace local [flags] --cgroup PATH"""
_DESCRIPTION = """Traces on this machine, without a cluster (Linux, root).
A command is held until the probes are attached; its end ends the trace. Its exit code becomes ours."""


def run(arguments: Sequence[str], tracer: TracerFactory | None) -> int:
    """Trace as the arguments after `local` say; returns the exit code."""
    flags, words = _split(arguments)
    given = make_parser().parse_intermixed_args(flags)
    if given.stray:
        raise UsageError(f'what is "{given.stray[0]}"?', "a command goes after --, as in: local -- ls -l")
    if (given.pid is not None) + (given.cgroup is not None) + bool(words) != 1:
        raise UsageError("local mode traces one thing: a command after --, --pid or --cgroup", _SYNOPSIS)
    options = trace_options(given, in_cluster=False)
    pid = None if given.pid is None else parse_pid(given.pid)
    # Only now what takes its time to import: help and refusals come at once.
    from kubectl_podtrace.local.tracer import system_tracer

    factory = tracer or system_tracer
    if words:
        return _trace_command(words, options, factory)
    if pid is not None:
        return _trace_process(pid, options, factory)
    return _trace_cgroup(given.cgroup, options, factory)


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is ours, and the command's words."""
    if "--" not in arguments:
        return list(arguments), []
    at = list(arguments).index("--")
    if at + 1 == len(arguments):
        raise UsageError("there is no command after --", _SYNOPSIS)
    return list(arguments[:at]), list(arguments[at + 1 :])


def make_parser() -> Parser:
    """What the words after `local` can be."""
    parser = Parser(prog="kubectl podtrace local", usage=_USAGE, description=_DESCRIPTION, allow_abbrev=False)
    parser.advice = "a command goes after --; see: "
    target = parser.add_argument_group("instead of a command")
    target.add_argument("--pid", metavar="PID", help="trace this process and its descendants until it ends")
    target.add_argument("--cgroup", metavar="PATH", help="trace this cgroup: a directory, or a path below a hierarchy")
    add_trace_flags(parser)
    parser.add_argument("stray", nargs="*", help=SUPPRESS)
    return parser


def _trace_command(words: Sequence[str], options: TraceOptions, factory: TracerFactory) -> int:
    from kubectl_podtrace.cli.run import Run
    from kubectl_podtrace.local.command import HeldCommand, find_command
    from kubectl_podtrace.local.source import LocalSource

    line = find_command(words)
    run = Run(options=options, progress=on_stderr(options.loudness), beside_command=True)
    with run.stoppable(), ExitStack() as stack:
        program = stack.enter_context(factory())
        command = stack.enter_context(closing(HeldCommand(line)))
        command.await_ready()
        cgroup = stack.enter_context(_own_cgroup(command, run))
        request = options.request(_command_target(command, cgroup))
        source = stack.enter_context(
            closing(
                LocalSource(
                    program=program,
                    request=request,
                    command=command,
                    on_ending=lambda: run.step("ending the command"),
                )
            )
        )
        run.target = _target_info(command, cgroup)
        try:
            run.follow(source, on_start=source.release)
        except PodtraceError:
            if not command.released:
                run.notice(f'"{words[0]}" was not run')
            raise
        _tell(run, source)
        if cgroup is not None:
            _leave(cgroup, run)
        run.target = replace(_target_info(command, cgroup), was_ended=source.command_was_ended)
        run.report()
        return run.exit_code(_exit_code(run, source, command))


def _command_target(command: HeldCommand, cgroup: CommandCgroup | None) -> CgroupTarget | ProcessTarget:
    """Without a cgroup of its own, the tracer follows each fork."""
    from kubectl_podtrace.wire.request import CgroupTarget, ProcessTarget

    return ProcessTarget(pid=command.pid) if cgroup is None else CgroupTarget(path=str(cgroup.path))


def _target_info(command: HeldCommand, cgroup: CommandCgroup | None) -> TargetInfo:
    from kubectl_podtrace.report.target import TargetInfo

    status = command.status
    return TargetInfo(
        pid=command.pid,
        cgroup=None if cgroup is None else str(cgroup.path),
        command=command.line.words,
        exit_status=None if status is None else -status.signal or status.code,
    )


def _exit_code(run: Run, source: LocalSource, command: HeldCommand) -> int:
    if source.command_was_ended and not run.was_stopped:
        # By the duration, as was asked for; or because the tracer was lost, which was not.
        return 0 if run.is_complete else PodtraceError.exit_code
    status = command.status
    assert status is not None
    return status.shell_code


def _trace_process(pid: int, options: TraceOptions, factory: TracerFactory) -> int:
    from kubectl_podtrace.report.target import TargetInfo
    from kubectl_podtrace.wire.request import ProcessTarget

    watched = _open_process(pid)
    try:
        target = TargetInfo(pid=pid, command=command_of(pid))
        return _trace_running(options.request(ProcessTarget(pid=pid)), options, factory, target, watched)
    finally:
        os.close(watched)


def _trace_cgroup(text: str, options: TraceOptions, factory: TracerFactory) -> int:
    from kubectl_podtrace.local.cgroup import find_cgroup, has_processes, mounted_hierarchies
    from kubectl_podtrace.report.target import TargetInfo
    from kubectl_podtrace.wire.request import CgroupTarget

    path = find_cgroup(text, mounted_hierarchies())
    target = TargetInfo(cgroup=str(path))
    request = options.request(CgroupTarget(path=str(path)))
    return _trace_running(request, options, factory, target, None, is_alive=lambda: has_processes(path))


def _trace_running(
    request: TraceRequest,
    options: TraceOptions,
    factory: TracerFactory,
    target: TargetInfo,
    watched: int | None,
    *,
    is_alive: Callable[[], bool | None] = lambda: None,
) -> int:
    from kubectl_podtrace.cli.run import Run
    from kubectl_podtrace.local.source import LocalSource

    run = Run(options=options, progress=on_stderr(options.loudness))
    run.target = target
    with run.stoppable(), factory() as program:
        with closing(LocalSource(program=program, request=request, watched=watched)) as source:
            run.follow(source)
        _tell(run, source)
        run.target = replace(target, is_alive=is_alive())
        run.report()
    return run.exit_code()


def _tell(run: Run, source: LocalSource) -> None:
    for notice in source.notices:
        run.notice(notice)


@contextmanager
def _own_cgroup(command: HeldCommand, run: Run) -> Iterator[CommandCgroup | None]:
    """A cgroup with the held command in it, removed at the end; None where this machine allows none."""
    from kubectl_podtrace.local.cgroup import create_here

    cgroup = create_here(f"podtrace-{os.getpid()}-{secrets.token_hex(4)}", command.pid)
    try:
        yield cgroup
    finally:
        if cgroup is not None:
            # Only what the command has left behind is left in it.
            command.close()
            _leave(cgroup, run)


def _leave(cgroup: CommandCgroup, run: Run) -> None:
    """Remove the command's cgroup; who is still in it runs on, which nobody should have to guess."""
    left = cgroup.remove()
    if left:
        verb = "runs" if left == 1 else "run"
        run.notice(f"{left} of the processes that the command started still {verb}, outside of the trace")


def _open_process(pid: int) -> int:
    """A pidfd; raises `LocalModeError`."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise LocalModeError(f"there is no process {pid}") from None
    except OSError as error:
        raise LocalModeError(
            f"process {pid} cannot be watched: {error.strerror}", "is it a thread? --pid takes a process"
        ) from None


def command_of(pid: int, proc: Path = Path("/proc")) -> tuple[str, ...]:
    """A process's command line; empty for one of the kernel's own."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return ()
    return tuple(word.decode("utf-8", "backslashreplace") for word in words)
