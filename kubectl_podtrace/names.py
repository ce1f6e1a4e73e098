"""Names that the cluster sees: labels, tracer pod names and the image reference.

One place, so that whoever looks for tracer pods (cleanup, tests, an operator with `kubectl get pods -l`) uses the same.
"""

from __future__ import annotations

import re
from typing import Final

PROGRAM: Final = "kubectl-podtrace"
TRACER_CONTAINER: Final = "tracer"

NAME_LABEL: Final = "app.kubernetes.io/name"
NAME_VALUE: Final = "podtrace-tracer"
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
SESSION_LABEL: Final = "podtrace.io/session"
TARGET_NAMESPACE_LABEL: Final = "podtrace.io/target-namespace"
TARGET_UID_LABEL: Final = "podtrace.io/target-uid"
CLIENT_LABEL: Final = "podtrace.io/client"
"""Whose pod it is: a random id that is kept where the plugin runs."""
USER_ANNOTATION: Final = "podtrace.io/user"
"""Who made it, in the cluster's own words, where it says them."""
TARGET_ANNOTATION: Final = "podtrace.io/target"
"""`namespace/pod` in full: a pod's name can be longer than a label's value."""

TRACER_SELECTOR: Final = f"{NAME_LABEL}={NAME_VALUE}"

RELEASE_IMAGE: Final[str | None] = None
"""`REPOSITORY@sha256:...` in a release; a development version has no published image."""

MAX_NAME_CHARS: Final = 63
"""A DNS-1123 label's limit: also the limit of a pod's host name and of a label's value."""

_PREFIX: Final = "podtrace"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def is_dns_label(name: str) -> bool:
    """Whether a namespace or container could have this name (RFC 1123 label, at most 63 characters)."""
    return len(name) <= MAX_NAME_CHARS and _LABEL.fullmatch(name) is not None


def is_dns_subdomain(name: str) -> bool:
    """Whether a pod or deployment could have this name (RFC 1123 subdomain, at most 253 characters)."""
    return len(name) <= 253 and _SUBDOMAIN.fullmatch(name) is not None


def tracer_pod_name(target_pod: str, suffix: str) -> str:
    """The tracer pod's name: tells the target, fits a DNS-1123 label, and is unique by the random `suffix` handed in.

    >>> tracer_pod_name("api-0", "k3x9q")
    'podtrace-api-0-k3x9q'
    """
    if not is_dns_label(suffix):
        raise ValueError(f"not usable at the end of a pod's name: {suffix!r}")
    room = MAX_NAME_CHARS - len(_PREFIX) - len(suffix) - 2
    middle = re.sub(r"[^a-z0-9]+", "-", target_pod.lower())[: max(room, 0)].strip("-")
    return "-".join(part for part in (_PREFIX, middle, suffix) if part)


def tracer_labels(*, session_id: str, target_namespace: str, target_uid: str, client_id: str = "") -> dict[str, str]:
    """The labels of a tracer pod; `session_id`, `target_uid` and `client_id` must be usable as label values."""
    return {
        NAME_LABEL: NAME_VALUE,
        MANAGED_BY_LABEL: PROGRAM,
        SESSION_LABEL: session_id,
        TARGET_NAMESPACE_LABEL: target_namespace,
        TARGET_UID_LABEL: target_uid,
        **({CLIENT_LABEL: client_id} if client_id else {}),
    }
