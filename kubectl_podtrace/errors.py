"""Every failure that a user can see: what happened, why, and what to do about it.

Each class has a stable `slug` (for documentation and scripts) and an `exit_code`. The command line prints
`error: <message>` and, where there is one, `hint: <hint>`; nothing else of the program writes either word.
"""

from __future__ import annotations

from typing import ClassVar


class PodtraceError(Exception):
    """The base of all failures that are reported in plain words, without a traceback."""

    slug: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PodtraceError):
    """The command line cannot be understood; nothing has been asked of a cluster or a kernel yet."""

    slug = "usage"
    exit_code = 2


class KubeconfigError(PodtraceError):
    """There is no usable kubeconfig, or it lacks the context that was asked for."""

    slug = "kubeconfig"
    exit_code = 9


class ClusterUnreachableError(PodtraceError):
    """The API server cannot be reached at the address that the kubeconfig names."""

    slug = "cluster-unreachable"
    exit_code = 9


class NotAuthenticatedError(PodtraceError):
    """The API server does not know who is asking."""

    slug = "not-authenticated"
    exit_code = 9

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the API server did not accept the kubeconfig's credentials: {why}",
            "log in again, then check with: kubectl auth can-i get pods",
        )


class ApiError(PodtraceError):
    """The API server refused a call for a reason that has no class of its own."""

    slug = "api"
    exit_code = 9


class GateFailedError(PodtraceError):
    """A condition of the gate holds, or could not be judged; the report is written, and has them all."""

    slug = "gate"
    exit_code = 3


class PermissionDeniedError(PodtraceError):
    """RBAC forbids one call; says which verb on which resource, and how to check."""

    slug = "permission"
    exit_code = 4

    def __init__(self, *, verb: str, resource: str, namespace: str, why: str) -> None:
        where = f' in namespace "{namespace}"' if namespace else ""
        # TYPE/NAME would be one object to kubectl.
        kind, _, part = resource.partition("/")
        flags = (f" --subresource={part}" if part else "") + (f" -n {namespace}" if namespace else "")
        super().__init__(
            f"you may not {verb} {resource}{where}: {why}", f"check with: kubectl auth can-i {verb} {kind}{flags}"
        )
        self.verb = verb
        self.resource = resource


class TargetNotFoundError(PodtraceError):
    """The pod, deployment, container or namespace that was named does not exist."""

    slug = "target-not-found"
    exit_code = 5


class TargetNotTraceableError(PodtraceError):
    """The pod exists, but nothing of it can run any more, or it has no node yet."""

    slug = "target-not-traceable"
    exit_code = 5


class ImageError(PodtraceError):
    """There is no tracer image to start, or the node cannot get it."""

    slug = "image"
    exit_code = 6


class AdmissionRefusedError(PodtraceError):
    """The cluster's policy refused the tracer pod; carries the policy's own words."""

    slug = "admission"
    exit_code = 6


class NodeUnavailableError(PodtraceError):
    """The target's node is gone, not ready, of a kind that runs no tracer, or its kubelet does not answer."""

    slug = "node"
    exit_code = 6


class TracerStartError(PodtraceError):
    """The tracer did not start, for a reason that is not its image, the policy or the node."""

    slug = "tracer-start"
    exit_code = 6


class TracerRefusedError(PodtraceError):
    """The tracer started and found that it cannot trace here; carries its own error record."""

    slug = "tracer-refused"
    exit_code = 7


class IncompatibleTracerError(PodtraceError):
    """The tracer speaks another version of the stream than this plugin."""

    slug = "incompatible-tracer"
    exit_code = 7

    def __init__(self, *, theirs: int, ours: int, tracer_version: str) -> None:
        super().__init__(
            f"the tracer (version {tracer_version!a}) writes stream version {theirs}, this plugin reads version {ours}",
            "use plugin and tracer image of the same release (--image, PODTRACE_IMAGE)",
        )


class LocalModeError(PodtraceError):
    """Local mode cannot start on this machine."""

    slug = "local"
    exit_code = 7


class NotRootError(LocalModeError):
    """Local mode needs root to load BPF programs."""

    slug = "not-root"

    def __init__(self) -> None:
        super().__init__(
            "local tracing needs root: loading BPF programs is a privilege",
            'sudo "$(command -v kubectl-podtrace)" local ...',
        )


class TracerPythonMissingError(LocalModeError):
    """The system's Python, which runs the tracer, is missing or too old."""

    slug = "tracer-python"


class BccMissingError(LocalModeError):
    """BCC's Python module is not installed for the system's Python."""

    slug = "bcc-missing"

    def __init__(self, python: str) -> None:
        super().__init__(
            f"{python} cannot import bcc, which compiles the BPF programs",
            "apt-get install python3-bpfcc python3-pyroute2 (PyPI's package of the name bcc is another thing)",
        )


class CommandNotFoundError(PodtraceError):
    """The command that local mode was to start does not exist."""

    slug = "command-not-found"
    exit_code = 127


class CommandNotExecutableError(PodtraceError):
    """The command that local mode was to start exists, but cannot be executed."""

    slug = "command-not-executable"
    exit_code = 126


class OutputError(PodtraceError):
    """The report could not be written where it was asked to go."""

    slug = "output"
    exit_code = 8


class CompletionError(PodtraceError):
    """The file that completes commands could not be written or removed."""

    slug = "completion"


class MetricsAddressError(PodtraceError):
    """Metrics cannot be served at the address that was asked for; nothing has been started yet."""

    slug = "metrics-address"

    def __init__(self, address: str, why: str, hint: str) -> None:
        super().__init__(f"metrics cannot be served at {address}: {why}", hint)


class InterruptedRunError(PodtraceError):
    """The user ended the run before there was anything to report."""

    slug = "interrupted"
    exit_code = 130

    def __init__(self, message: str = "interrupted before the trace began: there is nothing to report") -> None:
        super().__init__(message)
