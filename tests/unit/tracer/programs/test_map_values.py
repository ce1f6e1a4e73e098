from __future__ import annotations

from podtrace_tracer.programs.map_values import filled_buckets, merged, name_in


def test_a_name_ends_at_its_zero_byte_or_with_its_array() -> None:
    assert [name_in(raw) for raw in (b"web\0\0old", b"sixteen-letters!", b"\0", b"w\xff")] == [
        "web",
        "sixteen-letters!",
        "",
        "w\\xff",
    ]


def test_of_maxima_the_largest_is_kept_and_other_counters_are_added_up() -> None:
    parts = [{"count": 3, "max_ns": 9, "max_bytes": 1}, {"count": 4, "max_ns": 5, "max_bytes": 2}]
    assert merged(parts) == {"count": 7, "max_ns": 9, "max_bytes": 2}
    assert merged(parts[:1]) == parts[0]


def test_buckets_without_a_count_are_left_out() -> None:
    counts = [0, 2**63, 0, 5]
    assert filled_buckets(b"".join(count.to_bytes(8, "little") for count in counts)) == (1, 2**63, 3, 5)
    assert filled_buckets(bytes(32)) == filled_buckets(b"") == ()
