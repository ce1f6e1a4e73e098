from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.cli.parse import (
    Format,
    Output,
    parse_duration,
    parse_events_csv,
    parse_filters,
    parse_lease,
    parse_metrics_address,
    parse_milliseconds,
    parse_output,
    parse_overhead,
    parse_percent,
    parse_pid,
    parse_timeout,
    topics_of,
)
from kubectl_podtrace.errors import UsageError
from kubectl_podtrace.wire.topics import FILTERS, TOPICS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("5m", 300), ("1h", 3600), ("1m30s", 90), ("1h2m3s", 3723), ("0.5s", 0.5), ("1.5h", 5400),
     ("500ms", 0.5), ("1m500ms", 60.5), ("24h", 86400), ("090s", 90)],
)  # fmt: skip
def test_a_duration_is_read_as_its_units_say(text: str, seconds: float) -> None:
    assert parse_duration(text) == round(seconds * 1e9)


@pytest.mark.parametrize(
    "text",
    ["", "10", "s", "10 s", " 10s", "-5s", "10d", "1s1m", "5m5m", "1e3s", ".5s", "5.s", "inf", "nan", "0s",
     "0.0000000001s", "25h", "٣s", "10s\n", "9" * 40 + "s", "$(reboot)"],
)  # fmt: skip
def test_what_is_no_duration_is_refused_by_its_own_text_and_with_examples(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_duration(text)
    assert f'"{text}"' in refusal.value.message
    assert "1m30s" in str(refusal.value.hint)


@given(st.text())
def test_no_text_at_all_makes_a_parser_fail_in_another_way_than_by_a_refusal(text: str) -> None:
    for parse in (parse_duration, parse_timeout, parse_milliseconds, parse_percent, parse_pid, parse_filters):
        with suppress(UsageError):
            parse(text)


@given(st.integers(0, 23), st.integers(0, 59), st.integers(1, 59))
def test_every_duration_of_hours_minutes_and_seconds_is_exact(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == ((hours * 60 + minutes) * 60 + seconds) * 10**9


@pytest.mark.parametrize(("text", "seconds"), [("0", None), ("0s", None), ("30", 30.0), ("1m", 60.0), ("250ms", 0.25)])
def test_a_request_timeout_is_read_as_kubectl_does(text: str, seconds: float | None) -> None:
    assert parse_timeout(text) == seconds


@pytest.mark.parametrize(
    ("text", "nanoseconds"), [("10", 10_000_000), ("0.5", 500_000), ("1e3", 10**9), ("0.000001", 1)]
)
def test_a_threshold_in_milliseconds_becomes_nanoseconds(text: str, nanoseconds: int) -> None:
    assert parse_milliseconds(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1e-9", "1e30", "ten", "10ms", "1_0", "1,5"])
def test_what_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="threshold"):
        parse_milliseconds(text)


def test_a_percentage_is_between_nothing_and_everything() -> None:
    assert [parse_percent(text) for text in ("0", "10.0", "100")] == [0, 10, 100]
    for text in ("-0.1", "100.1", "nan", "inf", "10%", ""):
        with pytest.raises(UsageError, match="percentage"):
            parse_percent(text)


def test_the_most_that_tracing_may_cost_is_in_millionths_of_the_node() -> None:
    assert [parse_overhead(text) for text in ("0", "5", "0.5", "100", "0.0000001")] == [0, 50_000, 5_000, 1_000_000, 1]
    with pytest.raises(UsageError, match="percentage"):
        parse_overhead("-1")


def test_a_process_id_is_a_number_that_a_process_can_have() -> None:
    assert parse_pid("1") == 1
    for text in ("0", "-1", "1.0", "", "2147483648", "self", "12345678901"):
        with pytest.raises(UsageError, match="process id"):
            parse_pid(text)


def test_filters_stand_in_one_order_and_once() -> None:
    assert parse_filters("proc, net,proc") == ("net", "proc")
    assert topics_of(("net",)) == ("tcp", "udp", "connections")
    assert topics_of(()) == TOPICS


def test_a_filter_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError, match='no filter "gpu7"') as refusal:
        parse_filters("net,gpu7")
    assert ", ".join(FILTERS) in str(refusal.value.hint)


@pytest.mark.parametrize(
    ("text", "near"), [("nets", "net"), ("NET", "net"), ("FS", "fs"), ("Dns", "dns"), ("process", "proc")]
)
def test_a_misspelt_filter_is_answered_with_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UsageError, match=f'no filter "{text}"') as refusal:
        parse_filters(text)
    assert f'did you mean "{near}"?' in str(refusal.value.hint)


@pytest.mark.parametrize("text", ["", "net,", ",", "xyzzy"])
def test_a_list_with_anything_else_in_it_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_filters(text)


@pytest.mark.parametrize(
    ("export", "output", "expected"),
    [(None, None, Format.TEXT), ("json", None, Format.JSON), ("md", None, Format.MARKDOWN), (None, "json", Format.JSON),
     (None, "md", Format.MARKDOWN), ("json", "json", Format.JSON), ("csv", None, Format.CSV),
     (None, "csv", Format.CSV), ("html", None, Format.HTML), ("speedscope", None, Format.SPEEDSCOPE),
     (None, "folded", Format.FOLDED)],
)  # fmt: skip
def test_a_format_without_a_file_goes_to_stdout(export: str | None, output: str | None, expected: Format) -> None:
    assert parse_output(export, output) == Output(format=expected)


@pytest.mark.parametrize(
    ("export", "name", "expected"),
    [(None, "r.html", Format.HTML),
     (None, "r.json", Format.JSON), (None, "r.md", Format.MARKDOWN), (None, "r.txt", Format.TEXT),
     (None, "r.JSON", Format.JSON), (None, "r.csv", Format.CSV), ("json", "r.json", Format.JSON),
     (None, "r.speedscope.json", Format.SPEEDSCOPE), ("folded", "r.folded", Format.FOLDED)],
)  # fmt: skip
def test_a_file_is_written_in_the_format_of_its_suffix(
    tmp_path: Path, export: str | None, name: str, expected: Format
) -> None:
    path = tmp_path / name
    assert parse_output(export, str(path)) == Output(format=expected, path=path)


@pytest.mark.parametrize(
    ("export", "output"),
    [("json", "md"), ("json", "r.md"), ("md", "r.json"), ("json", "r.txt"), ("xml", None), ("", None), (None, ""),
     ("csv", "r.json"), ("json", "r.speedscope.json"), ("speedscope", "r.json"),
     (None, "r.pdf"), (None, "report"), (None, "-"), (None, "xml")],
)  # fmt: skip
def test_an_output_that_contradicts_itself_is_refused_before_the_trace(export: str | None, output: str | None) -> None:
    with pytest.raises(UsageError):
        parse_output(export, output)


def test_a_lease_is_a_duration_that_some_pings_fit_into() -> None:
    assert parse_lease("5s") == 5 * 10**9
    with pytest.raises(UsageError, match='the lease "4s" is too short'):
        parse_lease("4s")


@pytest.mark.parametrize(("text", "output"), [("", None), ("-", None), ("e.csv", "e.csv"), ("./e.csv", "e.csv")])
def test_events_need_a_file_of_their_own(text: str, output: str | None) -> None:
    with pytest.raises(UsageError):
        parse_events_csv(text, output)


def test_events_go_to_the_file_that_is_named() -> None:
    assert parse_events_csv("e.csv", "report.csv") == Path("e.csv")
    assert parse_events_csv(None, "report.csv") is None


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9090", "127.0.0.1", 9090), ("[::1]:9090", "::1", 9090), ("localhost:0", "localhost", 0),
     ("0.0.0.0:65535", "0.0.0.0", 65535), ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
     ("metrics.example:80", "metrics.example", 80)],
)  # fmt: skip
def test_an_address_for_metrics_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    found = parse_metrics_address(text)
    assert (found.host, found.port, found.text) == (host, port, text)


@pytest.mark.parametrize(
    "text",
    ["", "9090", ":9090", "localhost", "localhost:", "localhost:65536", "localhost:-1", "localhost:90a", "::1:9090",
     "[::1]", "[::1]:", "[localhost]:1", "http://localhost:1", "localhost:1/metrics", "a b:1", "localhost:\uff11"],
)  # fmt: skip
def test_what_is_no_host_and_port_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="is not an address for metrics") as caught:
        parse_metrics_address(text)
    assert "127.0.0.1:9090, [::1]:9090" in (caught.value.hint or "")
