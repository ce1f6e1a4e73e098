"""Remote ends as one writes them."""

from __future__ import annotations


def endpoint(address: str, port: int) -> str:
    """An address and its port.

    >>> endpoint("10.96.0.10", 53), endpoint("fd00::17", 8080)
    ('10.96.0.10:53', '[fd00::17]:8080')
    """
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
