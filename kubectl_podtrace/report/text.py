"""Makes text from outside harmless: what a container can put into a name must not steer a terminal or a document.

Every renderer passes every string through one of these; `plain` is idempotent on its own output's characters.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
"""Controls, invisible formatting (bidirectional, zero-width), surrogates, private, unassigned, separators, spaces."""
_SPACE: Final = " "
_MARKDOWN: Final = re.compile(r"([\\`*_\[\]<#|~&$^]|:(?=//))")
_FORMULA: Final = re.compile("[=+\\-@\uff1d\uff0b\uff0d\uff20]")
_AFTER_SEPARATOR: Final = re.compile(f";(?=[ \"']*{_FORMULA.pattern})")
_MENTION: Final = re.compile(r"@")
_MAX_COMBINING: Final = 2


def plain(text: str) -> str:
    r"""One line of visible characters: whatever is invisible or moves the cursor is written as an escape.

    >>> plain("a\x1b[31mb\nc")
    'a\\x1b[31mb\\nc'
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    combining = 0
    for character in text:
        combining = combining + 1 if unicodedata.combining(character) else 0
        hidden = character != _SPACE and (unicodedata.category(character) in _HIDDEN or combining > _MAX_COMBINING)
        shown.append(_escape(character) if hidden else character)
    return "".join(shown)


def markdown(text: str) -> str:
    r"""Text that Markdown shows as it is, in a paragraph or a table's cell, without links, HTML or mentions.

    >>> markdown("a|b <i>@you")
    'a\\|b \\<i>&#64;&#8203;you'
    """
    escaped = _MARKDOWN.sub(r"\\\1", plain(text)).replace("www.", r"www\.")
    return _MENTION.sub("&#64;&#8203;", escaped)


def markdown_code(text: str) -> str:
    r"""Text as a code span that fits a table's cell: the fence is longer than any run of backticks within.

    >>> markdown_code("/tmp/a|b"), markdown_code("a`b")
    ('`/tmp/a\\|b`', '`` a`b ``')
    """
    shown = plain(text).replace("|", r"\|")
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest or not shown.strip() or shown != shown.strip() else ""
    return f"{fence}{pad}{shown or ' '}{pad}{fence}"


def spreadsheet(text: str) -> str:
    r"""Text for a cell that no spreadsheet takes for a formula, also where it cuts lines at semicolons.

    >>> spreadsheet("=1+1"), spreadsheet(" @a"), spreadsheet("a;-1"), spreadsheet("a-b\n=c"), spreadsheet("GET /")
    ("'=1+1", "' @a", "a;'-1", 'a-b\\n=c', 'GET /')
    """
    shown = _AFTER_SEPARATOR.sub(";'", plain(text))
    return f"'{shown}" if _FORMULA.match(shown.lstrip(" \"'")) else shown


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
