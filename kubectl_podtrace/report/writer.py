"""The one place that opens files for reports: picks the renderer, writes all of it or nothing."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO, assert_never, cast

from kubectl_podtrace.errors import OutputError
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.render import Renderer
from kubectl_podtrace.report.text import plain

Format = Literal["terminal", "json", "markdown", "csv", "html", "speedscope", "folded"]


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where a report goes and in which format; `path` None is stdout."""

    format: Format = "terminal"
    path: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """What stdout is: a terminal's width (None: a pipe or a file), and whether colours may be used."""

    width: int | None = None
    color: bool = False


def check_writable(output: Output) -> None:
    """Raises OutputError now for what would fail after the trace."""
    if output.path is None:
        return
    if output.path.is_dir():
        raise OutputError(f"cannot write {plain(str(output.path))}: it is a directory", "name a file in it")
    if not output.path.parent.is_dir():
        raise OutputError(f"cannot write {plain(str(output.path))}: its directory does not exist", "create it first")
    if not os.access(output.path.parent, os.W_OK):
        raise OutputError(f"cannot write {plain(str(output.path))}: its directory is not writable")


def write_report(report: Report, output: Output, *, stdout: TextIO, page: Page) -> None:
    """Writes a report; raises OutputError. A file appears whole or not at all, and one that was there before stays."""
    text = io.StringIO()
    on_screen = output.path is None
    renderer_for(output.format, page if on_screen else Page()).render(report, text)
    if output.path is None:
        if output.format == "html" and isinstance(stdout, io.TextIOWrapper):
            # The document says of itself that it is UTF-8, and its policy has the hashes of such texts.
            stdout.reconfigure(encoding="utf-8")
        write_text(text.getvalue(), stdout)
    else:
        with replacing(output.path) as file:
            file.write(text.getvalue())


def renderer_for(name: Format, page: Page) -> Renderer:
    """The renderer of a format."""
    from kubectl_podtrace.report.render.csv_export import CsvRenderer
    from kubectl_podtrace.report.render.folded import FoldedRenderer
    from kubectl_podtrace.report.render.html import HtmlRenderer
    from kubectl_podtrace.report.render.json_export import JsonRenderer
    from kubectl_podtrace.report.render.markdown import MarkdownRenderer
    from kubectl_podtrace.report.render.speedscope import SpeedscopeRenderer
    from kubectl_podtrace.report.render.terminal import TerminalRenderer

    match name:
        case "terminal":
            return TerminalRenderer(width=page.width, color=page.color)
        case "json":
            return JsonRenderer()
        case "markdown":
            return MarkdownRenderer()
        case "csv":
            return CsvRenderer()
        case "html":
            return HtmlRenderer()
        case "speedscope":
            return SpeedscopeRenderer()
        case "folded":
            return FoldedRenderer()
        case _:
            assert_never(name)


def page_of(stdout: TextIO, *, environment: dict[str, str] | None = None) -> Page:
    """What stdout is; NO_COLOR and TERM=dumb turn colours off."""
    variables = os.environ if environment is None else environment
    if not stdout.isatty():
        return Page()
    try:
        width = os.get_terminal_size(stdout.fileno()).columns
    except (OSError, ValueError):
        width = 80
    return Page(width=width, color=not variables.get("NO_COLOR") and variables.get("TERM") != "dumb")


def write_text(text: str, stdout: TextIO) -> None:
    """Writes to a stream that may not know all characters; raises OutputError when it is closed or full."""
    encoding = getattr(stdout, "encoding", None) or "utf-8"
    try:
        stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stdout.flush()
    except OSError as error:
        raise OutputError(f"cannot write the report to stdout: {error.strerror}") from error


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A file that has this name when the block has ended well, and leaves nothing when not; raises OutputError."""
    target = path
    with suppress(OSError):
        # A link is followed: the file behind it is replaced, the link stays.
        target = path.resolve()
    temporary: Path | None = None
    try:
        if target.exists() and not target.is_file():
            # A pipe or a device cannot be replaced: it is written to.
            with target.open("w", encoding="utf-8", newline="") as file:
                yield file
            return
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=target.parent, prefix=f".{target.name[:80]}.", delete=False
        ) as file:
            temporary = Path(file.name)
            yield cast("TextIO", file)
        temporary.chmod(_mode(target))
        temporary.replace(target)
    except OSError as error:
        raise OutputError(f"cannot write {plain(str(path))}: {error.strerror}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _mode(target: Path) -> int:
    """The mode of the file that is replaced, else what the umask leaves of 0666."""
    if target.exists():
        return target.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
