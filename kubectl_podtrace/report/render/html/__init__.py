"""The report as one HTML file that needs nothing else: no network, no other file.

Names reach it as text only: Jinja escapes what stands in the document, and what scripts read is JSON in which no
character can end its element. The document's own Content Security Policy allows the scripts and styles that are in it,
by their hashes, and nothing from anywhere else.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TextIO

from kubectl_podtrace import units
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.render.html.assets import Assets, assets
from kubectl_podtrace.report.render.html.page import Page, page
from kubectl_podtrace.report.render.html.tables import payload
from kubectl_podtrace.report.render.json_export import plain_object
from kubectl_podtrace.report.text import plain

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE: Final = "html/report.html.j2"
LONGEST_PLAIN: Final = 300_000
"""Longer JSON is packed, to a fifth or less."""
_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class HtmlRenderer:
    """Fills the template; a `bare` document has neither scripts and their data nor styles, as some readers see it."""

    def __init__(self, *, bare: bool = False) -> None:
        self._bare = bare

    def render(self, report: Report, out: TextIO) -> None:
        """Writes the document."""
        found = page(report)
        bundled = Assets.none() if self._bare else assets()
        data = None if self._bare else embedded(json_for_scripts(_data(found)))
        template = _environment().get_template(TEMPLATE)
        out.write(template.render(page=found, assets=bundled, data=data, policy=bundled.policy))


def json_for_scripts(value: Any) -> str:
    r"""A value as JSON whose text can neither end the element that it stands in nor be taken for markup.

    >>> json_for_scripts("</script>&")
    '"\\u003c/script\\u003e\\u0026"'
    """
    text = json.dumps(_harmless(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "".join(_ESCAPES.get(character, character) for character in text)


@dataclass(frozen=True, kw_only=True)
class Data:
    """What the scripts read, as it stands in the document: JSON, or that deflated and in base64."""

    text: str
    is_packed: bool


def embedded(text: str) -> Data:
    """JSON as it is, so that anybody can read it; packed where it is so long that nobody would."""
    if len(text) <= LONGEST_PLAIN:
        return Data(text=text, is_packed=False)
    return Data(text=base64.b64encode(zlib.compress(text.encode(), 9)).decode(), is_packed=True)


def _data(found: Page) -> dict[str, Any]:
    """What the scripts read: the rows of the tables and the numbers of the charts, by the ids of their elements."""
    return {
        "tables": {each.id: payload(each.table) for part in found.parts for each in part.tables},
        "charts": {each.id: plain_object(each.chart) for part in found.parts for each in part.charts},
    }


def _harmless(value: Any) -> Any:
    """The same with every text in it made of visible characters."""
    match value:
        case str():
            return plain(value)
        case dict():
            return {plain(key): _harmless(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_harmless(inner) for inner in value]
        case _:
            return value


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    def visible(value: object) -> object:
        """Before it is escaped, text is made of visible characters."""
        return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("kubectl_podtrace.report"),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # What is written as it is: our own files, and JSON that was made fit for it.
    environment.filters["verbatim"] = Markup
    # The text of a licence has lines.
    environment.filters["verbatim_text"] = escape
    environment.filters["clock"] = units.clock
    return environment
