from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cgroups import cpu_ns_of, unified_root
from benchmarks.failure import BenchmarkError

HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""


def test_cpu_time_is_the_sum_of_user_and_system_in_nanoseconds() -> None:
    assert cpu_ns_of("usage_usec 1234\nuser_usec 1000\nsystem_usec 234\nnr_periods 0\n") == 1_234_000


def test_version_2_is_found_alone_and_beside_version_1() -> None:
    assert unified_root("cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n") == Path("/sys/fs/cgroup")
    assert unified_root(HYBRID) == Path("/sys/fs/cgroup/unified")


def test_without_version_2_nothing_is_measured() -> None:
    with pytest.raises(BenchmarkError, match="no cgroup v2"):
        unified_root("cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n")
