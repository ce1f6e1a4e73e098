"""The loaded programs of one trace: loads, attaches, and reads maps as plain bytes."""

from __future__ import annotations

import errno
import os
import resource
import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Final, NamedTuple

from podtrace_tracer.kernel import bpf_syscall, perf_event
from podtrace_tracer.kernel.bpf_syscall import KPROBE, PERF_EVENT, RAW_TRACEPOINT, TRACEPOINT
from podtrace_tracer.kernel.instructions import with_constants, with_kernel_function, with_map_numbers
from podtrace_tracer.kernel.ring import Ring, RingRecord
from podtrace_tracer.kernel.undisturbed import undisturbed
from podtrace_tracer.programs.compilation import telling
from podtrace_tracer.programs.compiled import Compiled, Layout, Map

_BATCH: Final = 2048
_BATCH_BYTES: Final = 256 * 1024
"""Buffers of some MB for tables with wide values, which are nearly empty, would stay with the process."""
_ONE_BY_ONE: Final = "PODTRACE_SINGLE_PROBES"
"""In the environment, makes a kernel attach user probes as those do that cannot attach several at once."""

ConstantsOf = Callable[[int], Mapping[int, int]]


class BpfError(Exception):
    """The kernel said no; the text is what it said."""


class RunTime(NamedTuple):
    """How often a program ran, and for how long altogether, while the kernel measured it."""

    runs: int
    ns: int


class Programs:
    """The programs of one trace and their maps. Detaches in `close`."""

    def __init__(
        self,
        compiled: Compiled,
        *,
        constants: Mapping[int, int] | None = None,
        kernel_functions: Mapping[int, int] | None = None,
        events: Mapping[str, int] | None = None,
        copies: Mapping[str, Sequence[Mapping[int, int]]] | None = None,
    ) -> None:
        """Makes the maps. Raises BpfError.

        `constants`: what stands in the code for a constant of this trace -> its value. `kernel_functions`: number of
        the helper that stands there for one -> the kernel function's BTF id. `events`: tracepoints whose programs, and
        the tail calls, come by trace events -> the numbers of these. `copies`: tracepoints that take several copies of
        their program -> the constants of each, in the order in which the kernel is to run them.
        """
        self._compiled = compiled
        self._constants = constants or {}
        self._kernel_functions = kernel_functions or {}
        self._events = events or {}
        self._copies = copies or {}
        self._maps: dict[str, tuple[Map, int]] = {}
        self._programs: dict[tuple[str, int, bool, tuple[tuple[int, int], ...]], int] = {}
        self._attached: dict[str, list[int]] = {}
        self._entered: dict[str, set[int]] = {}
        self._user_probes: list[int] = []
        self._ring: Ring | None = None
        self._cpus = possible_cpus()
        _lift_memory_limit()
        for each in compiled.maps:
            try:
                descriptor = bpf_syscall.create_map(
                    each.name, kind=each.kind, key_bytes=each.key_bytes, value_bytes=each.value_bytes,
                    entries=each.entries, flags=each.flags,
                )  # fmt: skip
            except OSError as error:
                self.close()
                raise BpfError(f"the map {each.name} cannot be made: {error.strerror}") from error
            self._maps[each.name] = (each, descriptor)

    def _load(
        self, program: str, kind: int, constants: Mapping[int, int] | None = None, *, at_many: bool = False
    ) -> int:
        """The descriptor of a program, which is loaded when it is first asked for. Raises BpfError.

        `constants` go before those of the trace. `at_many`: it is to hang at many places of a file at once.
        """
        own = constants or {}
        key = (program, kind, at_many, tuple(own.items()))
        known = self._programs.get(key)
        if known is None:
            merged = {**self._constants, **own}
            known = self._programs[key] = self._loaded(program, kind, merged, at_many=at_many)
        return known

    def _loaded(self, program: str, kind: int, constants: Mapping[int, int], *, at_many: bool) -> int:
        name = f"on_{program}"
        numbers = dict(enumerate(descriptor for _, descriptor in self._maps.values()))
        code = with_map_numbers(with_constants(self._compiled.programs[name], constants), numbers)
        for placeholder, function in self._kernel_functions.items():
            code = with_kernel_function(code, placeholder, function)
        descriptor, said = bpf_syscall.load_program(name, kind, code, at_many=at_many)
        if descriptor < 0:
            # Once more, for the verifier's words: they cost time and 16 MiB.
            descriptor, said = bpf_syscall.load_program(name, kind, code, with_log=True, at_many=at_many)
        if descriptor < 0:
            raise BpfError(telling(said, f"{name}: {os.strerror(-descriptor)}"))
        return descriptor

    def _kind(self, tracepoint: str) -> int:
        return TRACEPOINT if tracepoint in self._events else RAW_TRACEPOINT

    def attach(self, tracepoint: str) -> None:
        """Loads and attaches the program of a raw tracepoint. Raises BpfError with the kernel's words."""
        copies = self._copies.get(tracepoint, ({},))
        programs = [self._load(tracepoint, self._kind(tracepoint), constants) for constants in copies]
        attached = self._attached.setdefault(tracepoint, [])
        try:
            for program in programs:
                if tracepoint in self._events:
                    attached.append(perf_event.attach_trace_event(self._events[tracepoint], program))
                else:
                    attached.append(bpf_syscall.attach_raw_tracepoint(tracepoint, program))
        except OSError as error:
            self._detach_one(tracepoint)
            raise BpfError(f"the tracepoint {tracepoint} takes no program: {error.strerror}") from error
        self._entered[tracepoint] = set(programs)

    def attach_clock(self, program: str, per_s: int) -> None:
        """Loads a program and runs it so many times a second on each CPU, in the interrupt of a clock of its own."""
        descriptor = self._load(program, PERF_EVENT)
        clocks = self._attached.setdefault(program, [])
        try:
            for cpu in _cpus("online"):
                clocks.append(perf_event.attach_clock(cpu, descriptor, per_s))
        except OSError as error:
            self._detach_one(program)
            raise BpfError(f"there is no clock of the CPU: {error.strerror}") from error
        self._entered[program] = {descriptor}

    def _detach_one(self, name: str) -> None:
        for descriptor in self._attached.pop(name, []):
            os.close(descriptor)

    def attach_user_probes(
        self,
        program: str,
        path: str,
        places: Mapping[int, int],
        *,
        at_return: bool,
        constants_of: ConstantsOf,
        one_by_one: bool = True,
    ) -> bool:
        """Loads a program and runs it where any process comes to one of these offsets of a file, or returns from there.

        `places`: offset -> cookie. Kernels that cannot hang one program at many places need one for each cookie, with
        the constants that belong to that, and a tenth of a second to take each away again: False if that is the way and
        not wanted. Raises BpfError; what is attached until then stays.
        """
        if self._attach_at_once(program, path, places, at_return=at_return, constants=constants_of(0)):
            return True
        if not one_by_one:
            return False
        for offset, cookie in places.items():
            descriptor = self._load(program, KPROBE, constants_of(cookie))
            try:
                probe = perf_event.attach_user_probe(path, offset, descriptor, at_return=at_return)
            except (OSError, ValueError) as error:
                raise BpfError(f"the kernel takes no program there: {error}") from error
            self._user_probes.append(probe)
            self._entered.setdefault(program, set()).add(descriptor)
        return True

    def _attach_at_once(
        self, program: str, path: str, places: Mapping[int, int], *, at_return: bool, constants: Mapping[int, int]
    ) -> bool:
        if _ONE_BY_ONE in os.environ:
            return False
        try:
            descriptor = self._load(program, KPROBE, constants, at_many=True)
            self._user_probes.append(bpf_syscall.attach_user_probes(path, places, descriptor, at_return=at_return))
        except (OSError, BpfError):
            return False
        self._entered.setdefault(program, set()).add(descriptor)
        return True

    def detach(self, names: Collection[str] | None = None) -> None:
        """Detaches all programs, or those of these tracepoints and clocks; the maps stay readable."""
        for name in tuple(self._attached) if names is None else names:
            self._detach_one(name)
        while names is None and self._user_probes:
            os.close(self._user_probes.pop())

    def close(self) -> None:
        """Gives everything back."""
        self.detach()
        maps = [descriptor for _, descriptor in self._maps.values()]
        for descriptor in (*self._programs.values(), *maps):
            os.close(descriptor)
        self._entered.clear()
        self._programs.clear()
        self._maps.clear()

    def _at_maps(self) -> AbstractContextManager[None]:
        return undisturbed() if self._events else nullcontext()

    def has(self, table: str) -> bool:
        """Is this map part of the compiled programs?"""
        return table in self._maps

    def value_layout(self, table: str) -> Layout:
        """The C struct of a map's values."""
        return self._maps[table][0].value

    def key_layout(self, table: str) -> Layout:
        """The C struct of a map's keys."""
        return self._maps[table][0].key

    def set_number(self, table: str, key: int, value: int) -> None:
        """Puts one number into a map of numbers. Raises OSError when the map is full."""
        kind, descriptor = self._maps[table]
        key_bytes, value_bytes = key.to_bytes(kind.key_bytes, "little"), value.to_bytes(kind.value_bytes, "little")
        with self._at_maps():
            bpf_syscall.update(descriptor, key_bytes, value_bytes)

    def push(self, table: str, value: int) -> None:
        """Puts a number into a queue."""
        kind, descriptor = self._maps[table]
        bpf_syscall.update(descriptor, b"", value.to_bytes(kind.value_bytes, "little"))

    def defines(self, program: str) -> bool:
        """Does the text hold the program of this name?"""
        return f"on_{program}" in self._compiled.programs

    def set_tail(self, table: str, index: int, program: str) -> None:
        """Loads a program and puts it where others call it as their end. Raises BpfError with the kernel's words.

        A table that is not there, because all programs are of one kind, is `tails`.
        """
        table = table if self.has(table) else "tails"
        kind = TRACEPOINT if self._events and table == "tails" else RAW_TRACEPOINT
        try:
            self.set_number(table, index, self._load(program, kind))
        except OSError as error:
            raise BpfError(f"on_{program} cannot follow others: {error.strerror}") from error

    def delete(self, table: str, key: bytes) -> bool:
        """Removes a key; False if it had gone already."""
        with self._at_maps():
            return bpf_syscall.delete(self._maps[table][1], key)

    def values(self, table: str, index: int) -> list[bytes] | None:
        """The value at an index of an array map; a per-CPU map gives one for each possible CPU."""
        kind, descriptor = self._maps[table]
        with self._at_maps():
            found = bpf_syscall.look_up(descriptor, index.to_bytes(4, "little"), self._bytes_of_key(kind))
        return None if found is None else _parts(kind, found)

    def value_at(self, table: str, key: bytes) -> bytes | None:
        """The value at a key of a hash map that is not per CPU."""
        kind, descriptor = self._maps[table]
        with self._at_maps():
            return bpf_syscall.look_up(descriptor, key, kind.value_bytes)

    def items(self, table: str) -> Iterator[tuple[bytes, list[bytes]]]:
        """All keys of a hash map with their values (one for each possible CPU in a per-CPU map), in batches."""
        kind = self._maps[table][0]
        size = self._bytes_of_key(kind)
        for batch in self._batches(table):
            for place in range(batch.count):
                yield (
                    batch.keys[place * kind.key_bytes : (place + 1) * kind.key_bytes],
                    _parts(kind, batch.values[place * size : (place + 1) * size]),
                )

    def count(self, table: str) -> int:
        """How many keys a hash map holds."""
        return sum(batch.count for batch in self._batches(table))

    def _bytes_of_key(self, kind: Map) -> int:
        """All values of one key, as the kernel hands them out."""
        return kind.value_step * (self._cpus if kind.is_per_cpu else 1)

    def _batches(self, table: str) -> Iterator[bpf_syscall.Batch]:
        kind, descriptor = self._maps[table]
        value_bytes = self._bytes_of_key(kind)
        size = min(_BATCH, kind.entries, max(_BATCH_BYTES // (kind.key_bytes + value_bytes), 1))
        position: bytes | None = None
        while True:
            try:
                with self._at_maps():
                    batch = bpf_syscall.look_up_batch(
                        descriptor, position, key_bytes=kind.key_bytes, value_bytes=value_bytes, size=size
                    )
            except OSError as error:
                if error.errno != errno.ENOSPC or size >= kind.entries:
                    raise
                # One bucket of the hash table holds more than the buffer.
                size = min(size * 2, kind.entries)
                continue
            if batch.count:
                yield batch
            position = batch.following
            if position is None:
                return

    def capacity(self, table: str) -> int:
        """How many keys a map can hold."""
        return self._maps[table][0].entries

    def ring_records(self, size: int) -> Iterator[RingRecord]:
        """What the programs have put into the ring since the last call."""
        return self._opened_ring(size).read()

    def wake_descriptor(self, size: int) -> int:
        """Becomes ready when a record has come that wakes somebody, until the records are read."""
        return self._opened_ring(size).wake_descriptor

    def _opened_ring(self, size: int) -> Ring:
        if self._ring is None:
            self._ring = Ring(self._maps["ring"][1], size)
        return self._ring

    def recursion_misses(self) -> dict[str, int]:
        """By tracepoint: events that no map saw, because the program was interrupted by its own tracepoint.

        Where a program has copies, an interrupt that misses one finds the other; only preemption can make both miss.
        """
        found: Counter[str] = Counter()
        for name, text in self._information():
            missed = _MISSES.unpack_from(text, _MISSES_OFFSET)[0]
            found[name] += 0 if name in self._copies and not self._events else missed
        return dict(found)

    def run_times(self) -> dict[str, RunTime]:
        """By tracepoint or clock; the time of programs that are called at a program's end is that one's."""
        found: dict[str, RunTime] = {}
        for name, text in self._information():
            ns, runs = _RUN_TIME.unpack_from(text, _RUN_TIME_OFFSET)
            before = found.get(name, RunTime(0, 0))
            found[name] = RunTime(before.runs + runs, before.ns + ns)
        return found

    def _information(self) -> Iterator[tuple[str, bytes]]:
        for name, descriptors in self._entered.items():
            for descriptor in descriptors:
                found = bpf_syscall.program_info(descriptor, _PROGRAM_INFO_BYTES)
                if found is not None:
                    yield name, found


# struct bpf_prog_info: run_time_ns and run_cnt; recursion_misses, which older kernels leave zero.
_PROGRAM_INFO_BYTES: Final = 232
_RUN_TIME, _RUN_TIME_OFFSET = struct.Struct("=QQ"), 192
_MISSES, _MISSES_OFFSET = struct.Struct("=Q"), 208


def _parts(kind: Map, values: bytes) -> list[bytes]:
    """The values of one key, one for each CPU where the map is per CPU."""
    return [values[at : at + kind.value_bytes] for at in range(0, len(values), kind.value_step)]


def _lift_memory_limit() -> None:
    """Kernels before 5.11 count maps as locked memory."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, unlimited)


def possible_cpus() -> int:
    """How many values a per-CPU map has for each key."""
    return len(_cpus("possible"))


def online_cpus() -> int:
    """How many CPUs the node works with now."""
    return len(_cpus("online"))


def _cpus(which: str) -> list[int]:
    """The CPUs that are named in /sys/devices/system/cpu/WHICH, such as `0-3` or `0,2-5`."""
    text = Path(f"/sys/devices/system/cpu/{which}").read_text(encoding="ascii").strip()
    ranges = [[int(end) for end in part.split("-")] for part in text.split(",")]
    return [cpu for ends in ranges for cpu in range(ends[0], ends[-1] + 1)]
