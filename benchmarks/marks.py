"""What we set out to keep: CPU time of an operation to that of the untraced program, by load and kind of tracing."""

from __future__ import annotations

from typing import Final

from benchmarks.calls import PING_PONG, READ_WRITE
from benchmarks.servers import NGINX, POSTGRESQL, REDIS
from benchmarks.tracing import ANOTHER, EVERYTHING, filter_name

MARKS: Final = {
    (READ_WRITE, EVERYTHING.name): 2.5,
    (READ_WRITE, ANOTHER.name): 1.8,
    (PING_PONG, EVERYTHING.name): 1.35,
    (PING_PONG, filter_name("net")): 1.15,
    (PING_PONG, ANOTHER.name): 1.8,
}
"""Beyond one of these, the benchmark fails."""

GOALS: Final = {(NGINX, EVERYTHING.name): 1.05, (REDIS, EVERYTHING.name): 1.12, (POSTGRESQL, EVERYTHING.name): 1.05}
"""Shown beside what was measured."""

LEAST_THROUGHPUT: Final = 0.97
"""A goal for every server that is traced whole."""
