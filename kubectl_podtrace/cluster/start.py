"""Waits for a created tracer pod until its log can be read, and says early and in plain words when it never will."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from kubectl_podtrace.cluster.logs import Clock, Stream
from kubectl_podtrace.cluster.pods import Container, NodeCondition, Pod, PodEvent, Running, Terminated, Waiting
from kubectl_podtrace.errors import ImageError, InterruptedRunError, NodeUnavailableError, TracerStartError
from kubectl_podtrace.names import TRACER_CONTAINER


class Stage(Enum):
    """How far a tracer pod has come."""

    CREATED = "waiting for the node"
    PULLING = "pulling the image"
    STARTING = "starting the tracer"
    RUNNING = "tracer started"
    STOPPING = "stopping the tracer"


class StartingPod(Protocol):
    """A created tracer pod, as far as waiting for its start needs it."""

    def read(self) -> Pod | None:
        """The pod as it is now, None when it is gone."""

    def open_log(self, since: str | None, follow: bool) -> Stream | None:
        """Its log, None when there is none yet."""

    def events(self) -> tuple[PodEvent, ...]:
        """Its latest events, as far as they may be read."""

    def node_condition(self, node: str) -> NodeCondition:
        """How its node is."""


_QUICK_PAUSE_S: Final = 0.1
_SLOW_PAUSE_S: Final = 0.5
_QUICK_FOR_S: Final = 10.0
_LOOK_CLOSER_S: Final = 1.0
_NODE_ANSWERS_WITHIN_S: Final = 30.0
_NODE_SUSPECT_AFTER_S: Final = 5.0
_START_WITHIN_S: Final = 600.0

_PULL_STAGES: Final = {"Pulling": Stage.PULLING, "Pulled": Stage.STARTING}
"""A kubelet's events about an image, by their reasons; what it says in them is told as it is."""
_IMAGE_REASONS: Final = frozenset(
    {
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_CREATE_REASONS: Final = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "PostStartHookError",
        "PreCreateHookError",
        "RunContainerError",
    }
)
_NEVER_RAN_REASONS: Final = frozenset({"ContainerCannotRun", "StartError"})


class StartWait:
    """One wait for one tracer pod. `is_stopped` is asked between steps: a stop ends the wait as an interruption."""

    def __init__(
        self,
        *,
        pod: StartingPod,
        clock: Clock,
        is_stopped: Callable[[], bool],
        progress: Callable[[Stage, str], None],
    ) -> None:
        self._pod = pod
        self._clock = clock
        self._is_stopped = is_stopped
        self._progress = progress
        self._stage: Stage | None = None
        self._words = ""
        self._began = clock.monotonic()
        self._looked_closer = self._began
        self._last_warning = ""

    def log(self) -> Stream:
        """The followed log of the tracer, as soon as there is one.

        Raises `ImageError`, `NodeUnavailableError`, `TracerStartError` or `InterruptedRunError`.
        """
        self._reach(Stage.CREATED)
        while True:
            if self._is_stopped():
                raise InterruptedRunError
            pod = self._pod.read()
            if pod is None:
                raise self._why_gone()
            stream = self._try_log(pod)
            if stream is not None:
                self._reach(Stage.RUNNING)
                return stream
            waited_s = self._clock.monotonic() - self._began
            self._look_closer(pod, waited_s)
            self._clock.pause(_QUICK_PAUSE_S if waited_s < _QUICK_FOR_S else _SLOW_PAUSE_S)

    def _try_log(self, pod: Pod) -> Stream | None:
        tracer = pod.container(TRACER_CONTAINER)
        if tracer is None or not tracer.reported:
            if pod.phase == "Failed":
                raise _never_started(pod)
            return None
        check_container(tracer)
        if pod.phase == "Failed" and isinstance(tracer.state, Waiting):
            raise _never_started(pod)
        if self._stage is Stage.CREATED:
            self._reach(Stage.STARTING)
        # The kubelet may serve the log before its report of the start has come this far: ask in any case.
        return self._pod.open_log(None, True)

    def _look_closer(self, pod: Pod, waited_s: float) -> None:
        """Once a second, what costs more calls: events, and the node when its kubelet has said nothing."""
        now = self._clock.monotonic()
        if now - self._looked_closer < _LOOK_CLOSER_S:
            return
        self._looked_closer = now
        events = self._pod.events()
        for event in events:
            if event.warning:
                self._last_warning = f"{event.reason}: {event.message}"
        pulls = [event for event in events if event.reason in _PULL_STAGES]
        if pulls:
            self._reach(_PULL_STAGES[pulls[-1].reason], pulls[-1].message)
        tracer = pod.container(TRACER_CONTAINER)
        if (tracer is None or not tracer.reported) and waited_s > _NODE_SUSPECT_AFTER_S:
            self._check_node(pod, waited_s)
        if waited_s > _START_WITHIN_S:
            raise TracerStartError(
                f"the tracer did not start within {_START_WITHIN_S:.0f} seconds{self._last_warning and ': '}"
                f"{self._last_warning}"
            )

    def _check_node(self, pod: Pod, waited_s: float) -> None:
        condition = self._pod.node_condition(pod.node)
        if condition in (NodeCondition.GONE, NodeCondition.NOT_READY):
            raise NodeUnavailableError(
                f'the pod\'s node "{pod.node}" is {condition.value}', f"see: kubectl describe node {pod.node}"
            )
        if waited_s > _NODE_ANSWERS_WITHIN_S:
            warning = f": {self._last_warning}" if self._last_warning else ""
            raise NodeUnavailableError(
                f'node "{pod.node}" took no notice of the tracer pod for {_NODE_ANSWERS_WITHIN_S:.0f} seconds{warning}',
                f"its kubelet may be down; see: kubectl describe node {pod.node}",
            )

    def _why_gone(self) -> Exception:
        if self._is_stopped():
            return InterruptedRunError()
        return TracerStartError(
            "the tracer pod was deleted by someone else before it started",
            "a controller that cleans up bare pods, or a node that went away, may do that",
        )

    def _reach(self, stage: Stage, words: str = "") -> None:
        if (stage, words) != (self._stage, self._words):
            self._stage, self._words = stage, words
            self._progress(stage, words)


def check_container(tracer: Container) -> None:
    """Raises `ImageError` or `TracerStartError` when this container will not run, or never ran."""
    match tracer.state:
        case Waiting(reason=reason, message=message) if reason in _IMAGE_REASONS:
            raise ImageError(
                f'the node cannot get the tracer image "{tracer.image}": {_words(reason, message)}', _image_hint(reason)
            )
        case Waiting(reason=reason, message=message) if reason in _CREATE_REASONS:
            raise TracerStartError(f"the node cannot start the tracer: {_words(reason, message)}")
        case Terminated(reason=reason, message=message) if reason in _NEVER_RAN_REASONS:
            raise TracerStartError(
                f"the node cannot start the tracer: {_words(reason, message)}",
                f'is "{tracer.image}" a tracer image of this version?',
            )
        case Waiting() | Running() | Terminated():
            return


def _image_hint(reason: str) -> str:
    if reason == "ErrImageNeverPull":
        return "load the image into the cluster's nodes, or allow pulling with --image-pull-policy IfNotPresent"
    if reason == "InvalidImageName":
        return "an image is REPOSITORY[:TAG] or REPOSITORY@sha256:DIGEST"
    return "check the name given with --image; for a private registry use --image-pull-secret"


def _never_started(pod: Pod) -> Exception:
    return TracerStartError(
        f'node "{pod.node}" refused the tracer pod: {_words(pod.reason, pod.message)}',
        f"see: kubectl describe node {pod.node}" if pod.reason.startswith("OutOf") else None,
    )


def _words(reason: str, message: str) -> str:
    return f"{reason}: {message}" if message else reason or "no reason given"
