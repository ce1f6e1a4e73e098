"""The readable sections about the trace as a whole: summary, trust and clean-up."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.errno_names import end_text
from kubectl_podtrace.report.document import Block, Facts, Name, Section
from kubectl_podtrace.report.model import Report, Target
from kubectl_podtrace.report.sections.caveats import unlisted
from kubectl_podtrace.report.sections.pod_timeline import container_runs
from kubectl_podtrace.source import Cleanup
from kubectl_podtrace.wire.topics import FILTERS, TOPICS


def overview(report: Report) -> Section:
    """What was traced, how much happened, and when."""
    summary, target = report.summary, report.target
    pairs = [("target", _target_text(target))]
    if target.exit_status is not None:
        pairs.append(("ended with", end_text(target.exit_status)))
    pairs.append(("events", f"{units.count(summary.events)} ({units.rate(summary.events_per_s)})"))
    pairs.append(("period", _period(report)))
    pairs.extend(_topics(report))
    pairs.extend(("notice", remark.text) for remark in report.notices)
    blocks: list[Block] = [Facts(pairs=tuple(pairs))]
    if len(target.container_runs) > 1:
        blocks.append(container_runs(target.container_runs))
    return Section(title="Summary", blocks=tuple(blocks))


def trust(report: Report) -> Section:
    """What was lost, missing, absent or full; one line when nothing was."""
    section = report.trust
    pairs: list[tuple[str, str]] = [("incomplete", note) for note in section.notes]
    if section.complete:
        pairs.append(("complete", "the totals of the stream agree with those of its trailer"))
    pairs.extend(("note", remark) for remark in section.remarks)
    pairs.extend(
        ("not counted", f"{units.count(bypass.count)} {bypass.what}: in no number of {' or '.join(bypass.topics)}")
        for bypass in section.bypassed
    )
    for label, losses in (("lost in the kernel", section.lost_by), ("dropped by us", section.dropped_by)):
        pairs.extend((label, f"{units.count(loss.count)} of {loss.topic} ({loss.source})") for loss in losses)
    pairs.extend(
        ("gap", f"{units.counted(gap.lines, 'line')} at {units.wall_clock(gap.at)}") for gap in section.gaps[:5]
    )
    if len(section.gaps) > 5:
        pairs.append(("gap", f"and {units.count(len(section.gaps) - 5)} more"))
    if section.noise_lines:
        pairs.append(
            ("noise", units.counted(section.noise_lines, "line that is no record", "lines that are no records"))
        )
    pairs.extend(unlisted(table) for table in section.tables if table.unlisted)
    absent = [probe for probe in section.probes if not probe.attached]
    if section.complete and not absent and len(pairs) == 1:
        probes = f", {units.counted(len(section.probes), 'probe')} attached" if section.probes else ""
        return Section(title="Trust", blocks=(), empty=f"complete: nothing lost, nothing missing{probes}")
    pairs.extend(
        ("absent probe", f"{probe.name} ({probe.topic}): {probe.costs or 'no cost is known'}; {probe.reason}")
        for probe in absent
    )
    return Section(title="Trust", blocks=(Facts(pairs=tuple(pairs)),))


def cleanup(section: Cleanup) -> Section:
    """Whether anything is left in the cluster."""
    pod = f"tracer pod {section.namespace}/{section.pod}"
    if not section.deleted:
        text = f"{pod} was not deleted; kubectl delete pod -n {section.namespace} {section.pod}"
    elif section.gone_after_ns is None:
        text = f"{pod} deleted, and not yet seen gone"
    else:
        text = f"{pod} deleted, gone after {units.duration(section.gone_after_ns)}"
    return Section(title="Clean-up", blocks=(), empty=text)


def pods(target: Target) -> str:
    """The pods with their namespace; nothing where there are none."""
    return ", ".join(f"{target.namespace}/{pod}" if target.namespace else pod for pod in target.pods)


def target_title(target: Target) -> Name:
    """What was traced, by its name alone."""
    if target.pods:
        return Name(pods(target))
    if target.command:
        return Name(" ".join(target.command))
    return Name(f"pid {target.pid}" if target.pid is not None else target.cgroup or "unknown target")


def _target_text(target: Target) -> str:
    parts: list[str] = []
    if target.pods:
        parts.append(pods(target))
    if target.command:
        parts.append(" ".join(target.command))
    if target.pid is not None:
        parts.append(f"pid {target.pid}")
    if target.cgroup:
        parts.append(f"cgroup {target.cgroup}")
    if target.containers:
        parts.append(("container " if len(target.containers) == 1 else "containers ") + ", ".join(target.containers))
    if target.nodes:
        parts.append("node " + ", ".join(target.nodes))
    if target.kernel:
        parts.append(f"kernel {target.kernel}")
    return ", ".join(parts) or "unknown"


def _period(report: Report) -> str:
    summary = report.summary
    length = units.seconds(summary.duration_s)
    if summary.start is None or summary.end is None:
        return length
    return f"{length}, from {units.wall_clock(summary.start)} to {units.wall_clock(summary.end)}"


def _topics(report: Report) -> list[tuple[str, str]]:
    asked = report.settings.topics
    pairs = [("traced", ", ".join(asked))]
    left_out = [topic for topic in TOPICS if topic not in asked]
    if left_out:
        filters = [name for name, topics in FILTERS.items() if set(topics) & set(asked)]
        pairs.append(("not traced", f"{', '.join(left_out)} (left out by --filter {','.join(filters)})"))
    impossible = {probe.topic for probe in report.trust.probes if probe.required and not probe.attached}
    if impossible:
        pairs.append(("not measured", f"{', '.join(sorted(impossible))}: a required probe is absent, see Trust"))
    return pairs
