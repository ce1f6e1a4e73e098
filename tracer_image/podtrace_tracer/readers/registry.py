"""Readers by topic, for the topics that have tables of their own."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.readers.connections import ConnectionReader
from podtrace_tracer.readers.cpu import CpuReader
from podtrace_tracer.readers.cpu_samples import CpuSampleReader
from podtrace_tracer.readers.descriptors import DescriptorReader
from podtrace_tracer.readers.dns import DnsReader
from podtrace_tracer.readers.frames import FrameReader
from podtrace_tracer.readers.locks import LockReader
from podtrace_tracer.readers.memory import MemoryReader
from podtrace_tracer.readers.model import MakeReader, TopicReader, TraceContext
from podtrace_tracer.readers.processes import ProcessReader
from podtrace_tracer.readers.queries import QueryReader
from podtrace_tracer.readers.stacks import StackReader

READERS: Final[dict[str, MakeReader]] = {
    "connections": ConnectionReader,
    "dns": DnsReader,
    "cpu": CpuReader,
    "locks": LockReader,
    "processes": ProcessReader,
    "memory": MemoryReader,
    "descriptors": DescriptorReader,
    "queries": QueryReader,
}

_OF_TABLES: Final[dict[str, MakeReader]] = {
    "cpu_samples_side": CpuSampleReader, "stack_counts": StackReader, "stacks": FrameReader,
}  # fmt: skip
"""Readers that are there where the programs have a table; that of the frames comes last."""


def readers_of(topics: tuple[str, ...], context: TraceContext) -> tuple[TopicReader, ...]:
    """The readers of these topics, made for one trace."""
    makers = [make for topic, make in READERS.items() if topic in topics]
    # Of several topics, or of a part of one.
    more = [make for table, make in _OF_TABLES.items() if context.programs.has(table)]
    return tuple(make(context) for make in (*makers, *more))
