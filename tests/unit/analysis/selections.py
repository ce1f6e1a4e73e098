"""Selections of everything that a stream holds."""

from __future__ import annotations

from kubectl_podtrace.analysis.fold import SERIES_OPERATIONS, Fold
from kubectl_podtrace.analysis.selection import Selection, select


def selection_of(fold: Fold, scopes: frozenset[int] | None = None) -> Selection:
    return select(
        fold.state(),
        scopes,
        start_ns=fold.started_ns,
        end_ns=fold.ended_ns,
        existing=fold.existing,
        series={name: tuple(fold.series(name, scopes)) for name in SERIES_OPERATIONS},
    )
