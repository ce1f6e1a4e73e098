"""A command line that is still being typed: its verb, its flags with their values, and the word under the cursor.

Which flags there are and which take a value is asked of the verbs' own parsers: there is no second list.
"""

from __future__ import annotations

from argparse import Action, ArgumentParser
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.cli import check, clean, completion, local, trace

VERBS: Final[Mapping[str, Callable[[], ArgumentParser]]] = {
    "local": local.make_parser,
    "check": check.make_parser,
    "clean": clean.make_parser,
    "completion": completion.make_parser,
}


@dataclass(frozen=True, kw_only=True)
class Typed:
    """What stands before the cursor, and `word`, at whose end it is.

    `verb` is empty for a trace; `words` are those that are neither flags nor their values; `behind_dashes` are those
    behind `--`, None without it. Where a flag's value is typed, `flag` is that flag and `word` the value alone.
    """

    verb: str
    parser: ArgumentParser
    word: str
    flag: Action | None
    used: frozenset[str]
    values: Mapping[str, str]
    words: tuple[str, ...]
    behind_dashes: tuple[str, ...] | None

    @property
    def is_first_word(self) -> bool:
        """Whether nothing stands before the word, so that it may become a verb."""
        return not (self.verb or self.used or self.words) and self.behind_dashes is None


def read(line: Sequence[str]) -> Typed:
    """Read the words behind `kubectl podtrace`; the last one, which may be empty, is the one that is being typed."""
    *before, word = line or [""]
    verb = before[0] if before and before[0] in VERBS else ""
    reader = _Reader(VERBS[verb]() if verb else trace.make_parser())
    for each in before[1:] if verb else before:
        reader.take(each)
    return reader.result(verb, word)


def flags_of(parser: ArgumentParser) -> Mapping[str, Action]:
    """Each spelling of each flag."""
    return {spelling: action for action in parser._actions for spelling in action.option_strings}


def excluded_by(used: Collection[str], parser: ArgumentParser) -> set[str]:
    """The flags, by `dest`, that cannot stand beside those that are used."""
    groups = ({action.dest for action in group._group_actions} for group in parser._mutually_exclusive_groups)
    return set().union(*(group for group in groups if group & set(used)))


def takes_value(flag: Action) -> bool:
    """Whether a word follows the flag."""
    return flag.nargs != 0


class _Reader:
    """Takes the words as argparse will take them, and remembers whose value is still missing."""

    def __init__(self, parser: ArgumentParser) -> None:
        self._parser = parser
        self._flags = flags_of(parser)
        self._awaiting: Action | None = None
        self._used: set[str] = set()
        self._values: dict[str, str] = {}
        self._words: list[str] = []
        self._behind_dashes: list[str] | None = None

    def take(self, word: str) -> None:
        """One more word that is typed whole."""
        if self._behind_dashes is not None:
            self._behind_dashes.append(word)
        elif self._awaiting is not None:
            self._values[self._awaiting.dest] = word
            self._awaiting = None
        elif word == "--":
            self._behind_dashes = []
        elif word.startswith("-") and word != "-":
            self._take_flag(word)
        else:
            self._words.append(word)

    def result(self, verb: str, word: str) -> Typed:
        """All that was taken, with the last word."""
        flag = self._awaiting
        spelling, equals, value = word.partition("=")
        found = self._flags.get(spelling)
        if flag is None and self._behind_dashes is None and equals and found is not None and takes_value(found):
            flag, word = found, value
        return Typed(
            verb=verb,
            parser=self._parser,
            word=word,
            flag=flag,
            used=frozenset(self._used),
            values=self._values,
            words=tuple(self._words),
            behind_dashes=None if self._behind_dashes is None else tuple(self._behind_dashes),
        )

    def _take_flag(self, word: str) -> None:
        spelling, equals, value = word.partition("=")
        flag = self._flags.get(spelling)
        if flag is not None:
            self._use(flag, value if equals else None)
        elif not word.startswith("--"):
            self._take_letters(word[1:])

    def _take_letters(self, letters: str) -> None:
        """Short flags in one word, as in `-vnshop`: the first that takes a value has all that follows."""
        for at, letter in enumerate(letters, start=1):
            flag = self._flags.get(f"-{letter}")
            if flag is None:
                return
            self._use(flag, letters[at:] or None)
            if takes_value(flag):
                return

    def _use(self, flag: Action, value: str | None) -> None:
        self._used.add(flag.dest)
        if not takes_value(flag):
            return
        if value is None:
            self._awaiting = flag
        else:
            self._values[flag.dest] = value
