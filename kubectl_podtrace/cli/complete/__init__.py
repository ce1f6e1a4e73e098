"""`kubectl_complete-podtrace`: what kubectl (1.26 and newer) runs to complete the words behind `kubectl podtrace`.

Its arguments are these words, the last one as far as it is typed; it prints candidates and a directive (see
`offer.py`). Whatever goes wrong it prints no candidates: an error's text would stand in the middle of the line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Final, NoReturn

PATIENCE_S: Final = 2.0
"""How long a cluster may take to answer, with all that is done to ask it."""


def entry_point() -> NoReturn:
    """What the console script calls."""
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str], *, patience_s: float = PATIENCE_S) -> int:
    """Print what the last word can become; returns the exit code, which is always 0."""
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            text = _text(words, patience_s)
        encoding = sys.stdout.encoding
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    except BaseException:  # noqa: BLE001  # Ctrl+C while it is asked is no reason for a traceback either
        text = ":4\n"
    sys.stdout.write(text)
    return 0


def _text(words: Sequence[str], patience_s: float) -> str:
    from kubectl_podtrace.cli.complete.candidates import Surroundings, offer_for
    from kubectl_podtrace.cli.complete.typed import read

    typed = read(words)
    found = offer_for(typed, Surroundings(environ=os.environ, patience_s=patience_s))
    return found.narrowed(typed.word).to_text()
