from __future__ import annotations

from benchmarks.calls import PING_PONG, READ_WRITE
from benchmarks.marks import GOALS, MARKS
from benchmarks.servers import NGINX, POSTGRESQL, REDIS
from benchmarks.tracing import EVERYTHING, MODES, Processors, cpu_ticks, status_bytes
from kubectl_podtrace.wire.topics import FILTERS, TOPICS


def test_every_filter_is_a_kind_of_tracing_of_its_own() -> None:
    topics = {mode.name: mode.topics for mode in MODES if not mode.elsewhere}
    assert topics[EVERYTHING.name] == TOPICS
    assert {f"`--filter {name}`": chosen for name, chosen in FILTERS.items()}.items() <= topics.items()
    assert len({mode.name for mode in MODES}) == len(MODES)


def test_every_mark_and_goal_names_a_load_and_a_kind_of_tracing_that_exist() -> None:
    modes = {mode.name for mode in MODES}
    assert {load for load, _ in MARKS} == {READ_WRITE, PING_PONG}
    assert {load for load, _ in GOALS} == {NGINX, REDIS, POSTGRESQL}
    assert {mode for _, mode in (*MARKS, *GOALS)} <= modes


def test_cpu_time_is_read_behind_a_name_that_looks_like_fields() -> None:
    numbers = " ".join(str(number) for number in range(3, 53))
    assert cpu_ticks(f"4711 (a) S (b 1 2) S {numbers.removeprefix('3 ')}") == 14 + 15


def test_a_size_in_status_is_given_in_kilobytes() -> None:
    assert status_bytes("Name:\tpython3\nVmHWM:\t  139500 kB\nVmRSS:\t   43696 kB\n", "VmRSS") == 43696 * 1024


def test_a_command_is_held_on_its_processor() -> None:
    assert Processors(load=0, beside=1).holding(1, ["wrk", "-t1"]) == ["taskset", "-c", "1", "wrk", "-t1"]
