"""The version of the stream between tracer and plugin."""

# History (a change needs a line here and a replay test in tests/unit/wire):
#   1  2026-11  first version: header, scopes, probes, totals, histograms, keyed tables, events, heartbeat, trailer
#   2  2026-11  operations and tables of further topics; what tracing costs, and what was shed for it; losses, probes
#               of all topics; the request's lease, and whether somebody watches; `ping` and `ack` on the tracer's
#               stdin; lifetimes of processes; stacks, frames, functions; activity, several readings a second; waits for
#               locks; memory;
#               statements sent to databases and the libraries that they go through;
#               connections of one request, empty answers, resolver settings; who opens descriptors that leak;
#               stacks of samples and of waits off the CPU;
#               nothing of version 1 changed
WIRE_VERSION = 2
READABLE_VERSIONS = frozenset({1, 2})
"""Streams of these versions are understood."""
