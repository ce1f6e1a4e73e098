"""Findings about connections, datagrams and DNS: each ailing program has its own alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.bpf.diagnosis import AILING, HERE, PYTHON, Diagnose, found, only
from tests.bpf.dns_network import DnsNetwork


def test_connections_that_are_refused(diagnose: Diagnose) -> None:
    finding = only(diagnose(*AILING, "refused"), "connections-failed")
    assert (finding["severity"], "ECONNREFUSED 50" in finding["evidence"]) == ("critical", True)
    assert finding["next_step"].startswith("nothing listens on 127.0.0.1:")


def test_a_threshold_that_is_not_passed_raises_nothing(diagnose: Diagnose) -> None:
    assert found(diagnose(*AILING, "refused", flags=("--error-threshold", "100"))) == []


@pytest.fixture
def dns(tmp_path: Path) -> Iterator[DnsNetwork]:
    network = DnsNetwork(tmp_path)
    yield network
    network.close()


@pytest.mark.parametrize(
    ("arguments", "rule", "text"),
    [
        (
            ("lookups", "never.example", "7"),
            "dns-timeouts",
            ") had no answer in 5 s, most by 127.0.0.1:53, most for never.example",
        ),
        (("lookups", "servfail.example", "7"), "dns-errors", "7 of 7 (100 %) failed, threshold 10 %: SERVFAIL 7"),
        (("lookups", "slow150.example", "11"), "dns-slow", "127.0.0.1:53 took longer than 100 ms"),
        (("asked_twice", "11"), "dns-retries", "11 queries again for 11 lookups"),
    ],
)
def test_lookups_that_fail_or_take_long(
    arguments: tuple[str, ...], rule: str, text: str, diagnose: Diagnose, dns: DnsNetwork
) -> None:
    assert text in only(diagnose(*dns.inside, *AILING, *arguments), rule)["evidence"]


def test_lookups_that_are_answered_are_no_finding(diagnose: Diagnose, dns: DnsNetwork) -> None:
    assert found(diagnose(*dns.inside, *AILING, "lookups", "nx.example", "101")) == []


@pytest.mark.parametrize(("dots", "in_vain"), [(3, True), (2, False)])
def test_search_domains_that_are_tried_in_vain(dots: int, in_vain: bool, diagnose: Diagnose, tmp_path: Path) -> None:
    network = DnsNetwork(tmp_path, f"ndots:{dots}\nsearch shop.absent svc.absent")
    try:
        # What a resolv.conf says can be read only while one of those who go by it is there.
        report = diagnose(*network.inside, *AILING, "search_in_vain", "31", "5")
        wasted = sum(count for (name, _), count in network.answered().items() if name.endswith(".absent"))
    finally:
        network.close()
    assert "dns-search-waste" in report["looked_for"]
    if not in_vain:
        assert (found(report), wasted) == ([], 0)
        return
    finding = only(report, "dns-search-waste")
    assert wasted == 31 * 2 * 2  # names, domains, A and AAAA
    assert finding["evidence"] == (
        "124 of 186 (66.7 %) lookups asked for names that do not exist for 62 useful answers, with ndots:3 and "
        "2 search domains"
    )
    assert "options ndots:2" in finding["next_step"]


@contextmanager
def far_away(delay_ms: int, lost_of_100: int) -> Iterator[tuple[str, ...]]:
    """The words that put a command behind a mirror that delays and loses packets."""
    if not Path("/dev/net/tun").exists():
        pytest.skip("there is no /dev/net/tun")
    command = ["unshare", "--net", PYTHON, str(HERE / "reflector.py"), str(delay_ms), str(lost_of_100)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as mirror:
        out: IO[bytes] | None = mirror.stdout
        assert out is not None
        try:
            assert out.readline() == b"ready\n"
            yield ("nsenter", "--net", "--target", str(mirror.pid))
        finally:
            mirror.kill()


def test_round_trips_to_a_far_peer_spike(diagnose: Diagnose) -> None:
    with far_away(75, 0) as inside:
        finding = only(diagnose(*inside, *AILING, "talk", "10.77.0.2", "7"), "rtt-spikes")
    assert "above 100 ms" in finding["evidence"]


def test_a_peer_that_is_far_but_below_the_threshold_is_no_finding(diagnose: Diagnose) -> None:
    with far_away(20, 0) as inside:
        assert found(diagnose(*inside, *AILING, "talk", "10.77.0.2", "7")) == []


def test_handshakes_with_a_far_peer_are_slow(diagnose: Diagnose) -> None:
    with far_away(75, 0) as inside:
        finding = only(diagnose(*inside, *AILING, "knock", "10.77.0.2", "13"), "handshakes-slow")
    assert "half of 13 took longer than 100 ms" in finding["evidence"]


def test_connections_that_carry_one_request_each_to_a_far_peer(diagnose: Diagnose) -> None:
    with far_away(10, 0) as inside:
        finding = only(diagnose(*inside, *AILING, "talk_once", "10.77.0.2", "53"), "connections-one-shot")
    # The last one is still being closed when the program, and with it the trace, ends.
    assert finding["evidence"].startswith(("52 connections to 10.77.0.2:", "53 connections to 10.77.0.2:"))


def test_segments_that_get_lost_are_sent_again(diagnose: Diagnose) -> None:
    with far_away(1, 5) as inside:
        finding = only(diagnose(*inside, *AILING, "upload", "10.77.0.2", "60"), "retransmits")
    assert "segments" in finding["evidence"]


@pytest.mark.parametrize(
    ("ailment", "rule", "text"),
    [
        ("broken", "connections-broken", "20 operations on 40 connections failed"),
        ("hung_up", "tcp-errors", "EPIPE 100"),
        ("unheard_datagrams", "udp-errors", "50 of 50 (100 %) failed"),
        ("flood", "udp-drops", "full"),
        ("out_of_descriptors", "descriptors-exhausted", "EMFILE 1"),
    ],
)
def test_sockets_and_descriptors(ailment: str, rule: str, text: str, diagnose: Diagnose) -> None:
    assert text in only(diagnose(*AILING, ailment), rule)["evidence"]
