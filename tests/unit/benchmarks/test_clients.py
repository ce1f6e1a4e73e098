from __future__ import annotations

import pytest

from benchmarks.clients import p99, pgbench_answers, redis_answers, version_in, wrk_answers
from benchmarks.failure import BenchmarkError

WRK = """\
Running 2s test @ http://127.0.0.1:18080/
  1 threads and 80 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.10ms    1.02ms  14.53ms   93.51%
    Req/Sec     7.13k   315.61     7.56k    80.00%
  14212 requests in 2.00s, 17.25MB read
Requests/sec:   7098.41
Transfer/sec:      8.62MB
requests=14212 duration_us=2000000 p99_us=5175 failed=0
"""
REDIS = """\
WARNING: Could not fetch server CONFIG
"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"GET","47021.94","0.790","0.120","0.327","3.543","4.895","9.239"
"""
PGBENCH = """\
pgbench (15.18 (Debian 15.18-0+deb12u1))
transaction type: <builtin: TPC-B (sort of)>
scaling factor: 10
query mode: simple
number of clients: 4
number of threads: 1
maximum number of tries: 1
duration: 2 s
number of transactions actually processed: 602
number of failed transactions: 0 (0.000%)
latency average = 1.402 ms
latency stddev = 0.871 ms
rate limit schedule lag: avg 0.241 (max 3.118) ms
initial connection time = 8.413 ms
tps = 300.921034 (without initial connection time)
"""
PGBENCH_LOG = """\
0 1 1205 0 1795374000 101234 104
1 1 995 0 1795374000 104310 81
"""


def test_wrk_s_last_line_holds_its_numbers() -> None:
    found = wrk_answers(WRK)
    assert (found.count, found.per_s, found.p99_ns) == (14212, 7106.0, 5_175_000)


def test_redis_benchmark_says_rate_and_percentile_but_not_how_many_it_made() -> None:
    found = redis_answers(REDIS, 100_000)
    assert (found.count, found.per_s, found.p99_ns) == (100_000, 47021.94, 4_895_000)


def test_pgbench_s_percentile_is_that_of_its_log() -> None:
    found = pgbench_answers(PGBENCH, PGBENCH_LOG)
    assert (found.count, found.per_s) == (602, 300.921034)
    assert found.p99_ns == pytest.approx(995_000 + 0.99 * 210_000)


def test_requests_that_failed_are_refused() -> None:
    with pytest.raises(BenchmarkError, match="3 failed"):
        wrk_answers(WRK.replace("failed=0", "failed=3"))
    with pytest.raises(BenchmarkError, match="2 failed"):
        pgbench_answers(PGBENCH.replace("failed transactions: 0", "failed transactions: 2"), PGBENCH_LOG)


def test_a_client_that_got_no_answer_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="made 0 requests"):
        wrk_answers(WRK.replace("requests=14212", "requests=0"))


@pytest.mark.parametrize("text", ["", "unable to connect to 127.0.0.1:18080 Connection refused\n"])
def test_a_client_that_says_something_else_is_quoted(text: str) -> None:
    with pytest.raises(BenchmarkError, match=text.strip() or "wrk"):
        wrk_answers(text)
    with pytest.raises(BenchmarkError, match=text.strip() or "redis-benchmark"):
        redis_answers(text, 1)
    with pytest.raises(BenchmarkError, match=text.strip() or "pgbench"):
        pgbench_answers(text, "")


def test_the_percentile_lies_between_the_two_samples_around_it() -> None:
    assert p99([float(number) for number in range(101)]) == 99
    assert p99([0.0, 100.0]) == pytest.approx(99)
    with pytest.raises(BenchmarkError, match="1 answers"):
        p99([1.0])


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("nginx version: nginx/1.22.1", "1.22.1"),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=c1f9f3e4d4a3b8a2", "7.0.15"),
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18"),
        ("no number", "unknown"),
    ],
)
def test_a_version_is_the_first_number_with_a_dot(text: str, version: str) -> None:
    assert version_in(text) == version
