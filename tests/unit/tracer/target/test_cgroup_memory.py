from __future__ import annotations

from pathlib import Path

import pytest

from podtrace_tracer.target.cgroup_memory import MemoryReading, is_controlled, read


def write(directory: Path, **files: object) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("__", ".", 1)).write_text(f"{text}\n")
    return directory


def version_2(directory: Path, **files: object) -> Path:
    common = {
        "memory__current": 5_000, "memory__max": "max", "memory__stat": "anon 3000\ninactive_file 1200\nfile 1500",
        "memory__events": "low 0\noom 3\noom_kill 2",
    }  # fmt: skip
    return write(directory, **{**common, **files})


def test_version_2_tells_use_limit_record_and_kills(tmp_path: Path) -> None:
    cgroup = version_2(tmp_path / "pod/a", memory__max=9_000, memory__peak=7_000)
    assert is_controlled(cgroup)
    assert read(cgroup) == MemoryReading(
        limit_bytes=9_000, current_bytes=5_000, record_bytes=7_000, working_set_bytes=3_800, oom_kills=2
    )


@pytest.mark.parametrize(
    ("own", "above", "limit"), [("max", 8_000, 8_000), (9_000, 8_000, 8_000), (7_000, "max", 7_000)]
)
def test_the_lowest_limit_of_those_above_holds(own: object, above: object, limit: int, tmp_path: Path) -> None:
    version_2(tmp_path / "pod", memory__max=above)
    found = read(version_2(tmp_path / "pod/a", memory__max=own))
    assert found is not None
    assert found.limit_bytes == limit


def test_an_older_kernel_of_version_2_keeps_no_record(tmp_path: Path) -> None:
    found = read(version_2(tmp_path))
    assert found is not None
    assert (found.record_bytes, found.limit_bytes) == (0, 0)


@pytest.mark.parametrize(("limit", "shown"), [(9_000, 9_000), (9_223_372_036_854_771_712, 0)])
def test_version_1_tells_the_same(limit: int, shown: int, tmp_path: Path) -> None:
    cgroup = write(
        tmp_path,
        memory__usage_in_bytes=5_000,
        memory__max_usage_in_bytes=7_000,
        memory__stat=f"total_inactive_file 1200\nhierarchical_memory_limit {limit}",
        memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 2",
    )
    assert is_controlled(cgroup)
    assert read(cgroup) == MemoryReading(
        limit_bytes=shown, current_bytes=5_000, record_bytes=7_000, working_set_bytes=3_800, oom_kills=2
    )


def test_a_cgroup_that_has_gone_or_makes_no_sense_tells_nothing(tmp_path: Path) -> None:
    assert not is_controlled(tmp_path / "gone")
    assert read(tmp_path / "gone") is None
    assert read(version_2(tmp_path / "odd", memory__current="many")) is None
