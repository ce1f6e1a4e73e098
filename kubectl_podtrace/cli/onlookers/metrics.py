"""The running trace for Prometheus: the newest report as metrics, behind an address of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from kubectl_podtrace import __version__
from kubectl_podtrace.cli.onlookers import Moment
from kubectl_podtrace.cli.onlookers.metrics_server import MetricsServer, Page
from kubectl_podtrace.cli.parse import MetricsAddress
from kubectl_podtrace.report.metrics.catalog import METRICS
from kubectl_podtrace.report.metrics.model import BOUNDS_NS, Histogram, Kind, Metric, Value
from kubectl_podtrace.report.metrics.series import Family, Series
from kubectl_podtrace.units import SECOND_NS
from kubectl_podtrace.wire.records import Event

if TYPE_CHECKING:
    from prometheus_client import Metric as Exposed

LONGEST_WAIT_NS: Final = 30 * SECOND_NS
"""What has no lists and no histograms is told anew after so long: in this time a tracer repeats all that it has."""
_MOST_FORMATS: Final = 8
_UNITS: Final = ("seconds", "bytes", "ratio")
_BEFORE: Final = Family(
    metric=next(metric for metric in METRICS if metric.name == "podtrace_info"), series=(((__version__, ""), 1),)
)
"""All that there is to say before the probes are attached."""


class MetricsEndpoint:
    """Takes a report whenever the tracer has told all of its numbers, every few seconds, and exposes it until the next.

    It is made in the thread that reads the stream; scrapes get what was made, and no scrape causes work there.
    """

    def __init__(self, address: MetricsAddress, *, say: Callable[[str], None]) -> None:
        """Listens from now on; raises `MetricsAddressError`. `say` is told where."""
        self._exposition = Exposition((_BEFORE,))
        self._series = Series(METRICS)
        self._seen_ns = 0
        self._told_ns = 0
        self._server = MetricsServer(address, self._exposition.page)
        say(f"metrics are at {self._server.url} while the trace runs")
        if not ip_address(self._server.host.partition("%")[0]).is_loopback:
            say("whoever reaches this address can read them, with the names of files, processes and hosts in them")

    def see(self, event: Event) -> None:
        """See `Onlooker`."""

    def look(self, moment: Moment) -> None:
        """See `Onlooker`."""
        at_ns = moment.at_ns
        if at_ns <= self._seen_ns:
            return
        # Lists and histograms come every few seconds, right behind the totals of their second. Between them the totals
        # run ahead, and a report would show the difference as operations that took for ever, of nobody in particular.
        is_whole = moment.fold.detailed_ns > self._seen_ns
        if is_whole or at_ns - (self._told_ns or moment.fold.started_ns) >= LONGEST_WAIT_NS:
            self._exposition.show(self._series.take(moment.live().total))
            self._told_ns = at_ns
        self._seen_ns = at_ns

    def end(self) -> None:
        """See `Onlooker`."""
        self._server.close()


class Exposition:
    """Families as text, in the format that a scraper asks for."""

    def __init__(self, families: tuple[Family, ...]) -> None:
        self._pages = _Pages(families)

    def show(self, families: tuple[Family, ...]) -> None:
        """These, from now on. Never waits for a scrape."""
        self._pages = _Pages(families)

    def page(self, accept: str) -> Page:
        """For a value of the header Accept."""
        return self._pages.page(accept)


class _Pages:
    """Families in each format that was asked for: each is written once, however many ask, and few are."""

    def __init__(self, families: tuple[Family, ...]) -> None:
        from prometheus_client import CollectorRegistry

        self._families = families
        self._lock = threading.Lock()
        self._written: dict[str, Page] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def collect(self) -> Iterator[Exposed]:
        """What the registry asks for."""
        return map(_exposed, self._families)

    def page(self, accept: str) -> Page:
        from prometheus_client.exposition import choose_encoder

        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):
            # A version that is no number.
            encode, content_type = choose_encoder("")
        with self._lock:
            if content_type not in self._written and len(self._written) >= _MOST_FORMATS:
                encode, content_type = choose_encoder("")
            if content_type not in self._written:
                self._written[content_type] = Page(content_type=content_type, body=encode(self._registry))
            return self._written[content_type]


def _exposed(family: Family) -> Exposed:
    from prometheus_client import metrics_core

    metric = family.metric
    match metric.kind:
        case Kind.COUNTER:
            name = metric.name.removesuffix("_total")
            counter = metrics_core.CounterMetricFamily(name, metric.help, labels=metric.labels, unit=_unit(name))
            for labels, value in family.series:
                counter.add_metric(labels, _number(metric, value))
            return counter
        case Kind.GAUGE:
            gauge = metrics_core.GaugeMetricFamily(
                metric.name, metric.help, labels=metric.labels, unit=_unit(metric.name)
            )
            for labels, value in family.series:
                gauge.add_metric(labels, _number(metric, value))
            return gauge
        case Kind.HISTOGRAM:
            return _exposed_histogram(family)
        case Kind.INFO:
            info = metrics_core.InfoMetricFamily(metric.name.removesuffix("_info"), metric.help, labels=())
            for labels, _ in family.series:
                info.add_metric((), dict(zip(metric.labels, labels, strict=True)))
            return info


def _exposed_histogram(family: Family) -> Exposed:
    from prometheus_client import metrics_core

    metric = family.metric
    bounds = [*(str(bound / metric.per_unit) for bound in BOUNDS_NS), "+Inf"]
    histogram = metrics_core.HistogramMetricFamily(
        metric.name, metric.help, labels=metric.labels, unit=_unit(metric.name)
    )
    for labels, value in family.series:
        assert isinstance(value, Histogram)
        counts = (*value.below, value.count)
        histogram.add_metric(labels, list(zip(bounds, counts, strict=True)), value.sum_ns / metric.per_unit)
    return histogram


def _number(metric: Metric, value: Value) -> float:
    assert not isinstance(value, Histogram)
    return value if metric.per_unit == 1 else value / metric.per_unit


def _unit(name: str) -> str:
    return next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
