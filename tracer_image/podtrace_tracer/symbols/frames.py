"""The book of frames: each place in a program once, by a number, with what is known of it."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from kubectl_podtrace.wire.stack_records import FrameRow
from podtrace_tracer.symbols import memory_map, opening
from podtrace_tracer.symbols.memory_map import Mapping, MemoryMap
from podtrace_tracer.symbols.place import Place, Wanted, shortened
from podtrace_tracer.symbols.symbolizer import Answer, Kind, Symbolizer, Take

MAX_FRAMES: Final = 20_000
MAX_SPOTS: Final = 160_000
_MAX_IMAGES: Final = 4_096
_MAX_OPEN_FILES: Final = 64
_LOOK_AGAIN_S: Final = 1.0
"""For an address that is nowhere."""
_LOOK_ANYWAY_S: Final = 0.05
"""At a stack that is new."""
UNKNOWN: Final = "[unknown]"
"""The module of an address that is in no mapping that was seen, or beyond the frames that are kept."""
COMPILED: Final = "[compiled at run time]"
"""The module of code that a process made for itself."""

ImageKey = tuple[int, int, int]
"""Start time, number of executions, tgid."""


class Spot(NamedTuple):
    """A file and an offset in it, or something that is no file and an address; and what is to be known of it."""

    file: str
    offset: int
    wanted: Wanted


@dataclass(kw_only=True)
class _Image:
    node_pid: int
    pid: int
    map: MemoryMap
    looked_at: float
    compiled_name: str


@dataclass(frozen=True, kw_only=True)
class _File:
    descriptor: int
    module: str
    kind: Kind = "program"


class FrameBook:
    """Turns addresses of processes into the numbers of frames.

    A process's map is read when it is first heard of, and its programs' files are opened then: a moment later both may
    have gone. Rows of frames travel when they are in use.
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
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._numbers: dict[Spot, int] = {}
        self._asked: set[Spot] = set()
        self._number_of_row: dict[tuple[str, str, int, str], int] = {}
        self.rows: dict[int, FrameRow] = {}
        self.used: dict[int, FrameRow] = {}

    def see(self, image: ImageKey, node_pid: int, pid: int) -> None:
        """Looks at the map of a process that has stacks; `pid` is its own in its namespace."""
        known = self._images.get(image)
        if known is None:
            self._look(image, node_pid, pid)
        elif self._clock() - known.looked_at > _LOOK_ANYWAY_S:
            self._look_again(image, known)

    def numbers(self, image: ImageKey, addresses: Sequence[int], wanted: Wanted = "line") -> tuple[int, ...] | None:
        """The frames at these addresses, as far as they are code; None as long as some of them are being looked up.

        Those of whole functions, if only the `function` is wanted; in a file without names of all of it.
        """
        spots: list[Spot] = []
        missing: dict[Spot, Mapping | None] = {}
        for place, address in enumerate(addresses):
            mapping = self._mapping(image, address)
            if mapping is None and place and self._is_known(image):
                break  # behind it the chain ran into data
            spots.append(spot := self._spot(image, mapping, address, wanted))
            if spot not in self._numbers:
                missing[spot] = mapping
        if missing:
            self._ask(image, missing)
        found = [self._numbers.get(spot) for spot in spots]
        return None if None in found else tuple(number for number in found if number is not None)

    def variable(self, image: ImageKey, address: int) -> int | None:
        """The frame of the variable at an address; None where there is none with a name, and as above."""
        known = self._images.get(image)
        mapping = known.map.find_variables(address) if known else None
        number = self._known(image, mapping, address, "variable") if mapping else None
        return number if number is not None and self.rows[number].symbol else None

    def has_gone(self, image: ImageKey) -> bool:
        """Has this process certainly ended?"""
        known = self._images.get(image)
        return known is not None and known.node_pid > 0 and not (self._proc / str(known.node_pid)).exists()

    def use(self, numbers: Iterable[int]) -> None:
        """These frames stand in what is sent, so they are to be sent themselves; the most important first."""
        for number in numbers:
            self.used.setdefault(number, self.rows[number])

    def of_name(self, module: str) -> int:
        """The frame of something that has no places, such as the kernel."""
        return self._number((module, "", 0, ""), "")

    @property
    def wake_descriptor(self) -> int:
        """Becomes ready when something has been found out."""
        return self._symbolizer.wake_descriptor

    def turn(self) -> None:
        """Takes in what has been found out meanwhile."""
        self._symbolizer.turn()

    def finish(self, patience_s: float) -> None:
        """Waits so long for what is being looked up."""
        self._symbolizer.finish(self._clock() + patience_s)

    def close(self) -> None:
        """Closes all files and ends the reader."""
        for file in self._files.values():
            os.close(file.descriptor)
        self._files.clear()
        self._symbolizer.close()

    def _is_known(self, image: ImageKey) -> bool:
        known = self._images.get(image)
        return known is not None and bool(known.map.mappings)

    def _look(self, image: ImageKey, node_pid: int, pid: int) -> _Image:
        try:
            found = memory_map.read(self._proc / str(node_pid)) if node_pid else MemoryMap()
        except OSError:
            found = MemoryMap()
        name = ":".join(map(str, ("compiled", *image)))
        known = _Image(node_pid=node_pid, pid=pid, map=found, looked_at=self._clock(), compiled_name=name)
        self._images[image] = known
        self._images.move_to_end(image)
        while len(self._images) > _MAX_IMAGES:
            self._images.popitem(last=False)
        for mapping in found.mappings:
            self._open(known, mapping)
        return known

    def _mapping(self, image: ImageKey, address: int) -> Mapping | None:
        known = self._images.get(image)
        if known is None:
            return None
        mapping = known.map.find(address)
        if mapping is None and self._clock() - known.looked_at > _LOOK_AGAIN_S:
            # A library may have been loaded since.
            mapping = self._look_again(image, known).map.find(address)
        return mapping

    def _look_again(self, image: ImageKey, known: _Image) -> _Image:
        again = self._look(image, known.node_pid, known.pid)
        if not again.map.mappings:
            again.map = known.map
        return again

    def _open(self, image: _Image, mapping: Mapping) -> None:
        """Opens the file of a mapping, so that it can be read later on."""
        directory, name = self._proc / str(image.node_pid), _file_name(mapping)
        kind: Kind = "program"
        if mapping.path == opening.VDSO:
            descriptor = None if name in self._files else opening.kernel_library(self._proc)
        elif mapping.file is None:
            name, kind = image.compiled_name, "compiled"
            descriptor = None if name in self._files else opening.compiled_code(directory, image.pid)
        else:
            descriptor = None if name in self._files else opening.program(directory, mapping)
        if descriptor is None:
            return
        module = mapping.path if kind == "program" else COMPILED
        self._files[name] = _File(descriptor=descriptor, module=module, kind=kind)
        while len(self._files) > _MAX_OPEN_FILES:
            os.close(self._files.popitem(last=False)[1].descriptor)

    def _spot(self, image: ImageKey, mapping: Mapping | None, address: int, wanted: Wanted) -> Spot:
        if mapping is None:
            return Spot(UNKNOWN, 0, wanted)
        if mapping.file is None and mapping.path != opening.VDSO:
            return Spot(self._images[image].compiled_name, address, wanted)
        return Spot(_file_name(mapping), address - mapping.start + mapping.offset, wanted)

    def _known(self, image: ImageKey, mapping: Mapping | None, address: int, wanted: Wanted) -> int | None:
        spot = self._spot(image, mapping, address, wanted)
        if spot not in self._numbers:
            self._ask(image, {spot: mapping})
        return self._numbers.get(spot)

    def _ask(self, image: ImageKey, spots: dict[Spot, Mapping | None]) -> None:
        by_file: dict[tuple[str, Wanted, Mapping | None], list[int]] = {}
        for spot, mapping in spots.items():
            if spot in self._asked:
                continue
            self._asked.add(spot)
            by_file.setdefault((spot.file, spot.wanted, mapping), []).append(spot.offset)
        for (name, wanted, mapping), offsets in by_file.items():
            if mapping is not None:
                self._open(self._images[image], mapping)  # it may have been closed to make room for others
            take = self._taker(name, self._files.get(name), wanted)
            if name not in self._files:
                for offset in offsets:
                    take(
                        offset,
                        Answer(place=Place(0 if name.startswith(("[", "compiled:")) else offset, "", ""), build_id=""),
                    )
                continue
            self._files.move_to_end(name)
            file = self._files[name]
            self._symbolizer.ask(name, file.descriptor, offsets, take, kind=file.kind, wanted=wanted)

    def _taker(self, name: str, file: _File | None, wanted: Wanted) -> Take:
        module = file.module if file else _module_of(name)
        return lambda offset, answer: self._learn(Spot(name, offset, wanted), module, answer)

    def _learn(self, spot: Spot, module: str, answer: Answer) -> None:
        self._asked.discard(spot)
        place, symbol = answer.place, shortened(answer.place.symbol)
        # Samples are nearly as many places as samples: only their functions may take up the places of frames.
        key = (
            (module, symbol, 0, "")
            if spot.wanted == "function"
            else (module, symbol, place.address, shortened(place.source))
        )
        number = self._number(key, answer.build_id)
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


def _module_of(name: str) -> str:
    """The module of what could not be opened: the path in the file's name, or what is no file."""
    if name.startswith("["):
        return name
    return COMPILED if name.startswith("compiled:") else name.split(":", 3)[-1]
