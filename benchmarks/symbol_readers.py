"""Our reader of symbols beside pyelftools: CPU time for the functions at 1,000 places of a file.

pip install pyelftools, which nothing else needs, and
python -m benchmarks.symbol_readers FILE...
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

sys.path.insert(0, str(Path(__file__).parents[1] / "tracer_image"))

from benchmarks.rounds import order_of, ratio
from podtrace_tracer.symbols.program_file import ProgramFile

PLACES, ROUNDS = 1_000, 7
Offsets = Sequence[int]


def main() -> None:
    """Prints one line for each file: the median of each reader's times, and of their ratios."""
    for name in sys.argv[1:]:
        offsets = code_offsets(Path(name))
        found: dict[str, list[float]] = {reader: [] for reader in READERS}
        for number in range(ROUNDS):
            for reader in order_of(READERS, number):
                found[reader].append(cpu_s(READERS[reader], Path(name), offsets))
        of_ours = ratio(found["pyelftools"], found["ours"])
        times = ", ".join(f"{reader} {statistics.median(taken) * 1e3:.0f} ms" for reader, taken in found.items())
        print(f"{name}: {times}: {of_ours.median:.1f} times ({of_ours.least:.1f} to {of_ours.most:.1f})")


def cpu_s(read: Callable[[Path, Offsets], list[str]], path: Path, offsets: Offsets) -> float:
    """The CPU time of one reading."""
    before = time.process_time()
    names = read(path, offsets)
    after = time.process_time()
    if not any(names):
        raise SystemExit(f"{path} names no function")
    return after - before


def code_offsets(path: Path) -> list[int]:
    """Places in the code of a file, the same ones each time."""
    with path.open("rb") as file:
        code = next(part for part in ELFFile(file).iter_segments("PT_LOAD") if part["p_flags"] & 1)
        chosen = random.Random(7)
        return [code["p_offset"] + chosen.randrange(code["p_filesz"]) for _ in range(PLACES)]


def ours(path: Path, offsets: Offsets) -> list[str]:
    """The functions at these places, by the tracer's own reader."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return [place.symbol for place in ProgramFile(descriptor).places(offsets, wanted="function")]
    finally:
        os.close(descriptor)


def pyelftools(path: Path, offsets: Offsets) -> list[str]:
    """The same, by pyelftools."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        tables = [section for section in elf.iter_sections() if isinstance(section, SymbolTableSection)]
        functions = sorted(
            (symbol["st_value"], symbol["st_size"], symbol.name)
            for table in tables
            for symbol in table.iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] != "SHN_UNDEF"
        )
        starts = [start for start, _, _ in functions]
        names = []
        code = next(part for part in elf.iter_segments("PT_LOAD") if part["p_flags"] & 1)
        for address in (offset - code["p_offset"] + code["p_vaddr"] for offset in offsets):
            start, size, name = functions[max(bisect_right(starts, address) - 1, 0)]
            names.append(name if start <= address < start + max(size, 1) else "")
        return names


READERS = {"ours": ours, "pyelftools": pyelftools}

if __name__ == "__main__":
    main()
