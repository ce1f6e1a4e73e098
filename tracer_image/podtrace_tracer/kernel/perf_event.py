"""Perf events that run a program: a clock of a CPU's own, a tracepoint by way of its trace event, a place in a file."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

from podtrace_tracer.kernel.syscall_numbers import number_of

_ATTRIBUTES: Final = struct.Struct("=IIQQQQQIIQQ")  # struct perf_event_attr up to config2
_USER_PROBE: Final = Path("/sys/bus/event_source/devices/uprobe")
_TYPE_SOFTWARE, _TYPE_TRACEPOINT = 1, 2
_CPU_CLOCK: Final = 0  # PERF_COUNT_SW_CPU_CLOCK
_PER_SECOND: Final = 1 << 10  # the period is a frequency
_CLOSE_ON_EXEC: Final = 8
_ENABLE, _SET_PROGRAM = 0x2400, 0x4004_2408  # PERF_EVENT_IOC_ENABLE, PERF_EVENT_IOC_SET_BPF


def attach_trace_event(number: int, program: int) -> int:
    """Runs the program at each event, whoever causes it, until the descriptor is closed. Raises OSError."""
    # One event on one CPU is enough: the program hangs on the tracepoint, not on the event.
    return _attach(_TYPE_TRACEPOINT, number, program, cpu=0, period=1, flags=0)


def may_attach_trace_event(number: int) -> bool:
    """May this process? Some distributions want more than CAP_PERFMON (Debian's kernel.perf_event_paranoid=3)."""
    try:
        os.close(_opened(_TYPE_TRACEPOINT, number, cpu=0, period=1, flags=0))
    except OSError:
        return False
    return True


def attach_clock(cpu: int, program: int, per_s: int) -> int:
    """Runs the program so many times a second in the interrupt of a clock of this CPU. Raises OSError."""
    return _attach(_TYPE_SOFTWARE, _CPU_CLOCK, program, cpu=cpu, period=per_s, flags=_PER_SECOND)


def attach_user_probe(path: str, offset: int, program: int, *, at_return: bool) -> int:
    """Runs the program when any process comes to this offset of a file, or returns from the function there.

    Until the descriptor is closed, which takes a tenth of a second. Raises OSError.
    """
    name = ctypes.create_string_buffer(path.encode())
    kind = int((_USER_PROBE / "type").read_text(encoding="ascii"))
    place = (ctypes.addressof(name), offset)
    return _attach(kind, int(at_return), program, cpu=0, period=1, flags=0, place=place)


def _attach(
    kind: int, config: int, program: int, *, cpu: int, period: int, flags: int, place: tuple[int, int] = (0, 0)
) -> int:
    descriptor = _opened(kind, config, cpu=cpu, period=period, flags=flags, place=place)
    try:
        fcntl.ioctl(descriptor, _SET_PROGRAM, program)
        fcntl.ioctl(descriptor, _ENABLE, 0)
    except OSError:
        with suppress(OSError):
            os.close(descriptor)
        raise
    return descriptor


def _opened(kind: int, config: int, *, cpu: int, period: int, flags: int, place: tuple[int, int] = (0, 0)) -> int:
    attributes = _ATTRIBUTES.pack(kind, _ATTRIBUTES.size, config, period, 0, 0, flags, 0, 0, *place)
    number = ctypes.c_long(number_of("perf_event_open", os.uname().machine))
    every_process, no_group = -1, -1
    descriptor = ctypes.CDLL(None, use_errno=True).syscall(
        number, attributes, every_process, cpu, no_group, ctypes.c_ulong(_CLOSE_ON_EXEC)
    )
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(descriptor)
