from __future__ import annotations

import os
from pathlib import Path

from podtrace_tracer.target.descriptor_table import inner_pid, read_table, tells_sizes
from tests.unit.tracer.proc_tree import TICK_NS, add_process, add_thread

EACH_KIND = {
    0: "/dev/null", 1: "pipe:[11]", 2: "/var/log/shop (deleted)", 3: "socket:[12]", 4: "anon_inode:[eventpoll]",
    5: "/memfd:cache (deleted)", 6: "net:[4026531833]", 7: "anon_inode:bpf-map",
}  # fmt: skip


def test_a_process_s_descriptors_are_told_by_kind_with_its_name_start_and_limit(tmp_path: Path) -> None:
    add_process(tmp_path, 40, EACH_KIND, comm="a) (b", ticks=321, limit="65536")
    found = read_table(tmp_path, 40, most=100, has_sizes=False)
    assert found is not None
    assert found.kinds == {"file": 2, "pipe": 1, "socket": 1, "other": 4}
    assert (found.pid, found.comm, found.start_ns, found.limit, found.sampled) == (
        40,
        "a) (b",
        321 * TICK_NS,
        65_536,
        0,
    )


def test_a_table_that_is_too_large_is_estimated_from_an_even_sample(tmp_path: Path) -> None:
    links = {number: "socket:[1]" if number % 8 else "/dev/null" for number in range(1_000)}
    add_process(tmp_path, 40, links, table_size=1_024)
    found = read_table(tmp_path, 40, most=100, has_sizes=False)
    assert found is not None
    assert 80 <= found.sampled <= 100
    assert 950 <= found.kinds.total() <= 1_050
    assert found.kinds["socket"] > 800


def test_a_sample_is_scaled_to_the_exact_number_where_the_kernel_tells_it(tmp_path: Path) -> None:
    """The size of a directory stands for the number of descriptors: whatever it is here, the kinds add up to it."""
    add_process(tmp_path, 40, dict.fromkeys(range(50), "socket:[1]"))
    size = (tmp_path / "40/fd").stat().st_size
    found = read_table(tmp_path, 40, most=10, has_sizes=True)
    assert found is not None
    assert found.kinds == {"socket": size}
    assert 0 < found.sampled <= 10


def test_a_table_of_which_the_sample_met_nothing_is_of_no_known_kind(tmp_path: Path) -> None:
    add_process(tmp_path, 40, dict.fromkeys(range(1, 30), "/dev/null"), table_size=32)
    found = read_table(tmp_path, 40, most=1, has_sizes=True)
    assert found is not None
    assert set(found.kinds) == {"other"}


def test_a_process_that_has_ended_has_no_table(tmp_path: Path) -> None:
    add_process(tmp_path, 40, {}, state="Z")
    (tmp_path / "40/task").mkdir()
    assert read_table(tmp_path, 40, most=10, has_sizes=False) is None
    assert read_table(tmp_path, 41, most=10, has_sizes=False) is None


def test_a_process_whose_first_thread_has_ended_has_the_table_of_another(tmp_path: Path) -> None:
    add_process(tmp_path, 40, {}, state="Z")
    add_thread(tmp_path, 40, 40, {}, state="Z")
    add_thread(tmp_path, 40, 42, {0: "socket:[1]"})
    found = read_table(tmp_path, 40, most=10, has_sizes=False)
    assert found is not None
    assert found.kinds == {"socket": 1}


def test_what_proc_does_not_tell_is_not_made_up(tmp_path: Path) -> None:
    add_process(tmp_path, 40, {}, limit="unlimited")
    found = read_table(tmp_path, 40, most=10, has_sizes=False)
    assert found is not None
    assert (found.limit, inner_pid(tmp_path, 40)) == (0, 7)
    (tmp_path / "40/limits").unlink()
    (tmp_path / "40/status").unlink()
    found = read_table(tmp_path, 40, most=10, has_sizes=False)
    assert found is not None
    assert (found.limit, inner_pid(tmp_path, 40)) == (0, 40)


def test_this_process_is_read_as_it_is(tmp_path: Path) -> None:
    proc = Path("/proc")
    read, write = os.pipe()
    try:
        before = read_table(proc, os.getpid(), most=10_000, has_sizes=tells_sizes(proc))
        more = [os.dup(read) for _ in range(5)]
        after = read_table(proc, os.getpid(), most=10_000, has_sizes=tells_sizes(proc))
    finally:
        for descriptor in (read, write, *more):
            os.close(descriptor)
    assert before is not None
    assert after is not None
    assert after.kinds - before.kinds == {"pipe": 5}
    assert tells_sizes(tmp_path) is False
