from __future__ import annotations

import socket
from ipaddress import ip_address

from podtrace_tracer.addresses import address_text, unmapped_text


def test_an_address_is_written_as_people_write_it() -> None:
    assert address_text(socket.AF_INET, bytes([10, 0, 0, 1]) + bytes(12)) == "10.0.0.1"
    assert address_text(socket.AF_INET6, bytes(15) + b"\1") == "::1"


def test_an_address_of_ipv4_that_stands_in_one_of_ipv6_is_written_as_ipv4() -> None:
    mapped = ip_address("::ffff:192.0.2.7")
    assert unmapped_text(mapped.packed) == unmapped_text(str(mapped)) == "192.0.2.7"
    assert unmapped_text(bytes([192, 0, 2, 7])) == "192.0.2.7"
    assert unmapped_text("2001:db8::7") == "2001:db8::7"
