"""The log-linear latency histogram that the kernel fills and the plugin reads.

Bucket 0..15 are linear, 8 ns wide, below 128 ns. From there each power of two is divided into 16 buckets of equal
width, so that a bucket is at most 1/16 of its lower bound wide and its midpoint is at most 3.2 % away from any value in
it. The last bucket is open: it takes everything from 2^41 * 31/16 ns (71 minutes) up. The BPF programs get these
constants with `-D`.
"""

from __future__ import annotations

from collections.abc import Mapping

SUB_BITS = 4
FIRST_EXPONENT = 7
LAST_EXPONENT = 41
SUB_BUCKETS = 1 << SUB_BITS
BUCKETS = (LAST_EXPONENT - FIRST_EXPONENT + 2) * SUB_BUCKETS
LINEAR_SHIFT = FIRST_EXPONENT - SUB_BITS


def bucket_of(value_ns: int) -> int:
    """The bucket of a duration in nanoseconds; the same arithmetic as `histogram_bucket` in histogram.bpf.h.

    >>> bucket_of(0), bucket_of(127), bucket_of(128), bucket_of(1 << 60)
    (0, 15, 16, 575)
    """
    if value_ns < 1 << FIRST_EXPONENT:
        return max(value_ns, 0) >> LINEAR_SHIFT
    exponent = value_ns.bit_length() - 1
    if exponent > LAST_EXPONENT:
        return BUCKETS - 1
    sub = (value_ns >> (exponent - SUB_BITS)) & (SUB_BUCKETS - 1)
    return (exponent - FIRST_EXPONENT + 1) * SUB_BUCKETS + sub


def lower_bound(bucket: int) -> int:
    """The smallest duration (ns) that falls into a bucket."""
    if not 0 <= bucket < BUCKETS:
        raise ValueError(f"bucket {bucket} is outside 0..{BUCKETS - 1}")
    octave, sub = divmod(bucket, SUB_BUCKETS)
    if octave == 0:
        return sub << LINEAR_SHIFT
    return (SUB_BUCKETS + sub) << (octave - 1 + LINEAR_SHIFT)


def midpoint(bucket: int) -> int:
    """The duration (ns) in the middle of a bucket: what a percentile that falls into it is reported as."""
    low = lower_bound(bucket)
    return (low + (lower_bound(bucket + 1) if bucket + 1 < BUCKETS else low)) // 2


def percentile(buckets: Mapping[int, int], fraction: float, max_ns: int) -> int:
    """The R-7 percentile (Hyndman & Fan 1996: linear between the order statistics at `(n - 1) * fraction`), in ns.

    `buckets` maps bucket to count; each order statistic is taken at its bucket's midpoint, never above `max_ns`.
    Returns 0 for an empty histogram.
    """
    count = sum(buckets.values())
    if count == 0:
        return 0
    position = (count - 1) * fraction
    below = int(position)
    low, high = _order_statistics(buckets, below, min(below + 1, count - 1), max_ns)
    return round(low + (high - low) * (position - below))


def _order_statistics(buckets: Mapping[int, int], first: int, second: int, max_ns: int) -> tuple[int, int]:
    seen, low = 0, None
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if low is None and seen > first:
            low = min(midpoint(bucket), max_ns)
        if low is not None and seen > second:
            return low, min(midpoint(bucket), max_ns)
    raise ValueError("a histogram's counts are not negative")
