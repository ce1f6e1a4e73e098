"""The records of what tracing costs the node, and of what was given up to keep that small."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.wire.fields import Count, OperationName, Text, Topic


@dataclass(frozen=True, kw_only=True)
class ProgramCostRow:
    """What a probe's program took: its runs and their time, the programs that it calls at its end included.

    `misses` are events that it did not see, because it was interrupted by its own tracepoint; they are counted, not
    estimated.
    """

    program: Text
    runs: Count
    run_ns: Count
    misses: Count


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What tracing has taken of the node in the `wall_ns` since the trace began.

    The kernel measured the programs for `measured_ns` of that; `runs` and `run_ns` are estimates from these samples for
    the whole time. `tracer_ns` is the tracer's own CPU time, exact. `cpus` are those of the node.
    """

    wall_ns: Count
    measured_ns: Count
    cpus: Count
    tracer_ns: Count
    rows: tuple[ProgramCostRow, ...]


@dataclass(frozen=True, kw_only=True)
class Shed:
    """What is not counted from a moment on (`shed_ns`), because tracing cost more than it may.

    `lacks` says what, `operations` names what is counted no more at all, `topics` those whose numbers are partial;
    `probes` were detached or given less to do. Shares are millionths of the node's CPU time: of all tracing, what it
    may be, and what the `probes` took.
    """

    shed_ns: Count
    probes: tuple[Text, ...]
    topics: tuple[Topic, ...]
    operations: tuple[OperationName, ...]
    lacks: Text
    overhead_ppm: Count
    limit_ppm: Count
    cost_ppm: Count
