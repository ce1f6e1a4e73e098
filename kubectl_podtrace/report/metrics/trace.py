"""Metrics of the trace itself: what is traced, what was found, how far to trust it, what it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from kubectl_podtrace.analysis.cost import Cost, ProgramCost
from kubectl_podtrace.analysis.sections import Sections
from kubectl_podtrace.report.metrics.model import SECONDS, Kind, Metric, Of, Sample, by_name, label
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.wire.topics import TOPICS

_REPORT: Final = Of[Report](lambda report: report)
_COST: Final = Of[Cost](lambda report: report.cost)


def _versions(report: Report) -> Iterator[Sample]:
    yield Sample((label(report.tool.version), label(report.tool.tracer_version or "")), 1)


def _target(report: Report) -> Iterator[Sample]:
    """One for each container."""
    target = report.target
    shared = (
        target.namespace or "",
        ",".join(target.pods),
        ",".join(target.nodes),
        target.kernel or "",
        "" if target.pid is None else str(target.pid),
        target.cgroup or "",
        " ".join(target.command or ()),
    )
    for container in target.containers or ("",):
        yield Sample(tuple(label(text) for text in (container, *shared)), 1)


def _topics(report: Report) -> Iterator[Sample]:
    sections = {**vars(report), "queries": report.query_libraries}
    for topic in TOPICS:
        yield Sample((topic,), int(sections[topic] is not None))


def _partial(report: Report) -> Iterator[Sample]:
    """When each section began to lack something."""
    for name in ("summary", *Sections.__dataclass_fields__):
        for part in getattr(getattr(report, name), "partial", ()):
            yield Sample((name, label(part.lacks)), part.until.timestamp())


def _findings(report: Report) -> Iterator[Sample]:
    for (rule, severity), number in Counter((each.rule, each.severity) for each in report.findings).items():
        yield Sample((rule, severity), number)


def _losses(report: Report) -> Iterator[Sample]:
    for kind, losses in (("lost", report.trust.lost_by), ("dropped", report.trust.dropped_by)):
        for loss in losses:
            yield Sample((kind, label(loss.source), label(loss.topic)), loss.count)


def _is_whole(report: Report) -> int:
    """Whether nothing keeps the report from being complete but that the trace goes on."""
    return int(len(report.trust.notes) == report.trust.truncated)


def _probes(report: Report) -> Iterator[Sample]:
    attached = sum(probe.attached for probe in report.trust.probes)
    yield Sample(("attached",), attached)
    yield Sample(("absent",), len(report.trust.probes) - attached)


def _programs(cost: Cost, read: Callable[[ProgramCost], int]) -> Iterator[Sample]:
    for program in cost.programs or ():
        yield Sample((label(program.name),), read(program))


ABOUT: Final = (
    Metric(
        name="podtrace_info",
        kind=Kind.INFO,
        help="The versions of this program and of its tracer.",
        labels=("version", "tracer_version"),
        read=_versions,
    ),
    Metric(
        name="podtrace_target_info",
        kind=Kind.INFO,
        help="What is traced: a container of a pod, or in local mode a process, a cgroup or a command.",
        labels=("container", "namespace", "pod", "node", "kernel", "pid", "cgroup", "command"),
        read=_target,
        key=8,
    ),
    Metric(
        name="podtrace_start_timestamp_seconds",
        kind=Kind.GAUGE,
        help="When the last probe was attached, by the node's clock.",
        read=_REPORT.value(lambda report: report.summary.start.timestamp() if report.summary.start else None),
    ),
    Metric(
        name="podtrace_report_timestamp_seconds",
        kind=Kind.GAUGE,
        help="Of what moment these numbers are, by the node's clock.",
        read=_REPORT.value(lambda report: report.summary.end.timestamp() if report.summary.end else None),
    ),
    Metric(
        name="podtrace_topic_measured",
        kind=Kind.GAUGE,
        help="Whether a topic is measured (1), or was filtered out or cannot be measured (0): then it has no metrics.",
        labels=("topic",),
        read=_REPORT.samples(_topics),
    ),
    Metric(
        name="podtrace_partial_since_timestamp_seconds",
        kind=Kind.GAUGE,
        help="From when on the numbers of a section of the report lack what had been shed because it cost too much.",
        labels=("section", "lacks"),
        read=_REPORT.samples(_partial),
        key=2,
        listed=200,
    ),
    Metric(
        name="podtrace_events_total",
        kind=Kind.COUNTER,
        help="Everything that counts as an event in the summary of the report.",
        read=_REPORT.value(lambda report: report.summary.events),
    ),
    Metric(
        name="podtrace_container_events_total",
        kind=Kind.COUNTER,
        help="Events by container, of all its runs.",
        labels=("container",),
        read=_REPORT.samples(
            lambda report: (Sample((label(each.name),), each.events) for each in report.target.container_events)
        ),
        key=1,
    ),
    Metric(
        name="podtrace_container_runs",
        kind=Kind.GAUGE,
        help="Runs of a container that were seen: more than one where it restarted.",
        labels=("container",),
        read=_REPORT.samples(
            lambda report: (Sample((label(each.name),), each.runs) for each in report.target.container_events)
        ),
        key=1,
    ),
)
FINDINGS: Final = (
    Metric(
        name="podtrace_findings",
        kind=Kind.GAUGE,
        help="Findings by rule and severity; a rule that found nothing has none.",
        labels=("rule", "severity"),
        read=_REPORT.samples(_findings),
        key=2,
        listed=200,
    ),
    Metric(
        name="podtrace_findings_rules",
        kind=Kind.GAUGE,
        help="Rules that have something to look at.",
        read=_REPORT.value(lambda report: len(report.looked_for)),
    ),
)
TRUST: Final = (
    Metric(
        name="podtrace_trust_complete",
        kind=Kind.GAUGE,
        help="Whether nothing keeps the report from being complete (1) but that the trace goes on.",
        read=_REPORT.value(_is_whole),
    ),
    Metric(
        name="podtrace_trust_lost_total",
        kind=Kind.COUNTER,
        help="Things that the kernel could not keep.",
        read=_REPORT.value(lambda report: report.trust.lost),
    ),
    Metric(
        name="podtrace_trust_dropped_total",
        kind=Kind.COUNTER,
        help="Things that the tracer did not pass on.",
        read=_REPORT.value(lambda report: report.trust.dropped),
    ),
    Metric(
        name="podtrace_trust_losses_total",
        kind=Kind.COUNTER,
        help="What was lost or dropped, by where that was and the topic whose numbers it touches.",
        labels=("kind", "source", "topic"),
        read=_REPORT.samples(_losses),
        key=3,
        listed=100,
    ),
    Metric(
        name="podtrace_trust_gaps",
        kind=Kind.GAUGE,
        help="Places where lines of the stream are missing; late lines close them.",
        read=_REPORT.value(lambda report: len(report.trust.gaps)),
    ),
    Metric(
        name="podtrace_trust_missing_lines",
        kind=Kind.GAUGE,
        help="Lines of the stream that are missing.",
        read=_REPORT.value(lambda report: report.trust.missing_lines),
    ),
    Metric(
        name="podtrace_trust_noise_lines_total",
        kind=Kind.COUNTER,
        help="Lines that are no records.",
        read=_REPORT.value(lambda report: report.trust.noise_lines),
    ),
    Metric(
        name="podtrace_trust_broken_rows_total",
        kind=Kind.COUNTER,
        help="Rows that contradicted earlier ones and went uncounted.",
        read=_REPORT.value(lambda report: report.trust.broken_rows),
    ),
    Metric(
        name="podtrace_trust_bypassed_total",
        kind=Kind.COUNTER,
        help="Operations that were seen and are in no other number, such as those through io_uring.",
        labels=("operation",),
        read=_REPORT.samples(lambda report: (Sample((each.operation,), each.count) for each in report.trust.bypassed)),
        key=1,
    ),
    Metric(
        name="podtrace_trust_suppressed_events_total",
        kind=Kind.COUNTER,
        help="Events that were not told singly, so that the stream stays small; the totals have them.",
        labels=("operation",),
        read=_REPORT.samples(lambda report: by_name(report.trust.suppressed)),
        key=1,
        listed=100,
    ),
    Metric(
        name="podtrace_trust_probes",
        kind=Kind.GAUGE,
        help="Probes that are attached, and those that this kernel lacks.",
        labels=("state",),
        read=_REPORT.samples(_probes),
    ),
)
COST: Final = (
    Metric(
        name="podtrace_cost_tracer_cpu_seconds_total",
        kind=Kind.COUNTER,
        help="CPU time of the tracer.",
        read=_COST.value(lambda cost: cost.tracer_cpu_s),
    ),
    Metric(
        name="podtrace_cost_tracer_resident_bytes",
        kind=Kind.GAUGE,
        help="Resident memory of the tracer.",
        read=_COST.value(lambda cost: cost.tracer_rss_bytes),
    ),
    Metric(
        name="podtrace_cost_stream_bytes_total",
        kind=Kind.COUNTER,
        help="What the tracer wrote.",
        read=_COST.value(lambda cost: cost.stream_bytes),
    ),
    Metric(
        name="podtrace_cost_overhead_ratio",
        kind=Kind.GAUGE,
        help="The share of the node's CPU time that programs and tracer take together, estimated.",
        read=_COST.value(lambda cost: cost.overhead_ratio),
    ),
    Metric(
        name="podtrace_cost_program_seconds_total",
        kind=Kind.COUNTER,
        help="CPU time of a probe's program, estimated from samples.",
        labels=("program",),
        read=_COST.samples(lambda cost: _programs(cost, lambda program: program.run_ns)),
        per_unit=SECONDS,
        key=1,
        listed=100,
    ),
    Metric(
        name="podtrace_cost_program_runs_total",
        kind=Kind.COUNTER,
        help="Runs of a probe's program, estimated from samples.",
        labels=("program",),
        read=_COST.samples(lambda cost: _programs(cost, lambda program: program.runs)),
        key=1,
        listed=100,
    ),
    Metric(
        name="podtrace_cost_program_misses_total",
        kind=Kind.COUNTER,
        help="Runs of a probe's program that the kernel skipped.",
        labels=("program",),
        read=_COST.samples(lambda cost: _programs(cost, lambda program: program.misses)),
        key=1,
        listed=100,
    ),
    Metric(
        name="podtrace_cost_shed",
        kind=Kind.GAUGE,
        help="How often probes were given up, because tracing cost more than --max-overhead.",
        read=_COST.value(lambda cost: len(cost.shed)),
    ),
)
