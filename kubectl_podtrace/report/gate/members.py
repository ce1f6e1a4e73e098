"""The names that may stand in objects of the report without fixed keys: one that can never come up is a typo."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.analysis.dns_numbers import CODE_NAMES, TYPE_NAMES
from kubectl_podtrace.analysis.errno_names import ERRNO_NAMES
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.wire.histogram import BUCKETS, lower_bound
from kubectl_podtrace.wire.topics import OPERATION_NAMES, TCP_STATES


@dataclass(frozen=True, kw_only=True)
class Members:
    """What may stand in one object: `names`, and what has none of its own; `what` they are, in words."""

    what: str
    names: frozenset[str]
    unnamed: str = r"(?!)"

    def has(self, name: str) -> bool:
        """Whether it can come up."""
        return name in self.names or re.fullmatch(self.unnamed, name) is not None


_ERRORS: Final = Members(
    what="its members are errors by name",
    names=ERRNO_NAMES | {"ABORTED", "UNKNOWN"},
    unnamed=r"ERRNO_[0-9]{1,4}",
)
_STATES: Final = Members(what="its members are the kernel's TCP states", names=frozenset(TCP_STATES))
MEMBERS: Final[dict[str, Members]] = {
    "errors": _ERRORS,
    "accept_errors": _ERRORS,
    "exec_errors": _ERRORS,
    "states": _STATES,
    "rcodes": Members(
        what="its members are response codes of DNS", names=CODE_NAMES | {OTHER}, unnamed=r"RCODE[0-9]{1,4}"
    ),
    "query_types": Members(
        what="its members are query types of DNS", names=TYPE_NAMES | {OTHER}, unnamed=r"TYPE[0-9]{1,5}"
    ),
    "suppressed": Members(what="its members are operations", names=OPERATION_NAMES),
    "buckets": Members(
        what="its members are lower bounds of the histogram's buckets in ns",
        names=frozenset(str(lower_bound(bucket)) for bucket in range(BUCKETS)),
    ),
}
"""By the name of the object."""
