"""The bpf system call: maps, programs, and what programs are attached to (include/uapi/linux/bpf.h)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

from podtrace_tracer.kernel.instructions import SIZE as INSTRUCTION_BYTES
from podtrace_tracer.kernel.syscall_numbers import number_of

_MAP_CREATE, _LOOKUP, _UPDATE, _DELETE, _PROG_LOAD = 0, 1, 2, 3, 5
_OBJECT_INFO, _RAW_TRACEPOINT_OPEN, _LOOKUP_BATCH, _LINK_CREATE, _ENABLE_STATISTICS = 15, 17, 24, 28, 32
_RUN_TIME_STATISTICS: Final = 0
_ATTRIBUTE_BYTES: Final = 128
"""More than any of these commands takes; what the kernel does not know has to be zero."""
_BATCH_COUNT: Final = struct.Struct("=32xI")
_NAME_BYTES: Final = 15
_LOG_BYTES: Final = (1 << 24) - 1
_INTERRUPTED_TRIES: Final = 10

KPROBE: Final = 2
TRACEPOINT: Final = 5
PERF_EVENT: Final = 7
RAW_TRACEPOINT: Final = 17
"""Kinds of programs (enum bpf_prog_type); those of user space are of the kind KPROBE."""
_USER_PROBES: Final = 48
"""BPF_TRACE_UPROBE_MULTI of enum bpf_attach_type: one program at many places of a file."""
_AT_RETURN: Final = 1

PERCPU_KINDS: Final = frozenset({5, 6})
"""Kinds of maps (enum bpf_map_type) whose values have one part for each possible CPU."""


class _Answer(NamedTuple):
    result: int
    problem: int
    attributes: bytes

    def checked(self) -> _Answer:
        if self.result < 0:
            raise OSError(self.problem, os.strerror(self.problem))
        return self


@cache
def _system_call() -> Any:
    return ctypes.CDLL(None, use_errno=True).syscall


@cache
def _number() -> ctypes.c_long:
    return ctypes.c_long(number_of("bpf", os.uname().machine))


def _call(command: int, attributes: bytes) -> _Answer:
    buffer = ctypes.create_string_buffer(attributes, _ATTRIBUTE_BYTES)
    result = _system_call()(_number(), ctypes.c_long(command), buffer, ctypes.c_long(_ATTRIBUTE_BYTES))
    return _Answer(result, ctypes.get_errno() if result < 0 else 0, buffer.raw)


def create_map(name: str, *, kind: int, key_bytes: int, value_bytes: int, entries: int, flags: int = 0) -> int:
    """A new map's descriptor. Raises OSError."""
    numbers = (kind, key_bytes, value_bytes, entries, flags, 0, 0)
    return _call(_MAP_CREATE, struct.pack("=7I16s", *numbers, _object_name(name))).checked().result


def load_program(
    name: str, kind: int, code: bytes, *, with_log: bool = False, at_many: bool = False
) -> tuple[int, str]:
    """A loaded program's descriptor, or minus the error's number; and the verifier's words, if they are asked for.

    `at_many`: it is for `attach_user_probes`.
    """
    instructions, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(_LOG_BYTES) if with_log else None
    what = (kind, len(code) // INSTRUCTION_BYTES, ctypes.addressof(instructions), ctypes.addressof(licence))
    where = (1, _LOG_BYTES, ctypes.addressof(log)) if log else (0, 0, 0)
    attach_type = _USER_PROBES if at_many else 0
    attributes = struct.pack("=IIQQIIQII16sII", *what, *where, 0, 0, _object_name(name), 0, attach_type)
    answer, tries = _call(_PROG_LOAD, attributes), 1
    # The verifier gives up when a signal arrives; the program is as good as before.
    while answer.problem == errno.EAGAIN and tries < _INTERRUPTED_TRIES:
        answer, tries = _call(_PROG_LOAD, attributes), tries + 1
    text = log.value.decode("utf-8", "replace") if log else ""
    return (answer.result if answer.result >= 0 else -answer.problem), text


def attach_raw_tracepoint(tracepoint: str, program: int) -> int:
    """Runs the program at each event, until the descriptor that is returned is closed. Raises OSError."""
    name = ctypes.create_string_buffer(tracepoint.encode())
    return _call(_RAW_TRACEPOINT_OPEN, struct.pack("=QI", ctypes.addressof(name), program)).checked().result


def attach_user_probes(path: str, places: Mapping[int, int], program: int, *, at_return: bool) -> int:
    """Runs the program wherever a process comes to one of these offsets of a file (at its function's return), until the
    descriptor that is returned is closed. The program gets each offset's cookie. Raises OSError, also where the kernel
    (before 6.6) has no such thing.
    """
    count = len(places)
    name = ctypes.create_string_buffer(path.encode())
    offsets, cookies = (ctypes.c_uint64 * count)(*places), (ctypes.c_uint64 * count)(*places.values())
    where = (ctypes.addressof(name), ctypes.addressof(offsets), 0, ctypes.addressof(cookies))
    flags = _AT_RETURN if at_return else 0
    return (
        _call(_LINK_CREATE, struct.pack("=IIIIQQQQIII", program, 0, _USER_PROBES, 0, *where, count, flags, 0))
        .checked()
        .result
    )


def look_up(descriptor: int, key: bytes, size: int) -> bytes | None:
    """The value at a key, all its parts in a row; None if there is none. Raises OSError."""
    place, value = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(size)
    answer = _call(_LOOKUP, _element(descriptor, ctypes.addressof(place), ctypes.addressof(value)))
    if answer.problem == errno.ENOENT:
        return None
    answer.checked()
    return value.raw


def update(descriptor: int, key: bytes, value: bytes) -> None:
    """Puts a value at a key; a queue has none (b""). Raises OSError, also when the map is full."""
    place, new = ctypes.create_string_buffer(key, len(key) or 1), ctypes.create_string_buffer(value, len(value))
    _call(_UPDATE, _element(descriptor, ctypes.addressof(place) if key else 0, ctypes.addressof(new))).checked()


def delete(descriptor: int, key: bytes) -> bool:
    """Removes a key; False if it had gone already. Raises OSError."""
    place = ctypes.create_string_buffer(key, len(key))
    answer = _call(_DELETE, _element(descriptor, ctypes.addressof(place), 0))
    if answer.problem == errno.ENOENT:
        return False
    answer.checked()
    return True


def _element(descriptor: int, key: int, value: int) -> bytes:
    return struct.pack("=IIQQQ", descriptor, 0, key, value, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Some of a map's keys, with their values in the same order; `following`: where to go on, None at the end."""

    keys: bytes
    values: bytes
    count: int
    following: bytes | None


def look_up_batch(descriptor: int, position: bytes | None, *, key_bytes: int, value_bytes: int, size: int) -> Batch:
    """Up to `size` keys of a hash map, from a position on (None: the beginning).

    Raises OSError; ENOSPC says that `size` is less than one bucket of the table holds.
    """
    keys, values = ctypes.create_string_buffer(key_bytes * size), ctypes.create_string_buffer(value_bytes * size)
    start, following = ctypes.create_string_buffer(position or b"", 8), ctypes.create_string_buffer(8)
    places = (ctypes.addressof(start) if position else 0, ctypes.addressof(following))
    buffers = (ctypes.addressof(keys), ctypes.addressof(values))
    answer = _call(_LOOKUP_BATCH, struct.pack("=QQQQIIQQ", *places, *buffers, size, descriptor, 0, 0))
    is_last = answer.problem == errno.ENOENT
    if not is_last:
        answer.checked()
    (count,) = _BATCH_COUNT.unpack_from(answer.attributes)
    # Not all of the buffers: most tables are nearly empty.
    found = (ctypes.string_at(keys, key_bytes * count), ctypes.string_at(values, value_bytes * count))
    return Batch(keys=found[0], values=found[1], count=count, following=None if is_last else following.raw)


def program_info(descriptor: int, size: int) -> bytes | None:
    """The first bytes of struct bpf_prog_info; None if the kernel does not tell."""
    information = ctypes.create_string_buffer(size)
    answer = _call(_OBJECT_INFO, struct.pack("=IIQ", descriptor, size, ctypes.addressof(information)))
    return information.raw if answer.result >= 0 else None


def enable_run_times() -> int:
    """The kernel measures the runs of all programs until the descriptor that is returned is closed. Raises OSError."""
    return _call(_ENABLE_STATISTICS, struct.pack("=I", _RUN_TIME_STATISTICS)).checked().result


def _object_name(name: str) -> bytes:
    return name.encode()[:_NAME_BYTES]
