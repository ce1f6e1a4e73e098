"""Numbers that stop in the middle of a trace, because what they rest on cost the node too much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Partial:
    """Some numbers hold what happened before `until`; `lacks` says in words what was not counted from then on."""

    until: datetime
    lacks: str
