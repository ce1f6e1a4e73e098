"""The endpoint beside a trace: what a scrape gets, and that no scraper gets more than that."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
from prometheus_client import openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.cli.onlookers import Moment
from kubectl_podtrace.cli.onlookers.metrics import Exposition, MetricsEndpoint
from kubectl_podtrace.cli.onlookers.metrics_server import MOST_CONNECTIONS, MetricsServer, Page
from kubectl_podtrace.cli.parse import parse_metrics_address
from kubectl_podtrace.errors import MetricsAddressError
from kubectl_podtrace.report.build import ReportOptions, build_window
from kubectl_podtrace.report.metrics.catalog import METRICS
from kubectl_podtrace.report.metrics.series import Series
from kubectl_podtrace.report.target import TracedContainers
from kubectl_podtrace.wire.descriptor_records import DescriptorTables
from kubectl_podtrace.wire.records import Totals
from tests.unit.report.reports import API, CLIENT, REPORTS
from tests.unit.streams import HEADER, Stream, scope, table_row, timed, totals_row

ANY_PORT = parse_metrics_address("127.0.0.1:0")
READS = 'podtrace_files_operations_total{operation="read"}'


def has_ipv6() -> bool:
    with closing(socket.socket(socket.AF_INET6)) as tried, suppress(OSError):
        tried.bind(("::1", 0))
        return True
    return False


def get(url: str, *, path: str = "/metrics", method: str = "GET", **headers: str) -> HTTPResponse:
    host = url.removeprefix("http://").removesuffix("/metrics")
    with closing(HTTPConnection(host, timeout=60)) as connection:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        response.text = response.read().decode()  # type: ignore[attr-defined]
        return response


def text_of(response: Any) -> str:
    text: str = response.text
    return text


def values(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


class Watched:
    """A trace that somebody scrapes."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.endpoint = MetricsEndpoint(ANY_PORT, say=self.said.append)
        self.url = self.said[0].split()[3]
        self._fold = Fold()
        self._moment = Moment(
            self._fold,
            lambda: build_window(self._fold, target=API, options=ReportOptions(), client=CLIENT),
            lambda: TracedContainers(self._fold, API),
        )

    def read(self, lines: list[bytes]) -> None:
        for line in lines:
            self._fold.feed(line)
            self.endpoint.look(self._moment)

    def scrape(self) -> dict[str, float]:
        return values(text_of(get(self.url)))


@pytest.fixture
def watched() -> Iterator[Watched]:
    found = Watched()
    yield found
    found.endpoint.end()


def begun() -> Stream:
    stream = Stream(replace(HEADER, topics=("files",)))
    stream.add(scope(), at_s=0.1)
    return stream


def reads(count: int) -> Totals:
    return Totals(rows=(totals_row("files.read", count=count, bytes=2 * count),))


def test_before_the_trace_there_is_only_who_answers(watched: Watched) -> None:
    assert list(watched.scrape()) == ['podtrace_info{tracer_version="",version="0.1.0.dev0"}']


def test_a_scrape_shows_the_totals_of_the_second_whose_histograms_have_come(watched: Watched) -> None:
    stream = begun()
    stream.add(reads(100), at_s=1)
    stream.beat(1)
    watched.read(stream.lines)
    assert READS not in watched.scrape()
    told = len(stream.lines)
    row, histogram = timed("files.read", [5_000] * 200, bytes=400)
    stream.add(Totals(rows=(row,)), histogram, at_s=5)
    stream.beat(5)
    stream.add(reads(290), at_s=6)
    stream.beat(6)
    watched.read(stream.lines[told:])
    found = watched.scrape()
    assert found[READS] == 200
    assert found['podtrace_files_duration_seconds_count{operation="read"}'] == 200
    assert found['podtrace_files_duration_seconds_bucket{le="4.096e-06",operation="read"}'] == 0
    assert found['podtrace_files_duration_seconds_bucket{le="8.192e-06",operation="read"}'] == 200
    assert found['podtrace_files_duration_seconds_sum{operation="read"}'] == 0.001
    assert not any(name.startswith("podtrace_tcp") for name in found)


def test_a_trace_without_lists_and_histograms_is_told_now_and_then(watched: Watched) -> None:
    stream = begun()
    for second in range(1, 62):
        stream.add(reads(100 * second), at_s=second)
        stream.beat(second)
    watched.read(stream.lines)
    assert watched.scrape()[READS] == 6_000


def test_between_two_tellings_numbers_stand_still_and_then_agree_with_each_other(watched: Watched) -> None:
    stream = begun()
    for second in range(1, 13):
        stream.add(reads(second), at_s=second)
        if second % 5 == 0:
            stream.add(DescriptorTables(rows=(table_row(limit=9),)), at_s=second)
        stream.beat(second)
    seen = []
    for line in stream.lines:
        watched.read([line])
        seen.append(watched.scrape().get(READS))
    assert list(dict.fromkeys(seen)) == [None, 5, 10]


def test_the_end_of_the_trace_leaves_neither_socket_nor_thread(watched: Watched) -> None:
    watched.scrape()
    watched.endpoint.end()
    watched.endpoint.end()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("metrics")] == []
    with pytest.raises(ConnectionRefusedError):
        watched.scrape()


def exposition(name: str = "typical") -> Exposition:
    return Exposition(Series(METRICS).take(REPORTS[name]()))


@pytest.mark.parametrize("name", REPORTS)
def test_both_formats_can_be_read_and_say_the_same(name: str) -> None:
    found = exposition(name)
    text = found.page("text/plain;version=0.0.4")
    metrics = found.page("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert text.content_type.startswith("text/plain; version=0.0.4")
    assert metrics.content_type.startswith("application/openmetrics-text; version=1.0.0")
    families: Any = list(parse_openmetrics(metrics.body.decode()))  # type: ignore[no-untyped-call]
    texts: Any = list(parse_text(text.body.decode()))
    assert samples(texts) == samples(families)
    types = {family.name: family.type for family in families}
    of_ours = {metric.name.removesuffix("_total").removesuffix("_info"): metric.kind.value for metric in METRICS}
    assert {name: of_ours[name] for name in types} == types


def samples(families: Any) -> set[tuple[str, frozenset[tuple[str, str]], float]]:
    return {
        (sample.name, frozenset(sample.labels.items()), sample.value)
        for family in families
        for sample in family.samples
    }


def test_seconds_and_bytes_are_named_as_units() -> None:
    page = exposition().page(openmetrics.exposition.CONTENT_TYPE_LATEST).body.decode()
    assert "# UNIT podtrace_tcp_rtt_seconds seconds\n" in page
    assert "# UNIT podtrace_tcp_bytes bytes\n" in page
    assert page.endswith("# EOF\n")


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "application/openmetrics-text;version=abc", "text/plain;version=1.x", "a" * 60_000, ",;=,;;"],
)
def test_a_strange_accept_header_gets_text(accept: str) -> None:
    assert exposition("silent").page(accept).body.startswith(b"# HELP podtrace")


def test_each_format_is_written_once_however_many_ask() -> None:
    found = exposition("silent")
    assert found.page("").body is found.page("*/*").body
    pages = {id(found.page(f"application/openmetrics-text;version=1.0.{number}").body) for number in range(100)}
    assert len(pages) <= 9


@pytest.fixture
def served() -> Iterator[Callable[..., MetricsServer]]:
    servers = []

    def serve(body: bytes = b"x 1\n", **changes: Any) -> MetricsServer:
        server = MetricsServer(ANY_PORT, lambda _accept: Page(content_type="text/plain", body=body), **changes)
        servers.append(server)
        return server

    yield serve
    for server in servers:
        server.close()


Serve = Callable[..., MetricsServer]


def test_a_head_has_the_header_of_a_get_and_no_body(served: Serve) -> None:
    url = served().url
    got, head = get(url), get(url, method="HEAD")
    assert (got.status, text_of(got)) == (200, "x 1\n")
    assert (head.status, text_of(head), head.getheader("Content-Length")) == (200, "", "4")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/favicon.ico", "/../metrics", "*", "/metrics%00"])
def test_other_paths_are_not_found(served: Serve, path: str) -> None:
    found = get(served().url, path=path)
    assert (found.status, text_of(found)) == (404, "404 Not Found\nthe metrics are at /metrics\n")


def test_a_query_is_no_other_path(served: Serve) -> None:
    assert get(served().url, path="/metrics?name[]=x").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "BREW"])
def test_whatever_is_no_get_is_refused(served: Serve, method: str) -> None:
    found = get(served().url, method=method)
    assert (found.status, found.getheader("Allow")) == (405, "GET, HEAD")


def raw(server: MetricsServer) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").removesuffix("/metrics").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=60)


@pytest.mark.parametrize(
    "noise", [b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", b"GET " + b"x" * 70_000 + b"\r\n"]
)
def test_what_is_no_http_is_answered_or_cut_and_harms_nobody(
    served: Serve, capfd: pytest.CaptureFixture[str], noise: bytes
) -> None:
    server = served()
    with raw(server) as connection:
        connection.sendall(noise)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert get(server.url).status == 200
    assert capfd.readouterr() == ("", "")


def test_who_says_nothing_is_cut_when_its_time_is_up(served: Serve) -> None:
    later = threading.Event()
    server = served(clock=lambda: 1e6 if later.is_set() else 0.0)
    with raw(server) as silent:
        # The server takes connections in their order: once this one is answered, the silent one is waited for.
        assert get(server.url).status == 200
        later.set()
        assert silent.recv(1) == b""
    assert get(server.url).status == 200


def test_who_does_not_read_its_answer_is_cut_at_the_end(served: Serve) -> None:
    server = served(body=b"x" * 50_000_000)
    with raw(server) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert connection.recv(8).startswith(b"HTTP/1.0")
        server.close()


def test_one_more_than_there_is_room_for_is_told_to_come_later(served: Serve) -> None:
    server = served(clock=lambda: 0.0)
    silent = [raw(server) for _ in range(MOST_CONNECTIONS)]
    try:
        with raw(server) as one_more:
            assert one_more.recv(4096).startswith(b"HTTP/1.0 503 ")
    finally:
        for connection in silent:
            connection.close()


def test_scrapers_that_go_away_leave_their_room(served: Serve) -> None:
    server = served()
    for connection in [raw(server) for _ in range(MOST_CONNECTIONS)]:
        connection.close()
    # Each is noticed when its turn comes.
    while get(server.url).status != 200:
        pass


def test_an_address_in_use_is_an_error_that_says_so(served: Serve) -> None:
    taken = served().url.removeprefix("http://").removesuffix("/metrics")
    with pytest.raises(MetricsAddressError, match=rf"cannot be served at {taken}: Address already in use") as caught:
        MetricsEndpoint(parse_metrics_address(taken), say=print)
    assert "--metrics-address HOST:PORT" in (caught.value.hint or "")


@pytest.mark.parametrize("address", ["[fe80::1%no-such-link]:0", "192.0.2.1:0", f"{'x' * 70}:0", "a..b:0"])
def test_an_address_that_is_not_here_is_an_error(address: str) -> None:
    with pytest.raises(MetricsAddressError, match="metrics cannot be served at"):
        MetricsEndpoint(parse_metrics_address(address), say=print)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no address of IP version 6")
def test_an_address_of_ip_version_6_is_shown_in_brackets() -> None:
    said: list[str] = []
    endpoint = MetricsEndpoint(parse_metrics_address("[::1]:0"), say=said.append)
    try:
        assert said[0].startswith("metrics are at http://[::1]:")
        assert get(said[0].split()[3]).status == 200
    finally:
        endpoint.end()
    assert len(said) == 1


def test_who_listens_to_all_the_world_is_told_what_that_means() -> None:
    said: list[str] = []
    MetricsEndpoint(parse_metrics_address("0.0.0.0:0"), say=said.append).end()
    assert "whoever reaches this address can read them" in said[1]
