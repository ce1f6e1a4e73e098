"""Findings: silent on a healthy target, above each threshold with evidence and a next step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubectl_podtrace.analysis.connections import Connections, connections
from kubectl_podtrace.analysis.dns import Dns, DnsName, dns
from kubectl_podtrace.analysis.files import Files, files
from kubectl_podtrace.analysis.findings import Finding, find
from kubectl_podtrace.analysis.sections import Sections
from kubectl_podtrace.analysis.selection import Op, Selection, SlowOp, select
from kubectl_podtrace.analysis.tcp import Tcp, tcp
from kubectl_podtrace.analysis.udp import Udp, udp
from tests.unit.shop import shop_stream
from tests.unit.streams import Stream

MILLISECOND = 1_000_000


def whole(stream: Stream) -> Selection:
    fold = stream.fold()
    return select(fold.state(), None, start_ns=fold.started_ns, end_ns=fold.ended_ns)


SHOP = whole(shop_stream())
TCP = tcp(SHOP, rtt_threshold_ns=100 * MILLISECOND)
CONNECTIONS = connections(SHOP)
UDP = udp(SHOP)
DNS = dns(SHOP)
FILES = files(SHOP, slow_threshold_ns=10 * MILLISECOND)


def findings(
    *,
    tcp_section: Tcp | None = None,
    udp_section: Udp | None = None,
    connection_section: Connections | None = None,
    dns_section: Dns | None = None,
    file_section: Files | None = None,
    error_ratio: float = 0.10,
) -> tuple[Finding, ...]:
    sections = Sections(
        tcp=tcp_section, udp=udp_section, connections=connection_section, dns=dns_section, files=file_section
    )
    return find(sections, error_ratio=error_ratio)


def failing(operation: Op, errors: dict[str, int]) -> Op:
    return replace(operation, errors=errors)


def test_nothing_measured_finds_nothing() -> None:
    assert findings() == ()


def test_a_healthy_target_has_no_findings() -> None:
    calm = replace(FILES, fsync=FILES.write, write=FILES.write)
    fine = replace(CONNECTIONS, failed=1, failed_ratio=1 / 2_010, errors={"ECONNREFUSED": 1})
    assert findings(tcp_section=TCP, connection_section=fine, file_section=calm) == ()


def test_failing_connections_are_found_with_peer_errno_and_threshold() -> None:
    (found,) = findings(connection_section=CONNECTIONS)
    assert (found.rule, found.severity) == ("connections-failed", "warning")
    assert found.evidence == (
        "210 of 2,010 (10.4 %) failed, threshold 10 %: ECONNREFUSED 201, ETIMEDOUT 8, ABORTED 1, "
        "most to cache.example.net:6379 (10.96.99.1)"
    )
    assert found.next_step == "nothing listens on cache.example.net:6379: check the service behind it"


def test_the_error_threshold_is_strict_and_as_set() -> None:
    exactly = 210 / 2_010
    assert findings(connection_section=CONNECTIONS, error_ratio=exactly) == ()
    (found,) = findings(connection_section=CONNECTIONS, error_ratio=0.025)
    assert "threshold 2.5 %" in found.evidence


def test_half_of_them_failing_is_critical_and_few_are_only_information() -> None:
    most = replace(CONNECTIONS, failed=1_900, failed_ratio=1_900 / 2_010)
    few = replace(CONNECTIONS, total=3, failed=3, failed_ratio=1.0)
    assert [found.severity for found in findings(connection_section=most)] == ["critical"]
    assert [found.severity for found in findings(connection_section=few)] == ["info"]


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ("ECONNREFUSED", "nothing listens"),
        ("ETIMEDOUT", "NetworkPolicies"),
        ("EADDRNOTAVAIL", "reuse connections"),
        ("ABORTED", "timeout"),
        ("EPERM", "log"),
    ],
)
def test_each_kind_of_failure_has_its_own_next_step(error: str, word: str) -> None:
    (found,) = findings(connection_section=replace(CONNECTIONS, errors={error: 210}))
    assert word in found.next_step


@pytest.mark.parametrize(
    ("error", "word"), [("ENOSPC", "space"), ("EACCES", "user"), ("EMFILE", "descriptors"), ("EIO", "EIO")]
)
def test_operations_that_fail_are_found_by_family(error: str, word: str) -> None:
    section = replace(FILES, write=replace(FILES.write, errors={error: 300}), fsync=FILES.write)
    (found,) = findings(file_section=section)
    assert (found.rule, found.title) == ("error-rate", "file writes fail")
    assert found.evidence == f"300 of 997 (30.1 %) failed, threshold 10 %: {error} 300"
    assert word in found.next_step


def test_tcp_operations_that_fail_are_found() -> None:
    section = replace(TCP, receive=failing(TCP.receive, {"ECONNRESET": 4_000}))
    (found,) = findings(tcp_section=section)
    assert (found.title, found.severity) == ("TCP receives fail", "critical")


def test_udp_operations_that_fail_are_found() -> None:
    section = replace(UDP, send=replace(UDP.send, count=50, errors={"ECONNREFUSED": 6}))
    (found,) = findings(udp_section=section)
    assert (found.rule, found.title, found.severity) == ("error-rate", "UDP sends fail", "warning")
    assert "nothing listens" in found.next_step


def failing_lookups(lookups: int = 100, *, timeouts: int = 0, **rcodes: int) -> Dns:
    errors = timeouts + sum(rcodes.values())
    return replace(
        DNS,
        lookups=lookups,
        errors=errors,
        error_ratio=errors / lookups,
        timeouts=timeouts,
        rcodes={"NOERROR": lookups - errors, **rcodes},
        top_names=(
            DnsName(name="api.shop", count=60, errors=0, nxdomain=0, addresses=()),
            DnsName(name="db.shop", count=30, errors=errors, nxdomain=0, addresses=()),
            DnsName(name="(other)", count=10, errors=errors + 1, nxdomain=0, addresses=()),
        ),
    )


def test_lookups_that_fail_are_found_with_the_code_the_name_and_the_threshold() -> None:
    (found,) = findings(dns_section=failing_lookups(timeouts=3, SERVFAIL=9))
    assert (found.rule, found.title, found.severity) == ("error-rate", "DNS lookups fail", "warning")
    assert found.fact == "12 of 100 (12.0 %), most with SERVFAIL, most for db.shop"
    assert found.evidence == ("12 of 100 (12.0 %) failed, threshold 10 %: SERVFAIL 9, timeouts 3, most for db.shop")
    assert findings(dns_section=failing_lookups(timeouts=1, SERVFAIL=9)) == ()


@pytest.mark.parametrize(
    ("section", "word"),
    [
        (failing_lookups(timeouts=50), "port 53"),
        (failing_lookups(SERVFAIL=50), "forwards"),
        (failing_lookups(REFUSED=50), "resolv.conf"),
        (failing_lookups(FORMERR=50), "log"),
    ],
)
def test_each_kind_of_failed_lookup_has_its_own_next_step(section: Dns, word: str) -> None:
    (found,) = findings(dns_section=section)
    assert word in found.next_step
    assert found.severity == "critical"


def test_a_peer_whose_name_is_not_known_is_told_by_its_address() -> None:
    targets = tuple(replace(target, name=None) for target in CONNECTIONS.top_targets)
    (found,) = findings(connection_section=replace(CONNECTIONS, top_targets=targets))
    assert found.evidence.endswith("ABORTED 1, most to 10.96.99.1:6379")
    assert found.next_step == "nothing listens on 10.96.99.1:6379: check the service behind it"


def test_looking_for_files_along_a_search_path_is_no_failure() -> None:
    section = replace(FILES, open=failing(FILES.open, {"ENOENT": 250, "EACCES": 1}), fsync=FILES.write)
    assert findings(file_section=section) == ()


@pytest.mark.parametrize(("spikes", "rules"), [(500, []), (501, ["rtt-spikes"])])
def test_more_than_five_percent_of_round_trips_above_the_threshold_are_a_finding(spikes: int, rules: list[str]) -> None:
    section = replace(TCP, rtt=replace(TCP.rtt, count=10_000, spikes=spikes, threshold_ns=1_500_000))
    found = findings(tcp_section=section)
    assert [finding.rule for finding in found] == rules
    assert all("1.5 ms" in finding.evidence for finding in found)


def test_slow_fsyncs_are_found_with_the_file_that_is_slowest() -> None:
    (found,) = findings(file_section=FILES)
    assert (found.rule, found.title) == ("slow-files", "fsyncs are slow")
    assert "30 of 97 (30.9 %) took longer than 10 ms" in found.evidence
    assert "/var/lib/shop/orders.db" in found.evidence
    assert "fsync" in found.next_step


@pytest.mark.parametrize(
    ("slow", "longest", "is_found"),
    [(10, 20, False), (11, 20, True), (1, 99, False), (1, 100, True), (0, 500, False)],
)
def test_one_percent_or_one_very_slow_operation_is_a_finding(slow: int, longest: int, *, is_found: bool) -> None:
    base: SlowOp = FILES.write
    latency = replace(base.latency, count=1_000, max_ns=longest * MILLISECOND)
    section = replace(FILES, write=replace(base, slow=slow, latency=latency), fsync=FILES.write)
    assert bool(findings(file_section=section)) is is_found


def test_the_most_severe_finding_comes_first() -> None:
    broken = replace(TCP, receive=failing(TCP.receive, {"ECONNRESET": 4_999}))
    found = findings(tcp_section=broken, connection_section=CONNECTIONS, file_section=FILES)
    assert [finding.severity for finding in found] == ["critical", "warning", "warning"]
