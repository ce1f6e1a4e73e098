"""What a shell is offered for a word, in the form that kubectl reads from a plugin's completion.

https://github.com/spf13/cobra/blob/main/site/content/completions/_index.md explains the directives; kubectl hands
them on to the shell as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntFlag
from typing import Final

from kubectl_podtrace.report.text import plain

_MAX_DESCRIPTION: Final = 80
_HARMLESS: Final = re.compile(r"[A-Za-z0-9_./@%+-][A-Za-z0-9_./@%+,:=-]*")
"""A word that needs no quotes in any shell: the shells' scripts expand or split others."""


class Directive(IntFlag):
    """How the shell is to go on, by cobra's numbers. Without `NO_FILES` it offers files when no candidate fits."""

    DEFAULT = 0
    NO_SPACE = 2
    NO_FILES = 4
    FILE_SUFFIXES = 8
    """The candidates are suffixes of files, and such files are offered."""
    DIRECTORIES = 16
    """Directories are offered; those below a candidate, if there is one."""
    KEEP_ORDER = 32
    """Since kubectl 1.28; an older one sorts."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What the word can become."""

    value: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Candidates in their order, and how the shell is to go on."""

    candidates: tuple[Candidate, ...] = ()
    directive: Directive = Directive.NO_FILES

    def narrowed(self, word: str) -> Offer:
        """Those that begin as the word does; no space follows where all of them are to be typed on."""
        if self.directive & (Directive.FILE_SUFFIXES | Directive.DIRECTORIES):
            return self
        left = tuple(
            each for each in self.candidates if each.value.startswith(word) and _HARMLESS.fullmatch(each.value)
        )
        goes_on = left and all(each.value.endswith("/") for each in left)
        return replace(self, candidates=left, directive=self.directive | (Directive.NO_SPACE if goes_on else 0))

    def to_text(self) -> str:
        """One candidate a line, `value<TAB>description`, and the directive on the last line."""
        lines = (f"{each.value}\t{_short(each.description)}".rstrip() for each in self.candidates)
        return "\n".join((*lines, f":{int(self.directive)}")) + "\n"


NOTHING: Final = Offer()


def offer(candidates: Iterable[tuple[str, str]], directive: Directive = Directive.NO_FILES) -> Offer:
    """An offer of values with their descriptions."""
    return Offer(
        candidates=tuple(Candidate(value=value, description=description) for value, description in candidates),
        directive=directive,
    )


def in_this_order(candidates: Iterable[tuple[str, str]]) -> Offer:
    """An offer that the shell is not to sort."""
    return offer(candidates, Directive.NO_FILES | Directive.KEEP_ORDER)


def _short(description: str) -> str:
    shown = plain(" ".join(description.split(" ")))
    return shown if len(shown) <= _MAX_DESCRIPTION else f"{shown[: _MAX_DESCRIPTION - 1]}…"
