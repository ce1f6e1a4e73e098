"""Selections of everything that a stream holds."""

from __future__ import annotations

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.analysis.growth import GROUPS
from kubectl_podtrace.analysis.selection import Selection, select
from kubectl_podtrace.wire.topics import EVENT_OPERATIONS


def selection_of(fold: Fold, scopes: frozenset[int] | None = None) -> Selection:
    return select(
        fold.state(),
        scopes,
        start_ns=fold.started_ns,
        end_ns=fold.ended_ns,
        existing=fold.existing,
        growth={group: fold.activity.growth(group, scopes, EVENT_OPERATIONS) for group in GROUPS},
    )
