"""What ends a benchmark before its end."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A number could not be measured; the text says why."""
