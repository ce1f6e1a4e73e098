"""Why the tracer cannot trace, in words for the person who asked."""

from __future__ import annotations

from kubectl_podtrace.wire.fields import MAX_TEXT
from kubectl_podtrace.wire.records import Refusal


class RefusedError(Exception):
    """The tracer cannot trace; `record` says why and what to do."""

    def __init__(self, slug: str, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.record = Refusal(slug=slug, text=text[:MAX_TEXT], hint=hint[:MAX_TEXT])
