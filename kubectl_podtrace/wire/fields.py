"""What the fields of records may hold: each type with the limit that a decoded value is checked against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from kubectl_podtrace.wire.topics import DESCRIPTOR_KINDS, EVERY_TOPIC, OPERATION_NAMES, TOPICS


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a decoded value must satisfy: a range for integers, a length for text and lists, a set of known words."""

    low: int = 0
    high: int = 2**64 - 1
    words: frozenset[str] | None = None


MAX_TEXT: Final = 1024
"""Names (paths, commands, addresses) are cut at so many bytes by the tracer, which marks the cut with `CUT_MARK`."""
CUT_MARK: Final = "…"
MAX_LINE: Final = 8000
"""The longest line in bytes, newline included: CRI-O cuts at 8 KiB."""

Count = Annotated[int, Limit()]
Index = Annotated[int, Limit(high=65_535)]
ErrorNumber = Annotated[int, Limit(high=4095)]
Port = Annotated[int, Limit(high=65_535)]
Pid = Annotated[int, Limit(high=2**31 - 1)]
Offset = Annotated[int, Limit(low=-(2**63), high=2**63 - 1)]
Text = Annotated[str, Limit(high=MAX_TEXT)]
OperationName = Annotated[str, Limit(words=OPERATION_NAMES)]
DescriptorKind = Annotated[str, Limit(words=frozenset(DESCRIPTOR_KINDS))]
Topic = Annotated[str, Limit(words=frozenset(TOPICS))]
TopicOrAll = Annotated[str, Limit(words=frozenset({*TOPICS, EVERY_TOPIC}))]
