"""Turns the API server's refusals into errors that a user can act on."""

from __future__ import annotations

import re
from typing import Final

from kubectl_podtrace.cluster.transport import ApiStatusError
from kubectl_podtrace.errors import (
    AdmissionRefusedError,
    ApiError,
    NotAuthenticatedError,
    PermissionDeniedError,
    PodtraceError,
    TargetNotFoundError,
)

_RBAC: Final = re.compile(r"\bcannot \w+ resource \"")
_ANONYMOUS: Final = '"system:anonymous"'
_WEBHOOK: Final = re.compile(r"admission webhook|failed calling webhook|denied the request")
_POD_SECURITY: Final = re.compile(r"violates PodSecurity")
_TERMINATING: Final = re.compile(r"because it is being terminated")
_NO_DRY_RUN: Final = re.compile(r"does not support dry run")


def explain(refusal: ApiStatusError, *, verb: str, resource: str, namespace: str) -> PodtraceError:
    """The error for a refused call that has no meaning of its own to the caller."""
    if refusal.status == 401 or (refusal.status == 403 and _ANONYMOUS in refusal.message):
        return NotAuthenticatedError(refusal.message)
    if refusal.status == 403:
        return PermissionDeniedError(verb=verb, resource=resource, namespace=namespace, why=refusal.message)
    return ApiError(f"the API server did not {verb} {resource} ({refusal.status} {refusal.reason}): {refusal.message}")


def explain_create(refusal: ApiStatusError, *, namespace: str) -> PodtraceError:
    """The error for a tracer pod that was not let in.

    RBAC and admission both answer 403; only RBAC's text has the form `User "..." cannot create resource "..."`.
    """
    is_rbac = _RBAC.search(refusal.message) is not None or _ANONYMOUS in refusal.message
    if refusal.status == 404:
        return TargetNotFoundError(
            f'the tracer pod\'s namespace "{namespace}" does not exist', "name one with --tracer-namespace"
        )
    if (refusal.status == 403 and not is_rbac) or refusal.status == 422 or _WEBHOOK.search(refusal.message):
        return AdmissionRefusedError(
            f'the cluster\'s policy refused the tracer pod in namespace "{namespace}": {refusal.message}',
            _admission_hint(refusal.message),
        )
    return explain(refusal, verb="create", resource="pods", namespace=namespace)


def is_untested(refusal: ApiStatusError) -> bool:
    """Whether a dry run was refused for being one: some webhooks cannot tell without doing."""
    return _NO_DRY_RUN.search(refusal.message) is not None


def _admission_hint(message: str) -> str:
    if _TERMINATING.search(message):
        return "the namespace is being deleted: name another one with --tracer-namespace"
    if _POD_SECURITY.search(message):
        return "the tracer pod is privileged: use --tracer-namespace with a namespace that allows such pods"
    return "kubectl podtrace --dry-run prints the pod; --tracer-namespace puts it into another namespace"
