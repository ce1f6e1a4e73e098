"""DNS messages: what is well formed is read, and nothing that is not can do harm."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.wire.fields import MAX_TEXT
from podtrace_tracer.readers.dns_message import TYPE_A, TYPE_AAAA, addresses, name_text

TYPE_CNAME, TYPE_TXT = 5, 16
ANSWER = 0x8180

labels = st.lists(st.binary(min_size=1, max_size=63), max_size=8)
ipv4 = st.ip_addresses(v=4)
ipv6 = st.integers(1 << 64, (1 << 128) - 1).map(IPv6Address)  # not those that hold an IPv4 address


def wire_name(parts: list[bytes]) -> bytes:
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def record(owner: bytes, kind: int, data: bytes, of_class: int = 1) -> bytes:
    return owner + struct.pack("!HHIH", kind, of_class, 300, len(data)) + data


def message(records: list[bytes], question: bytes = b"\2db\0", flags: int = ANSWER) -> bytes:
    header = struct.pack("!HHHHHH", 7, flags, 1, len(records), 0, 0)
    return header + question + struct.pack("!HH", 1, 1) + b"".join(records)


def address_record(address: IPv4Address | IPv6Address, owner: bytes = b"\xc0\x0c") -> bytes:
    return record(owner, TYPE_A if address.version == 4 else TYPE_AAAA, address.packed)


@given(st.lists(ipv4 | ipv6, max_size=8))
def test_the_addresses_of_an_answer_are_found_in_their_order(wanted: list[IPv4Address | IPv6Address]) -> None:
    assert addresses(message([address_record(address) for address in wanted])) == [str(address) for address in wanted]


@given(parts=labels, wanted=ipv4)
def test_aliases_and_other_records_in_between_are_passed_over(parts: list[bytes], wanted: IPv4Address) -> None:
    name = wire_name(parts)[-250:] if len(wire_name(parts)) <= 250 else b"\1a\0"
    records = [record(b"\xc0\x0c", TYPE_CNAME, name), record(name, TYPE_TXT, b"\3abc"), address_record(wanted, name)]
    assert addresses(message(records)) == [str(wanted)]


@given(wanted=st.lists(ipv4, min_size=1, max_size=6), cut=st.integers(0, 400))
def test_a_message_that_is_cut_gives_the_addresses_before_the_cut(wanted: list[IPv4Address], cut: int) -> None:
    whole = message([address_record(address) for address in wanted])
    found = addresses(whole[:cut])
    assert found == [str(address) for address in wanted[: len(found)]]
    assert len(found) == max(0, min(len(wanted), (min(cut, len(whole)) - len(message([]))) // 16))


@given(st.binary(max_size=600))
def test_any_bytes_give_addresses_or_nothing_and_never_raise(data: bytes) -> None:
    for address in addresses(data):
        ip_address(address)


@given(wanted=st.lists(ipv4 | ipv6, min_size=1, max_size=4), place=st.integers(0, 200), byte=st.integers(0, 255))
def test_a_message_with_one_byte_changed_never_raises(
    wanted: list[IPv4Address | IPv6Address], place: int, byte: int
) -> None:
    data = bytearray(message([address_record(address) for address in wanted]))
    data[place % len(data)] = byte
    for address in addresses(bytes(data)):
        ip_address(address)


def test_a_name_that_points_at_itself_is_no_trap() -> None:
    assert addresses(message([record(b"\xc0\x19", TYPE_A, b"\1\2\3\4")] * 3)) == ["1.2.3.4"] * 3
    assert addresses(struct.pack("!HHHHHH", 7, ANSWER, 65_535, 65_535, 0, 0) + b"\xc0\x0c" * 250) == []


@pytest.mark.parametrize(
    "broken",
    [
        record(b"\xc0\x0c", TYPE_A, b"\1\2\3"),
        record(b"\xc0\x0c", TYPE_AAAA, bytes(4)),
        record(b"\xc0\x0c", TYPE_A, b"\1\2\3\4", of_class=3),
    ],
)
def test_an_address_of_another_size_or_class_is_none(broken: bytes) -> None:
    assert addresses(message([broken])) == []


def test_ipv4_inside_ipv6_is_ipv4() -> None:
    mapped = record(b"\xc0\x0c", TYPE_AAAA, ip_address("::ffff:10.0.0.7").packed)
    assert addresses(message([mapped])) == ["10.0.0.7"]


def test_a_query_gives_no_addresses() -> None:
    assert addresses(message([address_record(ip_address("10.0.0.7"))], flags=0x0100)) == []


@given(labels)
def test_a_name_is_text_that_can_be_shown_and_tells_its_labels_apart(parts: list[bytes]) -> None:
    text = name_text(wire_name(parts))
    assert len(text) <= MAX_TEXT
    assert text.isascii() or text.endswith("…")
    assert text.removesuffix("…").isprintable()


@given(st.lists(st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63), min_size=1, max_size=4))
def test_a_plain_name_is_written_as_people_write_it(parts: list[str]) -> None:
    assert name_text(wire_name([part.upper().encode() for part in parts])) == ".".join(parts)


@given(st.binary(max_size=300))
def test_any_bytes_are_some_name(data: bytes) -> None:
    assert name_text(data)
