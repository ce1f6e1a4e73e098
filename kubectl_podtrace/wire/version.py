"""The version of the stream between tracer and plugin."""

# History (a change needs a line here and a replay test in tests/unit/wire):
#   1  2026-11  first version: header, scopes, probes, totals, histograms, keyed tables, events, heartbeat, trailer
WIRE_VERSION = 1
