"""The ring buffer in which programs leave what is no count: events, names, answers."""

from __future__ import annotations

import mmap
import select
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_RECORD_HEADER: Final = struct.Struct("=II")
_BUSY, _DISCARD = 1 << 31, 1 << 30


class RingRecord(NamedTuple):
    """One record of the ring buffer: the number in its first word, and its bytes."""

    kind: int
    data: bytes


class Ring:
    """A BPF ring buffer read through its own memory: records are copied out, no callback.

    Records for which the programs wake somebody make `wake_descriptor` ready until the next reading.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        page = mmap.PAGESIZE
        self._mask = size - 1
        self._consumer = mmap.mmap(descriptor, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        # The kernel maps the data twice in a row, so that a record never wraps.
        self._producer = mmap.mmap(descriptor, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self._page = page
        self._descriptor = descriptor
        self._woken: select.epoll | None = None

    @property
    def wake_descriptor(self) -> int:
        """Ready after a wake-up, not after just any record: most wake nobody."""
        if self._woken is None:
            self._woken = select.epoll()
            self._woken.register(self._descriptor, select.EPOLLIN | select.EPOLLET)
        return self._woken.fileno()

    def read(self) -> Iterator[RingRecord]:
        """Records in their order; stops at one that is still being written."""
        if self._woken is not None:
            self._woken.poll(0)
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
