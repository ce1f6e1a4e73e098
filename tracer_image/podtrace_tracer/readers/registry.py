"""Readers by topic, for the topics that have tables of their own."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.readers.cpu import CpuReader
from podtrace_tracer.readers.descriptors import DescriptorReader
from podtrace_tracer.readers.dns import DnsReader
from podtrace_tracer.readers.locks import LockReader
from podtrace_tracer.readers.model import MakeReader, TopicReader, TraceContext
from podtrace_tracer.readers.processes import ProcessReader
from podtrace_tracer.readers.stacks import StackReader

READERS: Final[dict[str, MakeReader]] = {
    "dns": DnsReader,
    "cpu": CpuReader,
    "locks": LockReader,
    "processes": ProcessReader,
    "descriptors": DescriptorReader,
}


def readers_of(topics: tuple[str, ...], context: TraceContext) -> tuple[TopicReader, ...]:
    """The readers of these topics, made for one trace."""
    makers = [make for topic, make in READERS.items() if topic in topics]
    # Operations of several topics have stacks.
    return tuple(make(context) for make in (*makers, *([StackReader] if context.programs.has("stack_counts") else ())))
