"""The only door to bcc: compile, load, attach, and read maps as plain tuples."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final, NamedTuple

from podtrace_tracer import trace_events
from podtrace_tracer.instructions import with_kernel_function
from podtrace_tracer.stderr import captured_stderr
from podtrace_tracer.undisturbed import undisturbed

_BATCH: Final = 2048
_RECORD_HEADER: Final = struct.Struct("=II")
_BUSY, _DISCARD = 1 << 31, 1 << 30
_CPU_CLOCK: Final = (1, 0)  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK of linux/perf_event.h


class BpfError(Exception):
    """The kernel or the compiler said no; the text is what they said."""


class Layout:
    """A C struct of the programs, as bcc describes it, read as a tuple of its fields (nested structs as bytes)."""

    def __init__(self, description: Any) -> None:
        self.size = ctypes.sizeof(description)
        parts, end = ["="], 0
        self._places: dict[str, slice] = {}
        for name, kind in description._fields_ if hasattr(description, "_fields_") else [("value", description)]:
            offset = getattr(description, name).offset if hasattr(description, "_fields_") else 0
            parts.append(f"{offset - end}x" if offset > end else "")
            parts.append(_code(kind))
            end = offset + ctypes.sizeof(kind)
            self._places[name] = slice(offset, end)
        parts.append(f"{self.size - end}x")
        self._struct = struct.Struct("".join(parts))

    def fields(self, data: bytes) -> dict[str, Any]:
        """The fields by name; byte arrays as bytes."""
        return dict(zip(self._places, self._struct.unpack_from(data), strict=True))

    def unsigned(self, name: str, data: bytes) -> int:
        """One field that is an unsigned number, at a fraction of the price of all fields."""
        return int.from_bytes(data[self._places[name]], "little")


def _code(kind: Any) -> str:
    codes = {1: "B", 2: "H", 4: "I", 8: "Q"}
    if issubclass(kind, (ctypes.Array, ctypes.Structure)):
        return f"{ctypes.sizeof(kind)}s"
    code = codes[ctypes.sizeof(kind)]
    signed = kind in (ctypes.c_int, ctypes.c_longlong, ctypes.c_long, ctypes.c_short, ctypes.c_byte)
    return code.lower() if signed else code


class RingRecord(NamedTuple):
    """One record of the ring buffer: the number in its first word, and its bytes."""

    kind: int
    data: bytes


class Programs:
    """The compiled programs of one trace and their maps. Detaches in `close`."""

    def __init__(
        self,
        text: str,
        flags: Sequence[str],
        tree: Path,
        kernel_functions: Mapping[int, int] | None = None,
        events: Mapping[str, int] | None = None,
    ) -> None:
        """`kernel_functions`: number of the helper that stands in the text for one -> the kernel function's BTF id.

        `events`: tracepoints whose programs, and the tail calls, come by trace events -> the numbers of these.
        """
        os.environ["BCC_KERNEL_SOURCE"] = str(tree)
        try:
            import bcc
        except ImportError as error:
            raise BpfError(f"bcc cannot be imported: {error}") from error
        self._bcc = bcc
        self.version: str = bcc.__version__
        self._attached: list[str] = []
        self._has_clock = False
        self._events = events or {}
        self._event_descriptors: list[int] = []
        with captured_stderr() as said:
            try:
                self._bpf = bcc.BPF(text=text.encode(), cflags=list(flags))
            except Exception as error:  # bcc raises plain Exception
                raise BpfError(_telling(str(error), said())) from error
        self._library = _library()
        for placeholder, function in (kernel_functions or {}).items():
            self._call_kernel_function(placeholder, function)
        self._ring: Ring | None = None

    def _call_kernel_function(self, placeholder: int, function: int) -> None:
        """Rewrites all programs, which bcc holds until they are loaded."""
        library, module = self._library, self._bpf.module
        for index in range(library.bpf_num_functions(module)):
            name = library.bpf_function_name(module, index)
            start, size = library.bpf_function_start(module, name), library.bpf_function_size(module, name)
            code = ctypes.string_at(start, size)
            ctypes.memmove(start, with_kernel_function(code, placeholder, function), size)

    def attach(self, tracepoint: str) -> None:
        """Loads and attaches the program of a raw tracepoint. Raises BpfError with the kernel's words."""
        with captured_stderr() as said:
            try:
                if tracepoint in self._events:
                    program = self._load(tracepoint, by_event=True).fd
                    number = self._events[tracepoint]
                    self._event_descriptors.append(trace_events.attach(number, program, os.uname().machine))
                else:
                    self._bpf.attach_raw_tracepoint(tp=tracepoint.encode(), fn_name=f"on_{tracepoint}".encode())
            except Exception as error:  # bcc raises plain Exception
                raise BpfError(_telling(str(error), said())) from error
        self._attached.append(tracepoint)

    def attach_clock(self, program: str, per_s: int) -> None:
        """Loads a program and runs it so many times a second on each CPU, in the interrupt of a clock of its own."""
        with captured_stderr() as said:
            try:
                self._bpf.load_func(f"on_{program}".encode(), self._bcc.BPF.PERF_EVENT)
                self._bpf.attach_perf_event(*_CPU_CLOCK, fn_name=f"on_{program}".encode(), sample_freq=per_s)
            except Exception as error:  # bcc raises plain Exception
                raise BpfError(_telling(str(error), said())) from error
        self._has_clock = True

    def _at_maps(self) -> AbstractContextManager[None]:
        return undisturbed() if self._events else nullcontext()

    def _load(self, program: str, *, by_event: bool) -> Any:
        kind = self._bcc.BPF.TRACEPOINT if by_event else self._bcc.BPF.RAW_TRACEPOINT
        return self._bpf.load_func(f"on_{program}".encode(), kind)

    def detach(self) -> None:
        """Detaches all programs; the maps stay readable."""
        if self._has_clock:
            self._bpf.detach_perf_event(*_CPU_CLOCK)
            self._has_clock = False
        for tracepoint in self._attached:
            if tracepoint not in self._events:
                self._bpf.detach_raw_tracepoint(tp=tracepoint.encode())
        for descriptor in self._event_descriptors:
            os.close(descriptor)
        self._attached.clear()
        self._event_descriptors.clear()

    def close(self) -> None:
        """Gives everything back."""
        self._bpf.cleanup()

    def has(self, table: str) -> bool:
        """Is this map part of the compiled programs?"""
        try:
            self._bpf[table.encode()]
        except KeyError:
            return False
        return True

    def value_layout(self, table: str) -> Layout:
        """The C struct of a map's values."""
        found = self._bpf[table.encode()]
        return Layout(getattr(found, "sLeaf", found.Leaf))

    def key_layout(self, table: str) -> Layout:
        """The C struct of a map's keys."""
        return Layout(self._bpf[table.encode()].Key)

    def set_number(self, table: str, key: int, value: int) -> None:
        """Puts one number into a map of numbers. Raises OSError when the map is full."""
        found = self._bpf[table.encode()]
        found[found.Key(key)] = found.Leaf(value)

    def push(self, table: str, value: int) -> None:
        """Puts a number into a queue."""
        found = self._bpf[table.encode()]
        found.push(found.Leaf(value))

    def defines(self, program: str) -> bool:
        """Does the text hold the program of this name?"""
        return bool(self._library.bpf_function_start(self._bpf.module, f"on_{program}".encode()))

    def set_tail(self, table: str, index: int, program: str) -> None:
        """Loads a program and puts it where others call it as their end. Raises BpfError with the kernel's words.

        A table that is not there, because all programs are of one kind, is `tails`.
        """
        table = table if self.has(table) else "tails"
        with captured_stderr() as said:
            try:
                function = self._load(program, by_event=bool(self._events) and table == "tails")
            except Exception as error:  # bcc raises plain Exception
                raise BpfError(_telling(str(error), said())) from error
        found = self._bpf[table.encode()]
        found[ctypes.c_int(index)] = ctypes.c_int(function.fd)

    def delete(self, table: str, key: bytes) -> bool:
        """Removes a key; False if it had gone already."""
        buffer = ctypes.create_string_buffer(key, len(key))
        descriptor = self._bpf[table.encode()].map_fd
        with self._at_maps():
            return bool(self._library.bpf_delete_elem(descriptor, buffer) == 0)

    def values(self, table: str, index: int, *, size: int, cpus: int = 1) -> list[bytes] | None:
        """The value at an index of an array map; a per-CPU map gives one for each possible CPU."""
        key = ctypes.c_uint32(index)
        buffer = ctypes.create_string_buffer(size * cpus)
        descriptor = self._bpf[table.encode()].map_fd
        with self._at_maps():
            result = self._library.bpf_lookup_elem(descriptor, ctypes.byref(key), buffer)
        if result < 0:
            return None
        return [buffer.raw[at : at + size] for at in range(0, size * cpus, size)]

    def items(self, table: str, *, cpus: int = 1) -> Iterator[tuple[bytes, list[bytes]]]:
        """All keys of a hash map with their values (one for each possible CPU in a per-CPU map), in batches."""
        found = self._bpf[table.encode()]
        key_size = ctypes.sizeof(found.Key)
        value_size = ctypes.sizeof(getattr(found, "sLeaf", found.Leaf))
        for keys, values, count in self._batches(found.map_fd, key_size, value_size * cpus, found.max_entries):
            for place in range(count):
                start = place * value_size * cpus
                yield (
                    keys[place * key_size : (place + 1) * key_size],
                    [values[at : at + value_size] for at in range(start, start + value_size * cpus, value_size)],
                )

    def count(self, table: str, *, cpus: int = 1) -> int:
        """How many keys a hash map holds."""
        found = self._bpf[table.encode()]
        value_size = ctypes.sizeof(getattr(found, "sLeaf", found.Leaf)) * cpus
        batches = self._batches(found.map_fd, ctypes.sizeof(found.Key), value_size, found.max_entries)
        return sum(count for _, _, count in batches)

    def _batches(
        self, descriptor: int, key_size: int, value_size: int, entries: int
    ) -> Iterator[tuple[bytes, bytes, int]]:
        size = min(_BATCH, entries)
        position, following = ctypes.c_uint64(), ctypes.c_uint64()
        first = True
        while True:
            keys = ctypes.create_string_buffer(key_size * size)
            values = ctypes.create_string_buffer(value_size * size)
            count = ctypes.c_uint32(size)
            start = None if first else ctypes.byref(position)
            with self._at_maps():
                result = self._library.bpf_lookup_batch(
                    descriptor, start, ctypes.byref(following), keys, values, ctypes.byref(count)
                )
                problem = ctypes.get_errno() if result < 0 else 0
            if problem == errno.ENOSPC and size < entries:
                # One bucket of the hash table holds more than the buffer.
                size = min(size * 2, entries)
                continue
            if problem not in (0, errno.ENOENT):
                raise OSError(problem, os.strerror(problem))
            if count.value:
                yield keys.raw, values.raw, count.value
            if problem == errno.ENOENT:
                return
            position.value = following.value
            first = False

    def capacity(self, table: str) -> int:
        """How many keys a map can hold."""
        return int(self._bpf[table.encode()].max_entries)

    def ring_records(self, size: int) -> Iterator[RingRecord]:
        """What the programs have put into the ring since the last call. Nobody is woken for it."""
        if self._ring is None:
            self._ring = Ring(self._bpf[b"ring"].map_fd, size)
        return self._ring.read()

    def recursion_misses(self) -> dict[str, int]:
        """By tracepoint: events that no map saw, because the program was interrupted by its own tracepoint."""
        found = {}
        for tracepoint in self._attached:
            function = self._load(tracepoint, by_event=tracepoint in self._events)
            information = ctypes.create_string_buffer(_PROGRAM_INFO_BYTES)
            length = ctypes.c_uint32(_PROGRAM_INFO_BYTES)
            if self._library.bpf_obj_get_info(function.fd, information, ctypes.byref(length)) == 0:
                found[tracepoint] = int.from_bytes(information.raw[_MISSES_OFFSET : _MISSES_OFFSET + 8], "little")
        return found


# struct bpf_prog_info: recursion_misses follows run_cnt (include/uapi/linux/bpf.h); older kernels leave it zero.
_PROGRAM_INFO_BYTES: Final = 232
_MISSES_OFFSET: Final = 208


class Ring:
    """A BPF ring buffer read through its own memory: records are copied out, no callback, no wake-up."""

    def __init__(self, descriptor: int, size: int) -> None:
        page = mmap.PAGESIZE
        self._mask = size - 1
        self._consumer = mmap.mmap(descriptor, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        # The kernel maps the data twice in a row, so that a record never wraps.
        self._producer = mmap.mmap(descriptor, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self._page = page

    def read(self) -> Iterator[RingRecord]:
        """Records in their order; stops at one that is still being written."""
        position = int.from_bytes(self._consumer[:8], "little")
        end = int.from_bytes(self._producer[:8], "little")
        while position < end:
            start = self._page + (position & self._mask)
            length, _ = _RECORD_HEADER.unpack_from(self._producer, start)
            if length & _BUSY:
                break
            size = length & ~(_BUSY | _DISCARD)
            if not length & _DISCARD:
                data = self._producer[start + 8 : start + 8 + size]
                yield RingRecord(kind=int.from_bytes(data[:4], "little"), data=data)
            position += (size + 8 + 7) & ~7
            self._consumer[:8] = position.to_bytes(8, "little")


def possible_cpus() -> int:
    """How many values a per-CPU map has (from /sys/devices/system/cpu/possible, such as `0-3` or `0,2-5`)."""
    text = Path("/sys/devices/system/cpu/possible").read_text(encoding="ascii").strip()
    ranges = [[int(end) for end in part.split("-")] for part in text.split(",")]
    return sum(ends[-1] - ends[0] + 1 for ends in ranges)


def _library() -> Any:
    """The bpf system call by libbcc's thin wrappers, with errno: the bindings' own batch reads lose per-CPU values."""
    from bcc.libbcc import lib

    library = ctypes.CDLL(lib._name, use_errno=True)
    for function in (
        library.bpf_lookup_batch,
        library.bpf_lookup_elem,
        library.bpf_delete_elem,
        library.bpf_obj_get_info,
    ):
        function.restype = ctypes.c_int
    pointers = ctypes.c_void_p
    library.bpf_function_start.restype = pointers
    library.bpf_function_start.argtypes = [pointers, ctypes.c_char_p]
    library.bpf_function_size.restype = ctypes.c_size_t
    library.bpf_function_size.argtypes = [pointers, ctypes.c_char_p]
    library.bpf_num_functions.restype = ctypes.c_size_t
    library.bpf_num_functions.argtypes = [pointers]
    library.bpf_function_name.restype = ctypes.c_char_p
    library.bpf_function_name.argtypes = [pointers, ctypes.c_size_t]
    library.bpf_obj_get_info.argtypes = [ctypes.c_int, pointers, pointers]
    library.bpf_lookup_batch.argtypes = [ctypes.c_int, pointers, pointers, pointers, pointers, pointers]
    library.bpf_lookup_elem.argtypes = [ctypes.c_int, pointers, pointers]
    library.bpf_delete_elem.argtypes = [ctypes.c_int, pointers]
    library.bpf_obj_get_info.argtypes = [ctypes.c_int, pointers, pointers]
    return library


def _telling(error: str, said: str) -> str:
    """The lines of compiler or verifier output that tell something, and the error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("error", "invalid", "not allow", "unknown"))]
    return " | ".join([error, *(telling or lines[-3:])[:4]])
