"""The stacks of threads that waited for locks, and of those that kept them waiting, as numbers of frames."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.readers.frames import stack_addresses
from podtrace_tracer.symbols.frames import FrameBook, ImageKey

MAX_STACKS: Final = 10_000


class LockStacks:
    """Reads each stack of the programs once, and asks for the names of its frames."""

    def __init__(self, programs: Programs, frames: FrameBook) -> None:
        self._programs, self._frames = programs, frames
        self._addresses: dict[int, tuple[int, ...]] = {}

    def frames_of(self, image: ImageKey, stack: int) -> tuple[int, ...]:
        """The frames of a stack by its hash, innermost first; none where there is none, and while it is not known."""
        if not stack:
            return ()
        if stack not in self._addresses and len(self._addresses) < MAX_STACKS:
            self._addresses[stack] = stack_addresses(self._programs, stack)
        numbers = self._frames.numbers(image, self._addresses.get(stack, ())) or ()
        self._frames.use(numbers)
        return numbers

    def finish(self, patience_s: float) -> None:
        """Waits so long for names."""
        self._frames.finish(patience_s)
