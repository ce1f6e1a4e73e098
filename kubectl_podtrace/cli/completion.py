"""`kubectl podtrace completion`: tells how a shell completes our commands, and installs what kubectl needs for that.

kubectl (1.26 and newer) runs `kubectl_complete-podtrace` from the PATH. pip installs that beside `kubectl-podtrace`;
krew installs one program only, so `--install` writes a few lines of shell that run the plugin itself.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from kubectl_podtrace.cli.flags import Parser
from kubectl_podtrace.errors import CompletionError, UsageError

COMPLETE: Final = "__complete"
"""The word behind `kubectl podtrace` that asks for candidates; no pod can have such a name."""
PLUGIN: Final = "kubectl-podtrace"
COMPLETER: Final = "kubectl_complete-podtrace"
_MARK: Final = "# Written by: kubectl podtrace completion --install"
_SCRIPT: Final = f"""#!/bin/sh
{_MARK}
# kubectl runs this to complete the words behind `kubectl podtrace`.
exec {PLUGIN} {COMPLETE} "$@"
"""
_PACKAGE: Final = "kubectl_podtrace"
"""What a console script imports, which pip or another installer of Python packages has made."""
_USAGE: Final = "kubectl podtrace completion [--install | --uninstall] [--dir DIR]"
_DESCRIPTION: Final = """Completes our commands in bash, zsh and fish: flags, namespaces, pods, containers, filters.
Without a flag: what is there, and what is missing."""
_SHELL_LINES: Final = {
    "bash": ("~/.bashrc; needs the package bash-completion", "source <(kubectl completion bash)"),
    "zsh": ("~/.zshrc, below compinit", "source <(kubectl completion zsh)"),
    "fish": ("~/.config/fish/config.fish", "kubectl completion fish | source"),
}


class _Owner(Enum):
    """Who made the file that completes."""

    NOBODY = auto()
    US = auto()
    PACKAGE = auto()
    STRANGER = auto()


@dataclass(frozen=True, kw_only=True)
class _Machine:
    """What matters of where we run."""

    path: str
    home: Path
    shell: str

    def found(self, program: str) -> Path | None:
        """A program on the PATH, as it stands there: krew replaces what its links lead to with each upgrade."""
        place = shutil.which(program, path=self.path)
        return None if place is None else Path(place)

    def directory(self) -> Path:
        """Beside the plugin, where that may be written; else the user's own programs."""
        plugin = self.found(PLUGIN)
        own = self.home / ".local" / "bin"
        return plugin.parent if plugin is not None and os.access(plugin.parent, os.W_OK) else own

    def is_on_path(self, directory: Path) -> bool:
        """Whether kubectl looks there."""
        return any(Path(entry).resolve() == directory.resolve() for entry in self.path.split(os.pathsep) if entry)


def run(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Do as the arguments after `completion` say; returns the exit code."""
    given = make_parser().parse_args(arguments)
    if given.install and given.uninstall:
        raise UsageError("--install and --uninstall exclude each other")
    if given.dir is not None and not (given.install or given.uninstall):
        raise UsageError("--dir says where to install or to uninstall", "add --install or --uninstall")
    machine = _machine(environ)
    directory = None if given.dir is None else Path(given.dir).expanduser().absolute()
    if given.install:
        lines = _install(machine, directory)
    elif given.uninstall:
        lines = _uninstall(machine, directory)
    else:
        lines = _explanation(machine)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def make_parser() -> Parser:
    """What the words after `completion` can be."""
    parser = Parser(prog="kubectl podtrace completion", usage=_USAGE, description=_DESCRIPTION, allow_abbrev=False)
    parser.advice = "no script of ours is needed, kubectl asks the plugin; see: "
    parser.add_argument("--install", action="store_true", help=f"write {COMPLETER}, which kubectl looks for")
    parser.add_argument("--uninstall", action="store_true", help="remove it")
    parser.add_argument("--dir", metavar="DIR", help=f"where (default: beside {PLUGIN}, else ~/.local/bin)")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more on stderr, with tracebacks")
    parser.add_argument("--version", action="store_true", help="print the version")
    return parser


def _machine(environ: Mapping[str, str]) -> _Machine:
    home = environ.get("HOME")
    return _Machine(
        path=environ.get("PATH", os.defpath),
        home=Path(home) if home else Path.home(),
        shell=Path(environ.get("SHELL", "")).name,
    )


def _install(machine: _Machine, directory: Path | None) -> list[str]:
    there = machine.found(COMPLETER)
    if directory is None and there is not None and _owner(there) is _Owner.PACKAGE:
        return [f"nothing to do: {there} came with the Python package", *_loading(machine)]
    place = (directory or machine.directory()) / COMPLETER
    match _owner(place):
        case _Owner.STRANGER:
            raise CompletionError(f"{place} is there already and is not ours", "remove it, or name another --dir")
        case _Owner.PACKAGE:
            said = f"nothing to do: {place} came with the Python package"
        case _Owner.US if _is_current(place):
            said = f"nothing to do: {place} is there"
        case _:
            _write(place)
            said = f"wrote {place}"
    return [said, *_path_remarks(machine, place), *_loading(machine)]


def _uninstall(machine: _Machine, directory: Path | None) -> list[str]:
    place = (directory or machine.directory()) / COMPLETER
    there = machine.found(COMPLETER)
    if directory is None and there is not None and _owner(place) is _Owner.NOBODY:
        place = there
    match _owner(place):
        case _Owner.NOBODY:
            return [f"nothing to do: there is no {place}"]
        case _Owner.PACKAGE:
            raise CompletionError(f"{place} came with the Python package", "it goes when that is uninstalled")
        case _Owner.STRANGER:
            raise CompletionError(f"{place} is not ours", "remove it by hand")
        case _Owner.US:
            try:
                place.unlink()
            except OSError as error:
                raise CompletionError(f"{place} cannot be removed: {error.strerror}") from error
            return [f"removed {place}"]


def _explanation(machine: _Machine) -> list[str]:
    there = machine.found(COMPLETER)
    state = f"it does: {there}" if there else "it does not yet: kubectl podtrace completion --install"
    return [
        "kubectl (1.26 and newer) completes the words behind `kubectl podtrace` when",
        f"1. it finds {COMPLETER} on the PATH",
        f"   {state}",
        "2. your shell completes kubectl itself",
        *(f"   {shell:4}  {line}   # in {file}" for shell, (file, line) in _SHELL_LINES.items()),
    ]


def _loading(machine: _Machine) -> list[str]:
    """What the user's own shell needs besides; all of them where it is not known."""
    shells = [machine.shell] if machine.shell in _SHELL_LINES else list(_SHELL_LINES)
    return [
        "kubectl (1.26 or newer) itself has to be completed by your shell; if it is not yet:",
        *(f"  {_SHELL_LINES[shell][1]}   # in {_SHELL_LINES[shell][0]}" for shell in shells),
    ]


def _path_remarks(machine: _Machine, place: Path) -> list[str]:
    remarks = []
    if not machine.is_on_path(place.parent):
        remarks.append(f"{place.parent} is not on the PATH, where kubectl looks for it: add it there")
    if machine.found(PLUGIN) is None:
        remarks.append(f"{PLUGIN} is not on the PATH, where kubectl looks for plugins")
    return remarks


def _owner(place: Path) -> _Owner:
    try:
        text = place.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        # A link that leads nowhere is in the way all the same.
        return _Owner.STRANGER if place.is_symlink() else _Owner.NOBODY
    except OSError:
        return _Owner.STRANGER
    if _MARK in text.splitlines():
        return _Owner.US
    return _Owner.PACKAGE if _PACKAGE in text else _Owner.STRANGER


def _is_current(place: Path) -> bool:
    return place.read_text(encoding="utf-8") == _SCRIPT and os.access(place, os.X_OK)


def _write(place: Path) -> None:
    """The file appears whole: kubectl may run it at any time."""
    fresh = place.with_name(f".{place.name}-{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(_SCRIPT, encoding="utf-8")
        fresh.chmod(0o755)
        fresh.replace(place)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise CompletionError(
            f"{place} cannot be written: {error.strerror}", "name a directory of the PATH that you may write: --dir DIR"
        ) from error
