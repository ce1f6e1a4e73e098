"""What goes into every HTML report: the libraries with their licences, our own scripts and styles, and their hashes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

PLACE: Final = "assets"
LIBRARIES: Final = "libraries"
MANIFEST: Final = "manifest.json"
OWN_SCRIPTS: Final = ("page.js", "tables.js", "charts.js", "flames.js", "start.js")
OWN_STYLES: Final = ("page.css", "charts.css", "print.css")


@dataclass(frozen=True, kw_only=True)
class Licence:
    """A licence's text, and what of a library is under it."""

    parts: tuple[str, ...]
    text: str


@dataclass(frozen=True, kw_only=True)
class Library:
    """A bundled file as its maintainers released it; `styles` are the hashes of style elements that it makes."""

    name: str
    version: str
    licence: str
    text: str
    styles: tuple[str, ...]
    licences: tuple[Licence, ...]


@dataclass(frozen=True, kw_only=True)
class Assets:
    """All of it, in the order in which it stands in the document."""

    libraries: tuple[Library, ...]
    scripts: tuple[str, ...]
    style: str

    @classmethod
    def none(cls) -> Assets:
        """Nothing."""
        return cls(libraries=(), scripts=(), style="")

    @property
    def policy(self) -> str:
        """The Content Security Policy: nothing but these very texts, and pictures that are part of the document."""
        scripts = [_hash(text) for text in (*(library.text for library in self.libraries), *self.scripts)]
        styles = [_hash(self.style), *(digest for library in self.libraries for digest in library.styles)]
        return "; ".join((
            "default-src 'none'",
            f"script-src {_sources(scripts)}",
            f"style-src {_sources(styles)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ))  # fmt: skip


@cache
def assets() -> Assets:
    """Those that ship with the package."""
    return Assets(
        libraries=tuple(_library(entry) for entry in manifest()),
        scripts=tuple(_text(name) for name in OWN_SCRIPTS),
        style="".join(_text(name) for name in OWN_STYLES),
    )


def manifest() -> list[dict[str, Any]]:
    """The list of the bundled files: where each is from, and what it must be."""
    found: list[dict[str, Any]] = json.loads(_text(LIBRARIES, MANIFEST))
    return found


def _library(entry: dict[str, Any]) -> Library:
    return Library(
        name=entry["name"],
        version=entry["version"],
        licence=entry["licence"],
        text=_text(LIBRARIES, entry["file"]),
        styles=tuple(entry["styles"]),
        licences=tuple(
            Licence(parts=tuple(parts), text=_text(LIBRARIES, "licences", name))
            for name, parts in entry["parts"].items()
        ),
    )


def _text(*path: str) -> str:
    return resources.files("kubectl_podtrace.report").joinpath(PLACE, *path).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _sources(hashes: Iterable[str]) -> str:
    return " ".join(f"'{digest}'" for digest in hashes) or "'none'"
