"""The records of the topic files; what all records have in common is said in `records`."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.wire.fields import Count, Index, Text


@dataclass(frozen=True, kw_only=True)
class FileRow:
    """One file: `key` is its number here; `operations` are reads, writes, fsyncs; `total_ns` is their time."""

    scope: Index
    key: Count
    path: Text
    operations: Count
    bytes: Count
    slow: Count
    total_ns: Count
    opened: Count


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files by path; the top ones when they changed, all at the end."""

    rows: tuple[FileRow, ...]


@dataclass(frozen=True, kw_only=True)
class FailedOpenRow:
    """A path, as the program gave it, that could not be opened."""

    scope: Index
    key: Count
    path: Text
    failed: Count


@dataclass(frozen=True, kw_only=True)
class FailedOpens:
    """Paths that could not be opened, as `Files`."""

    rows: tuple[FailedOpenRow, ...]
