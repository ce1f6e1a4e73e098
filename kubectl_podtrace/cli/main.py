"""From argv to an exit code: picks the verb, and turns every way in which it ends into text on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from kubectl_podtrace import __version__
from kubectl_podtrace.cli import check, clean, complete, completion, local, trace
from kubectl_podtrace.cli.progress import printable
from kubectl_podtrace.errors import GateFailedError, InterruptedRunError, PodtraceError

if TYPE_CHECKING:
    from kubectl_podtrace.local.tracer import TracerFactory

PIPE_EXIT_CODE: Final = 141
"""What a shell shows for a program that SIGPIPE ended, as happens to `... | head`."""
_VERBOSE: Final = ("-v", "--verbose")


def entry_point() -> NoReturn:
    """What the console script calls."""
    sys.exit(main())


def main(argv: Sequence[str] | None = None, *, local_tracer: TracerFactory | None = None) -> int:
    """Run one command line and return its exit code; `local_tracer` takes the place of the system's tracer."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == [completion.COMPLETE]:
        return complete.run(arguments[1:])
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    verbose = any(flag in own for flag in _VERBOSE)
    try:
        code = _run(arguments, own, local_tracer)
        sys.stdout.flush()
        return code
    except PodtraceError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            _forget_stdout()
            return PIPE_EXIT_CODE
        # A gate that fails is an answer: where it was given is of no interest.
        _print_traceback(verbose and not isinstance(error, GateFailedError))
        _say("error", error.message)
        if error.hint:
            _say("hint", error.hint)
        return error.exit_code
    except BrokenPipeError:
        _forget_stdout()
        return PIPE_EXIT_CODE
    except KeyboardInterrupt:
        _say("error", "interrupted")
        return InterruptedRunError.exit_code
    except Exception as error:  # noqa: BLE001  # the last place that can say anything about it
        _print_traceback(verbose)
        _say("error", f"this is a defect of kubectl-podtrace: {type(error).__name__}: {error}")
        if not verbose:
            _say("hint", "run again with -v to see where it happened")
        return PodtraceError.exit_code


def _run(arguments: list[str], own: list[str], local_tracer: TracerFactory | None) -> int:
    if "--version" in own:
        sys.stdout.write(f"kubectl-podtrace {__version__}\n")
        return 0
    try:
        match own[:1]:
            case ["local"]:
                return local.run(arguments[1:], local_tracer)
            case ["check"]:
                return check.run(arguments[1:])
            case ["clean"]:
                return clean.run(arguments[1:])
            case ["completion"]:
                return completion.run(arguments[1:])
            case _:
                return trace.run(arguments)
    except SystemExit as end:
        # argparse has printed its help.
        return end.code if isinstance(end.code, int) else 0


def _say(label: str, text: str) -> None:
    sys.stderr.write(f"{label}: {printable(text)}\n")


def _print_traceback(verbose: bool) -> None:
    if verbose:
        import traceback

        traceback.print_exc()


def _forget_stdout() -> None:
    """The interpreter flushes stdout once more at its end, and must not fail there."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
