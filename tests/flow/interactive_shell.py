"""A shell on a terminal of its own, at whose prompt keys are pressed."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

WAIT_S: Final = 60.0
"""Only a failing test ever waits as long."""
_TAB, _SHOW = "\t", "\x14"
_PROMPT: Final = "ready> "
_SHOWN: Final = re.compile(rf"<<(.*?)>>.*?{_PROMPT}", re.DOTALL)
"""The line, and the next prompt: before that the terminal is not the line editor's, and edits lines itself."""
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\x07]")

BASH: Final = (
    ["bash", "--norc", "--noprofile", "-i"],
    [
        "bind 'set enable-bracketed-paste off'",
        "bind 'set show-all-if-ambiguous on'",
        "bind 'set completion-query-items 0'",
        "bind 'set page-completions off'",
        """show() { printf "<%s%s>\\n" "<$READLINE_LINE" ">"; READLINE_LINE=; }""",
        r"""bind -x '"\C-t": show'""",
        "source /usr/share/bash-completion/bash_completion",
        "source <(kubectl completion bash)",
    ],
)
ZSH: Final = (
    ["zsh", "-f", "-i"],
    [
        "unset zle_bracketed_paste",
        "LISTMAX=100000",
        "unsetopt list_ambiguous",
        "autoload -U compinit",
        "compinit -u -D",
        "source <(kubectl completion zsh)",
        'show() { zle -I; print -r -- "<<$BUFFER"">>"; BUFFER= }',
        "zle -N show",
        "bindkey '^T' show",
    ],
)


class InteractiveShell:
    """Completes lines as a person does; what the shell prints is read until it has shown its line."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._read = ""

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._terminal, text.encode())

    def completed(self, line: str, *further: str) -> tuple[str, str]:
        """The line after a TAB behind it, and behind each further text; with all that was listed meanwhile."""
        self.type(_TAB.join((line, *further)) + _TAB + _SHOW)
        printed = self.read_until(_SHOWN)
        shown = _SHOWN.search(printed)
        assert shown is not None
        return shown.group(1), printed[: shown.start()]

    def read_until(self, pattern: re.Pattern[str]) -> str:
        """What is printed up to the first match, without the terminal's control sequences."""
        while True:
            plain = _CONTROL.sub("", self._read)
            found = pattern.search(plain)
            if found is not None:
                self._read = plain[found.end() :]
                return plain[: found.end()]
            ready, _, _ = select.select([self._terminal], [], [], WAIT_S)
            assert ready, f"the shell says no more after {plain!r}"
            self._read += os.read(self._terminal, 1 << 16).decode(errors="replace")


@contextmanager
def interactive(shell: tuple[Sequence[str], Sequence[str]], environ: Mapping[str, str]) -> Iterator[InteractiveShell]:
    """The shell, ready to complete what kubectl completes."""
    command, setup = shell
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], list(command), dict(environ))
    try:
        running = InteractiveShell(terminal)
        # In halves, so that the echo of what is typed is not taken for the answer.
        running.type("\n".join([*setup, "PS1='rea''dy> '"]) + "\n")
        running.read_until(re.compile(_PROMPT))
        yield running
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
