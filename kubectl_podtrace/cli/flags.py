"""The flags that every verb has which traces, and the options that they make."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from kubectl_podtrace.cli.gate import parse_gate
from kubectl_podtrace.cli.parse import (
    MetricsAddress,
    Output,
    check_stacks,
    parse_duration,
    parse_events_csv,
    parse_filters,
    parse_metrics_address,
    parse_milliseconds,
    parse_output,
    parse_overhead,
    parse_percent,
    parse_timeout,
    topics_of,
)
from kubectl_podtrace.cli.progress import Loudness
from kubectl_podtrace.errors import UsageError
from kubectl_podtrace.wire.request import CgroupTarget, PodTarget, ProcessTarget, TraceRequest
from kubectl_podtrace.wire.topics import FILTERS

if TYPE_CHECKING:
    from kubectl_podtrace.cluster.client import Cluster
    from kubectl_podtrace.report.gate.conditions import Condition

EVENTS: Final = ("notable", "all")
"""What --events takes."""


DEFAULT_METRICS_ADDRESS: Final = "127.0.0.1:9090"


@dataclass(frozen=True, kw_only=True)
class TraceOptions:
    """What to trace, for how long and what to write; `duration_ns` 0 is until Ctrl+C."""

    duration_ns: int
    filters: tuple[str, ...]
    error_threshold_percent: float
    rtt_threshold_ns: int
    fs_threshold_ns: int
    max_overhead_ppm: int
    output: Output
    loudness: Loudness = Loudness.USUAL
    every_event: bool = False
    events_csv: Path | None = None
    conditions: tuple[Condition, ...] = ()
    metrics: MetricsAddress | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """What the filters stand for."""
        return topics_of(self.filters)

    def request(self, target: PodTarget | CgroupTarget | ProcessTarget) -> TraceRequest:
        """What the tracer is asked."""
        return TraceRequest(
            target=target,
            topics=self.topics,
            duration_ns=self.duration_ns,
            fs_threshold_ns=self.fs_threshold_ns,
            rtt_threshold_ns=self.rtt_threshold_ns,
            max_overhead_ppm=self.max_overhead_ppm,
            is_watched=self.metrics is not None,
        )


class Parser(ArgumentParser):
    """argparse whose refusals are ours; `advice` is the hint that they come with."""

    advice = ""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse has to complain about."""
        raise UsageError(message, f"{self.advice}{self.prog} --help")


_OUTPUT: Final = "a file (.html, .json, .md, .csv, .txt, .speedscope.json, .folded), or a format as --export"


def add_trace_flags(parser: ArgumentParser) -> None:
    """Everything that `trace_options` reads."""
    trace = parser.add_argument_group("trace")
    trace.add_argument(
        "--diagnose", metavar="DURATION", help="trace so long (10s, 5m, 1h, 1m30s), then report; else until Ctrl+C"
    )
    trace.add_argument(
        "--filter", metavar="LIST", help=f"trace only these: any of {','.join(FILTERS)} (db: statements)"
    )
    trace.add_argument("--error-threshold", metavar="PERCENT", default="10.0", help="error rate to warn at (10.0)")
    trace.add_argument("--rtt-threshold", metavar="MS", default="100.0", help="round trip that is a spike (100.0)")
    trace.add_argument("--fs-threshold", metavar="MS", default="10.0", help="file operation that is slow (10.0)")
    trace.add_argument(
        "--max-overhead",
        metavar="PERCENT",
        default="5.0",
        help="of the node's CPU time; above it the noisiest probe is shed; 0: none is (5.0)",
    )
    report = parser.add_argument_group("report")
    report.add_argument("--export", metavar="FORMAT", help="json, md, csv, html, speedscope or folded, on stdout")
    report.add_argument("-o", "--output", metavar="FILE", help=_OUTPUT)
    report.add_argument("--events-csv", metavar="FILE", help="single events, one a line, beside the report")
    report.add_argument(
        "--fail-on",
        metavar="CONDITION",
        action="append",
        default=[],
        help="exit with 3 if it holds in the end: 'dns.latency.p99 > 50ms'; may be repeated; @FILE has one a line",
    )
    metrics = parser.add_argument_group("metrics")
    metrics.add_argument("--metrics", action="store_true", help="serve them to Prometheus while tracing")
    metrics.add_argument(
        "--metrics-address",
        metavar="HOST:PORT",
        help=f"serve them here ({DEFAULT_METRICS_ADDRESS}; port 0: any that is free)",
    )
    live = parser.add_argument_group("while it runs")
    live.add_argument(
        "--events", metavar="WHICH", choices=EVENTS, default=EVENTS[0],
        help="single events in the live view: notable (slow and failed first), or all",
    )  # fmt: skip
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="say nothing on stderr but errors")
    loudness.add_argument(
        "-v", "--verbose", action="store_true", help="say more on stderr: how long each step took, tracebacks"
    )
    parser.add_argument("--version", action="store_true", help="print the version")


def add_connection_flags(parser: ArgumentParser) -> None:
    """Everything that `connected` reads."""
    connection = parser.add_argument_group("connection, as in kubectl")
    connection.add_argument("--context", metavar="NAME", help="the kubeconfig's context")
    connection.add_argument("--kubeconfig", metavar="FILE", help="the kubeconfig (default: KUBECONFIG, ~/.kube/config)")
    connection.add_argument("--request-timeout", metavar="DURATION", help="for each call; 0 is none")
    connection.add_argument("--as", metavar="USER", dest="as_user", help="the user to impersonate")


def check_connection_flags(given: Namespace) -> None:
    """Raises `UsageError` for what needs no cluster to be wrong."""
    if given.request_timeout is not None:
        parse_timeout(given.request_timeout)


def connected(given: Namespace) -> Cluster:
    """The cluster that the connection flags mean; nothing is asked of it yet."""
    from kubectl_podtrace.cluster.client import connect
    from kubectl_podtrace.cluster.kubeconfig import ConnectionOptions

    timeout_s = None if given.request_timeout is None else parse_timeout(given.request_timeout)
    options = ConnectionOptions(
        kubeconfig=given.kubeconfig, context=given.context, request_timeout_s=timeout_s, as_user=given.as_user
    )
    return connect(options, os.environ)


def loudness_of(given: Namespace) -> Loudness:
    """What -q and -v ask for."""
    return Loudness.QUIET if given.quiet else Loudness.VERBOSE if given.verbose else Loudness.USUAL


def trace_options(given: Namespace, *, in_cluster: bool = True) -> TraceOptions:
    """Raises `UsageError` for the first flag that is wrong."""
    filters = () if given.filter is None else parse_filters(given.filter)
    return TraceOptions(
        duration_ns=0 if given.diagnose is None else parse_duration(given.diagnose),
        filters=filters,
        error_threshold_percent=parse_percent(given.error_threshold),
        rtt_threshold_ns=parse_milliseconds(given.rtt_threshold),
        fs_threshold_ns=parse_milliseconds(given.fs_threshold),
        max_overhead_ppm=parse_overhead(given.max_overhead),
        output=_output(given, filters),
        loudness=loudness_of(given),
        every_event=given.events == EVENTS[1],
        events_csv=parse_events_csv(given.events_csv, given.output),
        conditions=parse_gate(given.fail_on, topics=topics_of(filters), in_cluster=in_cluster),
        metrics=_metrics(given),
    )


def _output(given: Namespace, filters: tuple[str, ...]) -> Output:
    output = parse_output(given.export, given.output)
    check_stacks(output, topics_of(filters))
    return output


def _metrics(given: Namespace) -> MetricsAddress | None:
    """Who says where, means that there are to be any."""
    if given.metrics_address is not None:
        return parse_metrics_address(given.metrics_address)
    return parse_metrics_address(DEFAULT_METRICS_ADDRESS) if given.metrics else None
