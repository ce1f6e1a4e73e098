from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_podtrace.errors import LocalModeError
from kubectl_podtrace.local.cgroup import create, create_here, find_cgroup, parents, read_hierarchies

HYBRID = """\
22 28 0:21 / /proc rw,relatime shared:12 - proc proc rw
30 23 0:26 / /sys/fs/cgroup ro,nosuid shared:4 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:5 - cgroup2 cgroup2 rw
33 30 0:29 / /sys/fs/cgroup/systemd rw,nosuid shared:6 - cgroup cgroup rw,xattr,name=systemd
35 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:8 - cgroup cgroup rw,cpu,cpuacct
36 30 0:32 / /sys/fs/cgroup/pids rw,nosuid shared:9 - cgroup cgroup rw,pids
37 30 0:33 / /sys/fs/cgroup/cpuset rw,nosuid shared:9 - cgroup cgroup rw,cpuset
"""
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
IN_CONTAINER = "30 23 0:26 /kubepods/pod1 /sys/fs/cg\\040roup rw - cgroup2 cgroup rw\n"


def places(mountinfo: str, own: str) -> list[str]:
    return [str(path) for path in parents(read_hierarchies(mountinfo), own)]


def test_the_only_hierarchy_of_a_newer_machine_is_used_below_our_own_cgroup() -> None:
    assert places(V2, "0::/user.slice/session-1.scope\n") == [
        "/sys/fs/cgroup/user.slice/session-1.scope",
        "/sys/fs/cgroup",
    ]


def test_a_hybrid_machine_s_unified_hierarchy_comes_first_and_cpuset_and_named_ones_never() -> None:
    own = "9:name=systemd:/init.scope\n8:pids:/jobs\n4:cpu,cpuacct:/\n0::/init.scope\n"
    assert places(HYBRID, own) == [
        "/sys/fs/cgroup/unified/init.scope",
        "/sys/fs/cgroup/unified",
        "/sys/fs/cgroup/pids/jobs",
        "/sys/fs/cgroup/pids",
        "/sys/fs/cgroup/cpu,cpuacct",
    ]


def test_a_part_of_a_hierarchy_is_mounted_where_it_is_and_not_higher() -> None:
    assert places(IN_CONTAINER, "0::/kubepods/pod1/job\n") == ["/sys/fs/cg roup/job", "/sys/fs/cg roup"]
    assert places(IN_CONTAINER, "0::/elsewhere\n") == ["/sys/fs/cg roup"]


@pytest.mark.parametrize("text", ["", "garbage\n", "1 2 3 - \n", "1 2 3 4 5 6 - cgroup2\n"])
def test_a_machine_without_cgroups_offers_no_place(text: str) -> None:
    assert places(text, "0::/\n") == []


def test_where_no_cgroup_can_be_made_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert create(iter([tmp_path / "file"]), "podtrace", os.getpid()) is None


def test_a_directory_that_takes_no_process_is_not_left_behind(tmp_path: Path) -> None:
    def unusable() -> Iterator[Path]:
        yield tmp_path

    # A directory that is no cgroup: its "cgroup.procs" is a plain file, which keeps it from being removed.
    made = create(unusable(), "podtrace", os.getpid())
    assert made is not None
    assert (made.path / "cgroup.procs").read_text() == f"{os.getpid()}\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="making a cgroup needs root")
class TestOnThisMachine:
    @pytest.fixture
    def sleeper(self) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(["sleep", "60"]) as process:
            yield process
            process.kill()

    def test_a_process_is_moved_into_a_new_cgroup(self, sleeper: subprocess.Popen[bytes]) -> None:
        cgroup = create_here(f"podtrace-test-{os.getpid()}", sleeper.pid)
        assert cgroup is not None
        assert cgroup.path.name in Path(f"/proc/{sleeper.pid}/cgroup").read_text()
        sleeper.kill()
        sleeper.wait()
        assert cgroup.remove() == 0
        assert not cgroup.path.exists()

    def test_who_is_still_in_it_is_moved_up_and_lives_on(self, sleeper: subprocess.Popen[bytes]) -> None:
        cgroup = create_here(f"podtrace-test-{os.getpid()}", sleeper.pid)
        assert cgroup is not None
        (cgroup.path / "nested").mkdir()
        (cgroup.path / "nested" / "cgroup.procs").write_text(str(sleeper.pid))
        assert cgroup.remove() == 1
        assert not cgroup.path.exists()
        assert sleeper.poll() is None
        assert cgroup.remove() == 0


def test_a_cgroup_is_found_by_directory_and_by_its_path_below_a_hierarchy(tmp_path: Path) -> None:
    directory = tmp_path / "system.slice" / "nginx.service"
    directory.mkdir(parents=True)
    (directory / "cgroup.procs").touch()
    hierarchies = read_hierarchies(f"30 23 0:26 / {tmp_path} rw - cgroup2 cgroup2 rw\n")
    assert find_cgroup(str(directory), hierarchies) == directory
    assert find_cgroup("/system.slice/nginx.service", hierarchies) == directory
    assert find_cgroup("system.slice/nginx.service", hierarchies) == directory
    with pytest.raises(LocalModeError, match="no cgroup"):
        find_cgroup("/system.slice", hierarchies)


@pytest.mark.parametrize("text", ["/", ".", "{top}", "{top}/"])
def test_the_top_of_a_hierarchy_is_everything_and_is_refused_in_plain_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "cgroup.procs").touch()
    hierarchies = read_hierarchies(f"30 23 0:26 / {tmp_path} rw - cgroup2 cgroup2 rw\n")
    with pytest.raises(LocalModeError, match="everything on this machine is in it"):
        find_cgroup(text.format(top=tmp_path), hierarchies)


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_name_is_no_cgroup(tmp_path: Path, text: str) -> None:
    (tmp_path / "cgroup.procs").touch()
    hierarchies = read_hierarchies(f"30 23 0:26 / {tmp_path} rw - cgroup2 cgroup2 rw\n")
    with pytest.raises(LocalModeError, match="names no cgroup"):
        find_cgroup(text, hierarchies)
