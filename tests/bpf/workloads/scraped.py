"""Reads, writes and syncs files so often, then scrapes the metrics of its own trace until they have it all.

Started as `scraped.py STDERR DIRECTORY`: podtrace says in STDERR where the metrics are. Prints the last page.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import urllib.request
from pathlib import Path

READS, WRITES, FSYNCS, FAILED = 1_009, 211, 13, 101
SIZE = 17


def load(directory: Path) -> Path:
    """The path that is read last, and when it has been, everything has been done."""
    with (directory / "written").open("wb", buffering=0) as file:
        for number in range(WRITES):
            file.write(b"x" * SIZE)
            if number < FSYNCS:
                os.fsync(file.fileno())
    for _ in range(FAILED):
        with contextlib.suppress(FileNotFoundError):
            os.close(os.open(directory / "absent", os.O_RDONLY))
    path = directory / "read"
    with path.open("wb", buffering=0) as file:
        file.write(b"y" * SIZE)
    descriptor = os.open(path, os.O_RDONLY)
    for _ in range(READS):
        os.pread(descriptor, SIZE, 0)
    return path


def page_with(url: str, line: str) -> str:
    """The first page that has a line; sockets are all that it takes."""
    while True:
        with urllib.request.urlopen(url) as answer:
            page: str = answer.read().decode()
        if line in page:
            return page


def main(said: Path, directory: Path) -> None:
    """See above."""
    while not (url := re.search(r"http://\S+", said.read_text())):
        pass
    # Whatever the first scrape imports and reads is there before the load, and done only once.
    page_with(url[0], "podtrace_info")
    path = load(directory)
    sys.stdout.write(page_with(url[0], f'podtrace_files_file_operations_total{{path="{path}"}} {READS + 1}.0\n'))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
