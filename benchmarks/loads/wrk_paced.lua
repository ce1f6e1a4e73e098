-- SPDX-License-Identifier: Apache-2.0
-- wrk has no rate of its own: each connection waits `PAUSE_MS` between an answer and its next request, so that the load is the
-- same however fast the server is. At the end: one line for the benchmark.

local pause_ms = tonumber(os.getenv("PAUSE_MS"))

function delay()
    return pause_ms
end

function done(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        "requests=%d duration_us=%d p99_us=%d failed=%d\n",
        summary.requests, summary.duration, latency:percentile(99), failed
    ))
end
