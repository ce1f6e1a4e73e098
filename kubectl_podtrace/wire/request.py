"""What the plugin asks of the tracer: one JSON text, handed over in the environment variable `REQUEST_VARIABLE`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from kubectl_podtrace.wire.topics import TOPICS

REQUEST_VARIABLE: Final = "PODTRACE_REQUEST"
CACHE_VARIABLE: Final = "PODTRACE_CACHE"
"""Names the directory where the tracer keeps what it compiled; unset, it leaves nothing behind."""
STOP_LINE: Final = b"stop\n"
"""What the tracer takes on stdin as the order to finish; without a lease, the end of a stdin that was read is one."""
PING_LINE: Final = b"ping\n"
"""The sign of life that the lease runs from."""
ACK_LINE: Final = b"ack\n"
"""The plugin's word that it has the trailer: the tracer may exit."""
CLIENT_GONE: Final = "client gone"
"""The trailer's reason when nobody was heard of any more."""

DEFAULT_FS_THRESHOLD_NS: Final = 10_000_000
DEFAULT_RTT_THRESHOLD_NS: Final = 100_000_000
DEFAULT_EVENTS_PER_S: Final = 50
DEFAULT_MAX_OVERHEAD_PPM: Final = 50_000


class RequestError(ValueError):
    """The request is not one that this version understands."""


@dataclass(frozen=True, kw_only=True)
class PodTarget:
    """All tasks in the cgroup of the pod with this UID (a static pod's is its `kubernetes.io/config.hash`)."""

    uid: str


@dataclass(frozen=True, kw_only=True)
class CgroupTarget:
    """All tasks in this cgroup and below: an absolute directory, or a path below any mounted hierarchy."""

    path: str


@dataclass(frozen=True, kw_only=True)
class ProcessTarget:
    """The process with this pid and all its descendants."""

    pid: int


@dataclass(frozen=True, kw_only=True)
class TraceRequest:
    """One trace. `duration_ns` counts from the moment the last probe is attached; 0 means until stopped.

    `events_per_s` limits single events of each kind; 0 means no limit. `max_overhead_ppm` is how much of the node's CPU
    time, in millionths, tracing may cost before the tracer sheds probes; 0 means that it sheds none. `lease_ns` is
    how long after the last ping the tracer ends; 0 means that it does not. The first ping starts the lease or, where a
    client `is_awaited`, the tracer's own start. A trace that `is_watched` tells of lists and histograms as often in its
    later hours as in its first minutes, as one without a duration does.
    """

    target: PodTarget | CgroupTarget | ProcessTarget
    topics: tuple[str, ...] = TOPICS
    duration_ns: int = 0
    fs_threshold_ns: int = DEFAULT_FS_THRESHOLD_NS
    rtt_threshold_ns: int = DEFAULT_RTT_THRESHOLD_NS
    events_per_s: int = DEFAULT_EVENTS_PER_S
    max_overhead_ppm: int = DEFAULT_MAX_OVERHEAD_PPM
    lease_ns: int = 0
    is_awaited: bool = False
    is_watched: bool = False

    def to_json(self) -> str:
        """The text for `REQUEST_VARIABLE`."""
        kind = next(name for name, target_type in _TARGETS.items() if isinstance(self.target, target_type))
        return json.dumps({**asdict(self), "target": {"kind": kind, **asdict(self.target)}})

    @classmethod
    def from_json(cls, text: str) -> TraceRequest:
        """Raises RequestError with what is wrong."""
        try:
            return _request(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RequestError(f"the request cannot be read: {error}") from error


_TARGETS: Final[dict[str, type[PodTarget | CgroupTarget | ProcessTarget]]] = {
    "pod": PodTarget,
    "cgroup": CgroupTarget,
    "process": ProcessTarget,
}


def _request(body: dict[str, Any]) -> TraceRequest:
    target = dict(body.pop("target"))
    topics = tuple(body.pop("topics"))
    unknown = sorted(set(topics) - set(TOPICS))
    if unknown or not topics:
        raise ValueError(f"topics {unknown or 'are missing'}")
    numbers = {name: body[name] for name in ("duration_ns", "fs_threshold_ns", "rtt_threshold_ns", "events_per_s")}
    numbers["max_overhead_ppm"] = body.get("max_overhead_ppm", DEFAULT_MAX_OVERHEAD_PPM)
    numbers["lease_ns"] = body.get("lease_ns", 0)
    flags = {name: body.get(name, False) for name in ("is_awaited", "is_watched")}
    for name, value in numbers.items():
        if type(value) is not int or not 0 <= value < 2**63:
            raise ValueError(f"{name} must be a number of at least 0")
    for name, flag in flags.items():
        if type(flag) is not bool:
            raise ValueError(f"{name} must be true or false")
    return TraceRequest(target=_TARGETS[target.pop("kind")](**target), topics=topics, **numbers, **flags)
