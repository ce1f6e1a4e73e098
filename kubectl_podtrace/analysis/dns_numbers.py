"""DNS query types and response codes by name, as IANA registers them ("Domain Name System (DNS) Parameters")."""

from __future__ import annotations

from typing import Final


def _numbered(first: int, names: str) -> dict[int, str]:
    return dict(enumerate(names.split(), start=first))


_TYPES: Final = (
    _numbered(
        1,
        "A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT NSAP NSAP-PTR SIG KEY PX "
        "GPOS AAAA LOC NXT EID NIMLOC SRV ATMA NAPTR KX CERT A6 DNAME SINK OPT APL DS SSHFP IPSECKEY RRSIG NSEC "
        "DNSKEY DHCID NSEC3 NSEC3PARAM TLSA SMIMEA",
    )
    | _numbered(55, "HIP NINFO RKEY TALINK CDS CDNSKEY OPENPGPKEY CSYNC ZONEMD SVCB HTTPS DSYNC")
    | _numbered(99, "SPF UINFO UID GID UNSPEC NID L32 L64 LP EUI48 EUI64")
    | _numbered(249, "TKEY TSIG IXFR AXFR MAILB MAILA ANY URI CAA AVC DOA AMTRELAY RESINFO WALLET CLA IPN")
    | _numbered(32_768, "TA DLV")
)
_CODES: Final = _numbered(
    0, "NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE DSOTYPENI"
)
TYPE_NAMES: Final = frozenset(_TYPES.values())
CODE_NAMES: Final = frozenset(_CODES.values())


def type_name(number: int) -> str:
    """The name of a query type; `TYPEn` (RFC 3597) for what has none.

    >>> type_name(1), type_name(28), type_name(33), type_name(65), type_name(255), type_name(65280)
    ('A', 'AAAA', 'SRV', 'HTTPS', 'ANY', 'TYPE65280')
    """
    return _TYPES.get(number, f"TYPE{number}")


def code_name(number: int) -> str:
    """The name of a response code.

    >>> code_name(0), code_name(3), code_name(5), code_name(13)
    ('NOERROR', 'NXDOMAIN', 'REFUSED', 'RCODE13')
    """
    return _CODES.get(number, f"RCODE{number}")
