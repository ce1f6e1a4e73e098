"""The bpf system call itself, on this kernel: what goes into a map comes out of it, and a refusal says why."""

from __future__ import annotations

import errno
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from podtrace_tracer.kernel import bpf_syscall, perf_event
from podtrace_tracer.kernel.instructions import EXIT, helper_call, set_register
from podtrace_tracer.kernel.syscall_numbers import MACHINES
from podtrace_tracer.programs.bpf import BpfError, Programs, possible_cpus
from podtrace_tracer.programs.compiled import Compiled, Layout, Map

HASH, ARRAY, PERCPU_ARRAY, QUEUE = 1, 2, 6, 22
RETURNS_NOTHING = set_register(0, 0) + EXIT
NUMBER = Layout(size=4, members=(("value", 0, "I"),))
NOTHING = Layout(size=0, members=())


def _why_not() -> str | None:
    if sys.platform != "linux" or os.geteuid() != 0 or platform.machine() not in MACHINES:
        return "only root on Linux may make maps"
    try:
        os.close(bpf_syscall.create_map("question", kind=ARRAY, key_bytes=4, value_bytes=4, entries=1))
    except OSError as error:
        return f"this kernel lets nobody make maps: {error.strerror}"
    return None


WHY_NOT = _why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def numbers() -> Iterator[int]:
    """A hash map of 1009 numbers."""
    descriptor = bpf_syscall.create_map("numbers", kind=HASH, key_bytes=4, value_bytes=8, entries=1009)
    yield descriptor
    os.close(descriptor)


def put(descriptor: int, key: int, value: int) -> None:
    bpf_syscall.update(descriptor, key.to_bytes(4, "little"), value.to_bytes(8, "little"))


def test_what_is_put_into_a_map_is_there_until_it_is_removed(numbers: int) -> None:
    put(numbers, 7, 2**40)
    assert bpf_syscall.look_up(numbers, (7).to_bytes(4, "little"), 8) == (2**40).to_bytes(8, "little")
    assert bpf_syscall.look_up(numbers, (8).to_bytes(4, "little"), 8) is None
    assert bpf_syscall.delete(numbers, (7).to_bytes(4, "little"))
    assert not bpf_syscall.delete(numbers, (7).to_bytes(4, "little"))
    assert bpf_syscall.look_up(numbers, (7).to_bytes(4, "little"), 8) is None


def test_a_full_map_says_so(numbers: int) -> None:
    for key in range(1009):
        put(numbers, key, key)
    with pytest.raises(OSError, match="Argument list too long") as refused:
        put(numbers, 1009, 0)
    assert refused.value.errno == errno.E2BIG


def test_batches_give_each_key_once_whatever_their_size(numbers: int) -> None:
    for key in range(1009):
        put(numbers, key, key * 3)
    found: dict[int, int] = {}
    position, batches = None, 0
    while True:
        batch = bpf_syscall.look_up_batch(numbers, position, key_bytes=4, value_bytes=8, size=101)
        batches += 1
        for place in range(batch.count):
            key = int.from_bytes(batch.keys[place * 4 : place * 4 + 4], "little")
            assert key not in found
            found[key] = int.from_bytes(batch.values[place * 8 : place * 8 + 8], "little")
        if batch.following is None:
            break
        position = batch.following
    assert found == {key: key * 3 for key in range(1009)}
    assert batches > 9


def test_an_empty_map_has_no_batch(numbers: int) -> None:
    batch = bpf_syscall.look_up_batch(numbers, None, key_bytes=4, value_bytes=8, size=10)
    assert (batch.count, batch.following) == (0, None)


def test_a_program_that_the_verifier_refuses_is_not_loaded_and_its_words_are_told_on_demand() -> None:
    before = open_descriptors()
    code = helper_call(100_000) + EXIT
    assert bpf_syscall.load_program("wrong", bpf_syscall.RAW_TRACEPOINT, code) == (-errno.EINVAL, "")
    problem, said = bpf_syscall.load_program("wrong", bpf_syscall.RAW_TRACEPOINT, code, with_log=True)
    assert problem == -errno.EINVAL
    assert "100000" in said
    assert open_descriptors() == before


def test_a_tracepoint_that_does_not_exist_takes_no_program() -> None:
    program, _ = bpf_syscall.load_program("nothing", bpf_syscall.RAW_TRACEPOINT, RETURNS_NOTHING)
    with pytest.raises(OSError, match="No such file"):
        bpf_syscall.attach_raw_tracepoint("there_is_no_such", program)
    os.close(program)


def test_a_clock_of_a_cpu_that_does_not_exist_is_refused_and_leaves_nothing_open() -> None:
    program, _ = bpf_syscall.load_program("clock", bpf_syscall.PERF_EVENT, RETURNS_NOTHING)
    before = open_descriptors()
    with pytest.raises(OSError, match=r"No such device|Invalid argument"):
        perf_event.attach_clock(100_000, program, 99)
    assert open_descriptors() == before
    os.close(program)


def compiled(**programs: bytes) -> Compiled:
    def made(name: str, kind: int, *, entries: int, key: Layout = NUMBER) -> Map:
        return Map(
            name=name, kind=kind, flags=0, entries=entries, key_bytes=key.size, value_bytes=4, key=key, value=NUMBER
        )

    maps = (
        made("gate", ARRAY, entries=2), made("per_cpu", PERCPU_ARRAY, entries=1), made("members", HASH, entries=3),
        made("free", QUEUE, entries=2, key=NOTHING),
    )  # fmt: skip
    return Compiled(bcc_version="none", programs=programs, maps=maps)


def test_programs_hold_their_maps_and_give_everything_back() -> None:
    before = open_descriptors()
    programs = Programs(compiled(on_sys_enter=RETURNS_NOTHING))
    programs.set_number("gate", 1, 5)
    programs.set_number("members", 2**32 - 1, 7)
    programs.push("free", 3)
    assert programs.values("gate", 1) == [(5).to_bytes(4, "little")]
    assert programs.values("gate", 2) is None
    assert programs.values("per_cpu", 0) == [bytes(4)] * possible_cpus()
    assert list(programs.items("members")) == [(b"\xff\xff\xff\xff", [(7).to_bytes(4, "little")])]
    assert (programs.count("members"), programs.capacity("members")) == (1, 3)
    assert (programs.has("gate"), programs.has("gates")) == (True, False)
    assert (programs.defines("sys_enter"), programs.defines("sys_exit")) == (True, False)
    programs.attach("sys_enter")
    assert programs.recursion_misses() == {"sys_enter": 0}
    programs.close()
    assert open_descriptors() == before


def test_each_copy_of_a_program_is_attached_and_detached_with_the_others() -> None:
    before = len(open_descriptors())
    copies = {"sys_enter": ({1: 0}, {1: 1}, {1: 2})}
    programs = Programs(compiled(on_sys_enter=RETURNS_NOTHING, on_sys_exit=RETURNS_NOTHING), copies=copies)
    maps = len(open_descriptors()) - before
    programs.attach("sys_enter")
    assert len(open_descriptors()) - before - maps == 3 * 2
    programs.attach("sys_exit")
    assert len(open_descriptors()) - before - maps == (3 + 1) * 2
    assert programs.recursion_misses() == {"sys_enter": 0, "sys_exit": 0}
    programs.detach(["sys_enter"])
    assert len(open_descriptors()) - before - maps == 3 + 2
    programs.close()
    assert len(open_descriptors()) == before


def test_a_program_that_is_refused_is_named_with_the_verifier_s_words() -> None:
    programs = Programs(compiled(on_sys_enter=helper_call(100_000) + EXIT, on_clock=helper_call(100_000) + EXIT))
    with pytest.raises(BpfError, match=r"on_sys_enter: Invalid argument \| .*100000"):
        programs.attach("sys_enter")
    with pytest.raises(BpfError, match="on_clock"):
        programs.attach_clock("clock", 99)
    programs.close()


def test_a_map_that_cannot_be_made_leaves_none_of_the_others() -> None:
    before = open_descriptors()
    wrong = Map(name="wrong", kind=100_000, flags=0, entries=1, key_bytes=4, value_bytes=4, key=NUMBER, value=NUMBER)
    whole = compiled()
    with pytest.raises(BpfError, match="the map wrong cannot be made: Invalid argument"):
        Programs(Compiled(bcc_version="none", programs={}, maps=(*whole.maps, wrong)))
    assert open_descriptors() == before
