"""The benchmarks' reading and arithmetic, without a load.

Real: every module of the benchmarks that computes; what wrk, redis-benchmark, pgbench and the kernel print.
Fake: the measured numbers. Asserted: what becomes of them. How long something takes, only `make bench` measures.
"""
