"""Text of numbers: the one place where nanoseconds, bytes, counts and shares become words.

Measured values show three significant digits; thresholds are printed as they were set.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Self

MICROSECOND_NS: Final = 1_000
MILLISECOND_NS: Final = 1_000_000
SECOND_NS: Final = 1_000_000_000


class Amount(str):
    """The text of a number that still knows the number, so that what shows it can order by it: here 1.5 KiB is 1536.

    >>> Amount("1.50 KiB", 1536), Amount("1.50 KiB", 1536).value
    ('1.50 KiB', 1536)
    """

    __slots__ = ("value",)

    value: float

    def __new__(cls, text: str, value: float) -> Self:
        """A text and its number."""
        amount = super().__new__(cls, text)
        amount.value = value
        return amount


_LATEST_NS: Final = 253_370_764_800 * SECOND_NS
"""The year 9999."""
_DURATION_UNITS: Final = ((MICROSECOND_NS, "µs"), (MILLISECOND_NS, "ms"), (SECOND_NS, "s"))
_SIZE_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def duration(ns: int) -> Amount:
    """A measured duration.

    >>> duration(7), duration(1_234_567), duration(999_999), duration(63_000_000_000), duration(7_260_000_000_000)
    ('7 ns', '1.23 ms', '1.00 ms', '63.0 s', '2 h 1 min')
    """
    return Amount(_duration_text(ns), ns)


def _duration_text(ns: int) -> str:
    if ns < MICROSECOND_NS:
        return f"{ns} ns"
    for scale, unit in _DURATION_UNITS:
        text = _three_digits(ns / scale)
        if float(text) < (100 if unit == "s" else 1000):
            return f"{text} {unit}"
    whole = round(ns / SECOND_NS)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def seconds(number: float) -> Amount:
    """A measured duration that is known in seconds.

    >>> seconds(0.0123), seconds(30)
    ('12.3 ms', '30.0 s')
    """
    return duration(round(number * SECOND_NS))


def threshold(ns: int) -> str:
    """A threshold as it was set: milliseconds, every digit that matters.

    >>> threshold(10_000_000), threshold(1_500_000), threshold(250)
    ('10 ms', '1.5 ms', '0.00025 ms')
    """
    whole, rest = divmod(ns, MILLISECOND_NS)
    decimals = f"{rest:06d}".rstrip("0")
    return f"{whole}.{decimals} ms" if decimals else f"{whole} ms"


def limit(ns: int) -> str:
    """A length of time that was laid down, in whole seconds where it is.

    >>> limit(5_000_000_000), limit(1_500_000_000)
    ('5 s', '1500 ms')
    """
    return threshold(ns) if ns % SECOND_NS else f"{ns // SECOND_NS} s"


def round_duration(ns: int) -> str:
    """A duration that is a whole number of its unit, as on an axis.

    >>> round_duration(100), round_duration(10_000_000), round_duration(1_000_000_000_000)
    ('100 ns', '10 ms', '1000 s')
    """
    scale, unit = next(((scale, unit) for scale, unit in reversed(_DURATION_UNITS) if ns >= scale), (1, "ns"))
    return f"{ns // scale} {unit}"


def count(number: int) -> Amount:
    """A whole number with its thousands marked.

    >>> count(1234567)
    '1,234,567'
    """
    return Amount(f"{number:,}", number)


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """A number and its noun.

    >>> counted(1, "event"), counted(2000, "event"), counted(2, "retry", "retries")
    ('1 event', '2,000 events', '2 retries')
    """
    return f"{count(number)} {singular if number == 1 else plural or singular + 's'}"


def ordinal(number: int) -> str:
    """The place in a row.

    >>> [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 1002, 1111)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '1,002nd', '1,111th']
    """
    is_teen = number % 100 in (11, 12, 13)
    word = "teenth" if is_teen else {1: "first", 2: "second", 3: "third"}.get(number % 10, "fourth")
    return f"{count(number)}{word[-2:]}"


def size(number: float) -> Amount:
    """A number of bytes, in powers of 1024: whole bytes below the first.

    >>> size(1000), size(1024), size(12_900_000)
    ('1000 B', '1.00 KiB', '12.3 MiB')
    """
    return Amount(_size_text(number), number)


def _size_text(number: float) -> str:
    if round(number) < 1024:
        return f"{round(number)} B"
    for exponent, unit in enumerate(_SIZE_UNITS, start=1):
        text = _three_digits(number / 1024**exponent)
        if float(text) < 1024 or unit == _SIZE_UNITS[-1]:
            return f"{text} {unit}"
    raise AssertionError("the last unit takes everything")


def rate(per_s: float, noun: str = "") -> Amount:
    """A number per second.

    >>> rate(0), rate(0.0333), rate(41.25), rate(12345.6, "operations")
    ('0/s', '0.0333/s', '41.2/s', '12,346 operations/s')
    """
    return Amount(_rate_text(per_s, f" {noun}/s" if noun else "/s"), per_s)


def _rate_text(per_s: float, unit: str) -> str:
    if per_s <= 0:
        return f"0{unit}"
    if per_s >= 999.5:
        return f"{round(per_s):,}{unit}"
    return f"{_three_digits(per_s)}{unit}" if per_s >= 0.001 else f"< 0.001{unit}"


def size_rate(per_s: float) -> Amount:
    """Bytes per second.

    >>> size_rate(12_900_000)
    '12.3 MiB/s'
    """
    return Amount(f"{size(per_s)}/s", per_s)


def ratio(share: float) -> Amount:
    """A share of 1, in per cent; never rounded to all or nothing when it is neither.

    >>> ratio(0), ratio(0.1234), ratio(0.0001), ratio(0.9999), ratio(1)
    ('0 %', '12.3 %', '< 0.1 %', '> 99.9 %', '100 %')
    """
    return Amount(_ratio_text(share), share)


def _ratio_text(share: float) -> str:
    if share in (0, 1):
        return f"{int(share) * 100} %"
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.1f} %"


def growth(number: int) -> Amount:
    """A whole number with its sign.

    >>> growth(1234), growth(-5), growth(0)
    ('+1,234', '-5', '0')
    """
    return Amount(f"{number:+,}" if number else "0", number)


def ratio_threshold(share: float) -> str:
    """A share as it was set.

    >>> ratio_threshold(0.1), ratio_threshold(0.025)
    ('10 %', '2.5 %')
    """
    return f"{share * 100:.6f}".rstrip("0").rstrip(".") + " %"


def factor(value: float) -> str:
    """How many times one number is another.

    >>> factor(1.2345)
    '1.23'
    """
    return _three_digits(value)


def times(value: float) -> str:
    """How many times another number, to the tenth.

    >>> times(2.0), times(25.31)
    ('2.0x', '25.3x')
    """
    return f"{value:.1f}x"


def exact(number: float, unit: str) -> str:
    """A number in its unit with every digit that it has; a share in per cent.

    >>> exact(50_040_000, "ns"), exact(0.1, "1/s"), exact(0.012345, "ratio"), exact(7, "count")
    ('50,040,000 ns', '0.1/s', '1.2345 %', '7')
    """
    shown = Decimal(repr(number)) * (100 if unit == "ratio" else 1)
    text = f"{shown.normalize():,f}"
    return text + {"count": "", "": "", "ratio": " %", "1/s": "/s"}.get(unit, f" {unit}")


def wall_clock(when: datetime) -> str:
    """A time for people, to the second.

    >>> wall_clock(datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC))
    '2026-01-02 03:04:05 UTC'
    """
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock(when: datetime) -> str:
    """The time of day of a time for people.

    >>> clock(datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC))
    '03:04:05'
    """
    return f"{when.astimezone(UTC):%H:%M:%S}"


def rfc3339(when: datetime) -> str:
    """A time for programs, to the microsecond.

    >>> rfc3339(datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC))
    '2026-01-02T03:04:05.000600Z'
    """
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def rfc3339_ns(epoch_ns: int) -> str:
    """A time in nanoseconds since 1970 for programs, to the nanosecond; never before 1970.

    >>> rfc3339_ns(1_767_323_045_000_600_007), rfc3339_ns(-1)
    ('2026-01-02T03:04:05.000600007Z', '1970-01-01T00:00:00.000000000Z')
    """
    seconds_since, rest_ns = divmod(min(max(epoch_ns, 0), _LATEST_NS), SECOND_NS)
    return f"{datetime.fromtimestamp(seconds_since, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"


def _three_digits(value: float) -> str:
    """Three significant digits without an exponent; more before the point where the number has them."""
    for decimals, limit in ((2, 10), (1, 100)):
        text = f"{value:.{decimals}f}"
        if float(text) < limit:
            return _small(value) if float(text) < 1 else text
    return f"{value:.0f}"


def _small(value: float) -> str:
    return f"{value:.3g}" if value >= 0.0001 else f"{value:.4f}"
