from __future__ import annotations

from pathlib import Path

import pytest

from podtrace_tracer.kernel.host import Host
from podtrace_tracer.target.controllers import directories_of_cgroup, directories_of_process
from podtrace_tracer.target.throttling import Counters, counters_in, file_in, read

V2 = "usage_usec 70\nuser_usec 60\nsystem_usec 10\nnr_periods 30\nnr_throttled 4\nthrottled_usec 5\nnr_bursts 0\n"
V1 = "nr_periods 30\nnr_throttled 4\nthrottled_time 5000\n"
WITHOUT_CONTROLLER = "usage_usec 70\nuser_usec 60\nsystem_usec 10\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A node without any hierarchy yet."""
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    return Host(root=tmp_path, release="6.1.0", machine="x86_64", is_root=True)


def hierarchy(host: Host, name: str, *, statistics: str | None, v2: bool = False) -> Path:
    """A hierarchy with one cgroup, `pods/a`; returns that."""
    root = host.cgroups / name
    cgroup = root / "pods/a"
    cgroup.mkdir(parents=True)
    for file in ("cgroup.procs", *(["cgroup.controllers"] if v2 else [])):
        (root / file).touch()
    if statistics is not None:
        (cgroup / "cpu.stat").write_text(statistics)
    return cgroup


def test_both_versions_of_the_file_say_the_same() -> None:
    expected = Counters(periods=30, throttled=4, total_ns=5_000)
    assert counters_in(V2) == counters_in(V1) == expected
    assert expected.since(Counters(periods=10, throttled=4, total_ns=1)) == Counters(periods=20, total_ns=4_999)


def test_a_cgroup_without_the_controller_has_no_counters() -> None:
    assert counters_in(WITHOUT_CONTROLLER) is None


@pytest.mark.parametrize("text", [None, "nr_periods many\n"])
def test_a_file_that_has_gone_or_makes_no_sense_has_none(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "cpu.stat"
    if text:
        file.write_text(text)
    assert read(file) is None


def test_a_cgroup_s_own_file_is_taken_where_its_hierarchy_has_the_controller(host: Host) -> None:
    cgroup = hierarchy(host, "", statistics=V2, v2=True)
    assert file_in(directories_of_cgroup(cgroup, host)) == cgroup / "cpu.stat"


@pytest.mark.parametrize("name", ["cpu", "cpu,cpuacct"])
def test_the_same_path_of_the_other_hierarchy_is_taken_where_that_has_the_controller(host: Host, name: str) -> None:
    cgroup = hierarchy(host, "unified", statistics=WITHOUT_CONTROLLER, v2=True)
    pids = hierarchy(host, "pids", statistics=None)
    limited = hierarchy(host, name, statistics=V1)
    assert (
        file_in(directories_of_cgroup(cgroup, host))
        == file_in(directories_of_cgroup(pids, host))
        == limited / "cpu.stat"
    )


def test_no_hierarchy_with_the_controller_is_no_file(host: Host) -> None:
    assert (
        file_in(directories_of_cgroup(hierarchy(host, "unified", statistics=WITHOUT_CONTROLLER, v2=True), host)) is None
    )


def test_a_process_s_cgroups_are_read_from_proc(host: Host) -> None:
    limited = hierarchy(host, "cpu", statistics=V1)
    (host.proc / "7").mkdir(parents=True)
    (host.proc / "7/cgroup").write_text("4:pids:/\n1:cpu:/pods/a\n0::/\n")
    assert file_in(directories_of_process(7, host)) == limited / "cpu.stat"
    assert file_in(directories_of_process(8, host)) is None
