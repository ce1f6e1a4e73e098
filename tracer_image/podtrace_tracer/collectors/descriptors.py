"""descriptors: opens and closes, counted only. The programs that read system calls hold all that it needs."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors.files import OPENS
from podtrace_tracer.collectors.model import Collector

COLLECTOR: Final = Collector(topic="descriptors", sources=(), syscalls=OPENS | {"close"})
