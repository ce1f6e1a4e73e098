"""Readers by topic, for the topics that have tables of their own."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.readers.cpu import CpuReader
from podtrace_tracer.readers.descriptors import DescriptorReader
from podtrace_tracer.readers.dns import DnsReader
from podtrace_tracer.readers.model import MakeReader, TopicReader, TraceContext
from podtrace_tracer.readers.processes import ProcessReader

READERS: Final[dict[str, MakeReader]] = {
    "dns": DnsReader, "cpu": CpuReader, "processes": ProcessReader, "descriptors": DescriptorReader,
}  # fmt: skip


def readers_of(topics: tuple[str, ...], context: TraceContext) -> tuple[TopicReader, ...]:
    """The readers of these topics, made for one trace."""
    return tuple(make(context) for topic, make in READERS.items() if topic in topics)
