"""The book of frames: each place in a program once, by a number, with what is known of it."""

from __future__ import annotations

import os
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kubectl_podtrace.wire.stack_records import FrameRow
from podtrace_tracer.symbols import memory_map
from podtrace_tracer.symbols.memory_map import Mapping, MemoryMap
from podtrace_tracer.symbols.program_file import Place, shortened
from podtrace_tracer.symbols.symbolizer import Answer, Symbolizer

MAX_FRAMES: Final = 20_000
MAX_SPOTS: Final = 160_000
_MAX_IMAGES: Final = 4_096
_MAX_OPEN_FILES: Final = 64
_LOOK_AGAIN_S: Final = 1.0
UNKNOWN: Final = "[unknown]"
"""The module of an address that is in no mapping that was seen, or beyond the frames that are kept."""

ImageKey = tuple[int, int, int]
"""Start time, number of executions, tgid."""
Spot = tuple[str, int]
"""A file and an offset in it; or something that is no file, and an address."""


@dataclass(kw_only=True)
class _Image:
    node_pid: int
    map: MemoryMap
    looked_at: float


class FrameBook:
    """Turns addresses of processes into the numbers of frames.

    A process's map is read when it is first heard of, and its programs' files are opened then: a moment later both may
    have gone.
    """

    def __init__(
        self,
        proc: Path = Path("/proc"),
        symbolizer: Symbolizer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proc = proc
        self._symbolizer = symbolizer or Symbolizer()
        self._clock = clock
        self._images: OrderedDict[ImageKey, _Image] = OrderedDict()
        self._files: OrderedDict[str, int] = OrderedDict()
        self._numbers: dict[Spot, int] = {}
        self._asked: set[Spot] = set()
        self._number_of_row: dict[tuple[str, str, int, str], int] = {}
        self._modules: dict[str, str] = {}
        self.rows: dict[int, FrameRow] = {}
        self.used: dict[int, FrameRow] = {}

    def see(self, image: ImageKey, node_pid: int) -> None:
        """Looks at the map of a process that has stacks."""
        if image not in self._images:
            self._look(image, node_pid)

    def numbers(self, image: ImageKey, addresses: Sequence[int]) -> tuple[int, ...] | None:
        """The frames at these addresses, as far as they are code; None as long as some of them are being looked up."""
        spots: list[Spot] = []
        for place, address in enumerate(addresses):
            mapping = self._mapping(image, address)
            if mapping is None and place and self._is_known(image):
                break  # behind it the chain ran into data
            spots.append(self._spot(mapping, address))
        wanted = [spot for spot in spots if spot not in self._numbers]
        if wanted:
            self._ask(wanted)
        found = [self._numbers.get(spot) for spot in spots]
        return None if None in found else tuple(number for number in found if number is not None)

    def turn(self) -> None:
        """Takes in what has been found out meanwhile."""
        self._symbolizer.turn()

    def finish(self, patience_s: float) -> None:
        """Waits so long for what is being looked up."""
        self._symbolizer.finish(self._clock() + patience_s)

    def close(self) -> None:
        """Closes all files and ends the reader."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
        self._symbolizer.close()

    def use(self, numbers: Iterable[int]) -> None:
        """These frames stand in what is sent, so they are to be sent themselves; the most important first."""
        for number in numbers:
            self.used.setdefault(number, self.rows[number])

    def of_name(self, module: str) -> int:
        """The frame of something that has no places, such as the kernel."""
        return self._number((module, "", 0, ""), "")

    def function(self, number: int) -> int:
        """The frame that stands for the whole function around a place; in a file without names, for all of it."""
        row = self.rows[number]
        return self._number((row.module, row.symbol, 0, ""), row.build_id)

    def _is_known(self, image: ImageKey) -> bool:
        known = self._images.get(image)
        return known is not None and bool(known.map.mappings)

    def _look(self, image: ImageKey, node_pid: int) -> _Image:
        try:
            found = memory_map.read(self._proc / str(node_pid)) if node_pid else MemoryMap(())
        except OSError:
            found = MemoryMap(())
        known = _Image(node_pid=node_pid, map=found, looked_at=self._clock())
        self._images[image] = known
        self._images.move_to_end(image)
        while len(self._images) > _MAX_IMAGES:
            self._images.popitem(last=False)
        for mapping in found.mappings:
            self._open(node_pid, mapping)
        return known

    def _mapping(self, image: ImageKey, address: int) -> Mapping | None:
        known = self._images.get(image)
        if known is None:
            return None
        mapping = known.map.find(address)
        if mapping is None and self._clock() - known.looked_at > _LOOK_AGAIN_S:
            # A library may have been loaded since.
            again = self._look(image, known.node_pid)
            if not again.map.mappings:
                again.map = known.map
            mapping = again.map.find(address)
        return mapping

    def _spot(self, mapping: Mapping | None, address: int) -> Spot:
        if mapping is None:
            return (UNKNOWN, address)
        if mapping.file is None:
            return (mapping.path or "[anonymous]", address)
        name = _file_name(mapping)
        self._modules[name] = mapping.path
        return (name, address - mapping.start + mapping.offset)

    def _open(self, node_pid: int, mapping: Mapping) -> None:
        if mapping.file is None or _file_name(mapping) in self._files:
            return
        # By this link the very file opens, deleted or in whatever mount namespace; no link of its own is followed.
        link = self._proc / str(node_pid) / "map_files" / f"{mapping.start:x}-{mapping.end:x}"
        with suppress(OSError):
            descriptor = os.open(link, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                return
            self._files[_file_name(mapping)] = descriptor
            while len(self._files) > _MAX_OPEN_FILES:
                os.close(self._files.popitem(last=False)[1])

    def _ask(self, spots: Iterable[Spot]) -> None:
        by_file: dict[str, list[int]] = {}
        for spot in dict.fromkeys(spots):
            if spot in self._asked:
                continue
            self._asked.add(spot)
            if spot[0] in self._files:
                by_file.setdefault(spot[0], []).append(spot[1])
            else:
                self._learn(spot, Answer(place=Place(spot[1], "", ""), build_id=""))
        for name, offsets in by_file.items():
            self._files.move_to_end(name)
            self._symbolizer.ask(name, self._files[name], offsets, self._taker(name))

    def _taker(self, name: str) -> Callable[[int, Answer], None]:
        return lambda offset, answer: self._learn((name, offset), answer)

    def _learn(self, spot: Spot, answer: Answer) -> None:
        self._asked.discard(spot)
        place = answer.place
        module = self._modules.get(spot[0], spot[0])
        number = self._number(
            (module, shortened(place.symbol), place.address, shortened(place.source)), answer.build_id
        )
        if len(self._numbers) >= MAX_SPOTS:
            self._numbers.clear()  # what is met again is asked again, and gets the same number
        self._numbers[spot] = number

    def _number(self, key: tuple[str, str, int, str], build_id: str) -> int:
        number = self._number_of_row.get(key)
        if number is None and len(self.rows) >= MAX_FRAMES:
            key = (UNKNOWN, "", 0, "")
            number = self._number_of_row.get(key)
        if number is None:
            number = self._number_of_row[key] = len(self.rows)
            module, symbol, offset, source = key
            self.rows[number] = FrameRow(
                key=number, symbol=symbol, module=module, offset=offset, source=source, build_id=build_id
            )
        return number


def _file_name(mapping: Mapping) -> str:
    # Numbers alone can be the same in two parts of one file system (btrfs).
    return f"{mapping.device}:{mapping.inode}:{mapping.path}"
