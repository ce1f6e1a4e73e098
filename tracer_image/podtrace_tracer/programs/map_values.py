"""What the values of the programs' maps and records mean: names, buckets, the counters of several CPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubectl_podtrace.wire.codec import clean_text


def name_in(characters: bytes) -> str:
    r"""The text of an array of characters, up to its zero byte.

    >>> name_in(b"web\0rest")
    'web'
    """
    return clean_text(characters.split(b"\0")[0])


def number_in(values: Sequence[bytes] | None) -> int:
    r"""The number at a key of a map, added up where each CPU has its own; 0 where there is no such key.

    >>> number_in([b"\5\0\0\0", b"\2\1\0\0"])
    263
    """
    return sum(int.from_bytes(value, "little") for value in values or ())


def exit_status(status: int) -> tuple[int, int]:
    """The exit code and the signal in the kernel's word on how a process ended (wait(2)).

    >>> exit_status(3 << 8), exit_status(9)
    ((3, 0), (0, 9))
    """
    return status >> 8 & 0xFF, status & 0x7F


def merged(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Counters of several CPUs (or scopes) as one: the largest of those called `max_`, the sum of the others."""
    return {
        name: max(part[name] for part in parts) if name.startswith("max_") else sum(part[name] for part in parts)
        for name in parts[0]
    }


def filled_buckets(counts: bytes) -> tuple[int, ...]:
    r"""A histogram's u64 counts as pairs in a row: a bucket's index and its count, for each that is not empty.

    >>> filled_buckets(bytes(8) + b"\7" + bytes(15) + b"\2" + bytes(7))
    (1, 7, 3, 2)
    """
    return in_a_row({bucket: count for bucket, count in enumerate(memoryview(counts).cast("Q")) if count})


def in_a_row(buckets: Mapping[int, int]) -> tuple[int, ...]:
    """Counts by bucket as pairs in a row, in the order of the buckets.

    >>> in_a_row({3: 2, 1: 7})
    (1, 7, 3, 2)
    """
    return tuple(number for pair in sorted(buckets.items()) for number in pair)
