"""Addresses as people write them."""

from __future__ import annotations

import socket
from ipaddress import ip_address


def address_text(family: int, raw: bytes) -> str:
    """An address of the programs: 16 bytes, of which IPv4 takes 4; `family` is the number of AF_INET or AF_INET6."""
    return str(ip_address(raw[:4] if family == socket.AF_INET else raw))


def unmapped_text(address: bytes | str) -> str:
    """An address in its own length or in writing; one of IPv4 that stands in one of IPv6 as IPv4.

    >>> unmapped_text("::ffff:10.0.0.1"), unmapped_text(bytes([10, 0, 0, 1])), unmapped_text("2001:db8::1")
    ('10.0.0.1', '10.0.0.1', '2001:db8::1')
    """
    found = ip_address(address)
    return str(getattr(found, "ipv4_mapped", None) or found)
