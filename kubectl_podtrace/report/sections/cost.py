"""The readable section about what the trace itself took, and what was given up to keep that small."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.cost import Cost, ProgramCost, ShedProbes
from kubectl_podtrace.report.document import Block, Facts, Name, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import first_rows, number_or_dash

TITLE = "Cost of the trace"


def cost(section: Cost) -> Section:
    """The tracer's CPU, memory and stream; where the kernel measured them, the programs one by one."""
    cpu = units.seconds(section.tracer_cpu_s)
    text = (
        f"{cpu} of CPU, {units.size(section.tracer_rss_bytes)} of memory, {units.size(section.stream_bytes)} of stream"
    )
    if section.programs is None and not section.shed:
        return Section(title=TITLE, blocks=(), empty=text)
    pairs = [("tracer", text)]
    if section.overhead_ratio is not None and section.measured_ratio is not None:
        share = units.ratio(section.overhead_ratio)
        part = units.ratio(section.measured_ratio)
        pairs.append(("of the node", f"{share} of its CPU time, estimated: programs were measured {part} of the time"))
    pairs.extend(("shed", _shed_text(shed)) for shed in section.shed)
    blocks: list[Block] = [Facts(pairs=tuple(pairs))]
    ran = [program for program in section.programs or () if program.runs or program.misses]
    if ran:
        blocks.append(_programs(ran))
    return Section(title=TITLE, blocks=tuple(blocks))


def _shed_text(shed: ShedProbes) -> str:
    return (
        f"{', '.join(shed.probes)} at {units.clock(shed.at)} UTC: tracing took {units.ratio(shed.overhead_ratio)} of "
        f"the node (limit {units.ratio_threshold(shed.limit_ratio)}), these {units.ratio(shed.cost_ratio)}; "
        f"from then on {shed.lacks}"
    )


def _programs(ran: list[ProgramCost]) -> Table:
    total_ns = sum(program.run_ns for program in ran) or 1
    return first_rows(
        (*right("runs (estimated)", "time", "of it", "a run", "missed"), left("program")),
        tuple(
            (
                units.count(program.runs),
                units.duration(program.run_ns),
                units.ratio(program.run_ns / total_ns),
                units.duration(program.run_ns // program.runs) if program.runs else "-",
                number_or_dash(program.misses),
                Name(program.name),
            )
            for program in ran
        ),
    )
