"""Names of C++ and Rust as their programmers wrote them."""

from __future__ import annotations

import ctypes
import re
from functools import cache
from typing import Any, Final

from podtrace_tracer.symbols.rust import demangled_v0

_MAX_MANGLED: Final = 2048
"""Longer ones stay as they are: the library's reader goes as deep as a name wants it to."""
_RUST_HASH: Final = re.compile(r"::h[0-9a-f]{16}$")
_RUST_ESCAPES: Final = {
    "SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ",",
}  # fmt: skip
_RUST_ESCAPE: Final = re.compile(r"\$(\w{1,8})\$")


def demangled(name: str) -> str:
    """The name as in the source; one that is not mangled, or cannot be read, as it is."""
    plain, at, version = name.partition("@")
    if len(plain) > _MAX_MANGLED:
        return name
    if plain.startswith("_R"):
        return demangled_v0(plain) or name
    if not plain.startswith(("_Z", "__Z")):
        return name
    found = _of_cpp(plain)
    if not found:
        return name
    return _as_rust(found) if _RUST_HASH.search(found) else f"{found}{at}{version}"


def _as_rust(name: str) -> str:
    """What Rust's older mangling hides in a name of C++: a hash at the end, and characters that C++ does not allow."""
    text = _RUST_HASH.sub("", name)
    text = _RUST_ESCAPE.sub(lambda found: _escaped(found[1], found[0]), text)
    return "::".join(part.removeprefix("_") if part.startswith("_<") else part for part in text.split("::")).replace(
        "..", "::"
    )


def _escaped(word: str, whole: str) -> str:
    if word in _RUST_ESCAPES:
        return _RUST_ESCAPES[word]
    try:
        return chr(int(word[1:], 16)) if word.startswith("u") else whole
    except (ValueError, OverflowError):
        return whole


@cache
def _library() -> Any:
    """The runtime library of C++, which bcc needs, too; None where there is none."""
    try:
        library = ctypes.CDLL("libstdc++.so.6")
        library.__cxa_demangle.restype = ctypes.c_void_p
        library.__cxa_demangle.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        library.free.restype = None
        library.free.argtypes = [ctypes.c_void_p]
    except (OSError, AttributeError):
        return None
    return library


def _of_cpp(name: str) -> str:
    library = _library()
    if library is None:
        return ""
    status = ctypes.c_int(1)
    place = library.__cxa_demangle(name.encode(), None, None, ctypes.byref(status))
    if not place:
        return ""
    try:
        return ctypes.string_at(place).decode("utf-8", "backslashreplace")
    finally:
        library.free(place)
