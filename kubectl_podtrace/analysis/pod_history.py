"""What the cluster said of the traced pod meanwhile: its containers' runs, its events, its end. Plain facts only.

Times are those that the cluster gave, most of them to the second and by the node's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class ContainerRun:
    """One run (incarnation) of a container: `number` 1 is its first in this pod. `exit_code` is None until it ended."""

    container: str
    container_id: str
    number: int
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    exit_code: int | None = None
    signal: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether the cluster said that it is over."""
        return self.exit_code is not None


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """Something that the cluster reported about the pod, `count` times from `first_at` to `last_at`."""

    reason: str
    message: str
    warning: bool
    container: str
    count: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """The pod was deleted; `asked_at` is not known where it was gone at the next look."""

    asked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PodHistory:
    """All of it; `left_out` runs and occurrences found no place. `phase` is the pod's newest, such as `Failed`."""

    phase: str = ""
    runs: tuple[ContainerRun, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    deletion: Deletion | None = None
    left_out: int = 0
