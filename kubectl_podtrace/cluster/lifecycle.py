"""A tracer pod's life: created, followed, stopped, and deleted on every way out."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol, Self

from kubectl_podtrace.cluster.lifeline import USUAL_PACE, Lifeline, Pace, Stdin
from kubectl_podtrace.cluster.logs import SILENCE_S, Clock, Life, LogFollower, Stream
from kubectl_podtrace.cluster.pods import ENDED_PHASES, NodeCondition, Pod, PodEvent, Terminated
from kubectl_podtrace.cluster.start import Stage, StartWait, check_container
from kubectl_podtrace.cluster.tracer_pod import LEAVE_GRACE_S, STOP_GRACE_S
from kubectl_podtrace.errors import ClusterUnreachableError, InterruptedRunError, PermissionDeniedError, PodtraceError
from kubectl_podtrace.names import TRACER_CONTAINER
from kubectl_podtrace.source import Cleanup
from kubectl_podtrace.wire.codec import ends_stream
from kubectl_podtrace.wire.request import ACK_LINE, STOP_LINE

_GONE_WITHIN_S: Final = 3.0
_GONE_PAUSE_S: Final = 0.05
_DELETE_TRIES: Final = 3
_DELETE_PAUSE_S: Final = 0.5
_STOP_DELIVERED_WITHIN_S: Final = 1.0
_ATTACH_TIMEOUT_S: Final = 5.0


class Observer(Protocol):
    """Who is told how a run goes; called from the thread that reads the lines, and once from `stop`'s."""

    def progress(self, stage: Stage, words: str = "") -> None:
        """A stage was reached."""

    def notice(self, text: str) -> None:
        """Something happened that the user should know, and that is no failure."""

    def doubt(self, text: str) -> None:
        """Something that belongs to what the report says about how far it can be trusted."""


class PodCluster(Protocol):
    """The part of a cluster that a tracer pod's life needs."""

    def get_pod(self, namespace: str, name: str) -> Pod | None:
        """The pod, or None."""

    def create_pod(self, namespace: str, manifest: Mapping[str, object]) -> Pod:
        """Create a pod."""

    def delete_pod(self, namespace: str, name: str, *, grace_s: int) -> bool:
        """Delete a pod; False when it was gone."""

    def open_log(
        self, namespace: str, name: str, *, container: str, since: str | None, follow: bool, silence_s: float
    ) -> Stream | None:
        """A container's log."""

    def attach_stdin(self, namespace: str, name: str, *, container: str, timeout_s: float) -> Stdin:
        """A container's stdin."""

    def pod_events(self, namespace: str, name: str) -> tuple[PodEvent, ...]:
        """The latest events about a pod."""

    def node_condition(self, name: str) -> NodeCondition:
        """How a node is."""


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class ClusterSource:
    """The line source of a tracer pod: `lines` creates it, `stop` ends it in good order, `close` deletes it.

    The pod's name is chosen before it is created, so that it is deleted even when the answer to its creation was lost.
    `unawaited` takes the place of a pod whose tracer awaits us, when it shows that we cannot attach to it.
    """

    def __init__(
        self,
        *,
        cluster: PodCluster,
        manifest: dict[str, Any],
        observer: Observer,
        clock: Clock | None = None,
        is_last: Callable[[bytes], bool] = ends_stream,
        silence_s: float = SILENCE_S,
        unawaited: dict[str, Any] | None = None,
        pace: Pace = USUAL_PACE,
    ) -> None:
        self._cluster = cluster
        self._manifest = manifest
        self._unawaited = unawaited
        self._pace = pace
        self._lifeline = Lifeline(self._attach, pace)
        self._observer = observer
        self._clock = clock or SystemClock()
        self._is_last = is_last
        self._silence_s = silence_s
        self._stop_asked = False
        self._create_tried = False
        self._runs = False
        self._is_closed = False
        # SimpleQueue.put may be called in a signal handler whatever the interrupted code holds; an Event's set may not.
        self._orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._stopper = threading.Thread(target=self._stop_when_asked, name="podtrace-stop", daemon=True)
        self.cleanup: Cleanup | None = None
        """What became of the pod, once it has been closed; None when none was created."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def lines(self) -> Iterator[bytes]:
        """Create the tracer pod, wait for its start and follow its log to the end."""
        if self._stop_asked:
            raise InterruptedRunError
        self._stopper.start()
        log = self._attached(self._started())
        follower = LogFollower(
            open_log=self.open_log,
            is_last=self._see_last,
            life=self._life,
            clock=self._clock,
            notice=self._observer.notice,
        )
        is_silent = True
        for line in follower.lines(log):
            is_silent = False
            yield line
        if is_silent:
            self._check_start()
        self._runs = False

    def stop(self) -> None:
        """Ask the tracer to end, or delete its pod with a grace period; its last lines are still followed."""
        self._stop_asked = True
        self._orders.put(True)

    def close(self) -> None:
        """Delete the pod and, unless the tracer is left running, see that it is gone. Never raises `PodtraceError`."""
        if self._is_closed:
            return
        self._is_closed = True
        self._orders.put(False)
        if not self._create_tried:
            return
        self._lifeline.close()
        began = time.monotonic_ns()
        deleted, gone_after_ns = False, None
        try:
            # With nothing running, no grace: a kubelet can take most of a minute to let such a pod go.
            was_there = self._delete(grace_s=LEAVE_GRACE_S if self._runs else 0)
            deleted = True
            if not was_there or (not self._runs and self._is_gone_soon()):
                gone_after_ns = time.monotonic_ns() - began
        except PodtraceError as error:
            self._observer.notice(
                f"the tracer pod was not deleted ({error.message}); it ends at its deadline, or by: {self._by_hand()}"
            )
        self.cleanup = Cleanup(namespace=self._namespace, pod=self._name, deleted=deleted, gone_after_ns=gone_after_ns)

    def read(self) -> Pod | None:
        """The pod as it is now, None when it is gone."""
        return self._cluster.get_pod(self._namespace, self._name)

    def open_log(self, since: str | None, follow: bool) -> Stream | None:
        """The tracer's log, None when there is none."""
        return self._cluster.open_log(
            self._namespace,
            self._name,
            container=TRACER_CONTAINER,
            since=since,
            follow=follow,
            silence_s=self._silence_s,
        )

    def events(self) -> tuple[PodEvent, ...]:
        """The pod's latest events."""
        return self._cluster.pod_events(self._namespace, self._name)

    def node_condition(self, node: str) -> NodeCondition:
        """How the pod's node is."""
        return self._cluster.node_condition(node)

    @property
    def _namespace(self) -> str:
        return str(self._manifest["metadata"]["namespace"])

    @property
    def _name(self) -> str:
        return str(self._manifest["metadata"]["name"])

    def _started(self) -> Stream:
        """The log of a tracer that was created and has started."""
        self._create()
        wait = StartWait(
            pod=self, clock=self._clock, is_stopped=lambda: self._stop_asked, progress=self._observer.progress
        )
        log = wait.log()
        self._runs = True
        return log

    def _attached(self, log: Stream) -> Stream:
        """The same log, its tracer attached to; or that of another tracer which does not wait for that."""
        why_not = self._lifeline.open(self._is_over)
        if not why_not or self._is_over():
            return log
        self._observer.doubt(
            f"the tracer could not be attached to ({why_not}): should this program go away, the tracer ends at its "
            "deadline only"
        )
        if self._unawaited is None:
            return log
        log.close()
        self._lifeline.close()
        self._delete(grace_s=LEAVE_GRACE_S)
        self._manifest, self._unawaited, self._runs = self._unawaited, None, False
        log = self._started()
        self._lifeline = Lifeline(self._attach, self._pace)
        self._lifeline.start()
        return log

    def _is_over(self) -> bool:
        try:
            return self._stop_asked or self._life() is not Life.RUNNING
        except PodtraceError:
            return False

    def _attach(self) -> Stdin:
        return self._cluster.attach_stdin(
            self._namespace, self._name, container=TRACER_CONTAINER, timeout_s=_ATTACH_TIMEOUT_S
        )

    def _create(self) -> None:
        self._create_tried = True
        try:
            self._cluster.create_pod(self._namespace, self._manifest)
        except ClusterUnreachableError:
            raise  # it may have been created all the same
        except PodtraceError:
            self._create_tried = False
            raise

    def _check_start(self) -> None:
        """A kubelet serves an empty log, too, of a container that could not be started."""
        pod = self.read()
        tracer = None if pod is None else pod.container(TRACER_CONTAINER)
        if tracer is not None:
            check_container(tracer)

    def _see_last(self, line: bytes) -> bool:
        if not self._is_last(line):
            return False
        self._runs = False
        self._lifeline.tell(ACK_LINE, within_s=_STOP_DELIVERED_WITHIN_S)
        return True

    def _life(self) -> Life:
        pod = self.read()
        if pod is None:
            return Life.GONE
        tracer = pod.container(TRACER_CONTAINER)
        has_ended = tracer is not None and isinstance(tracer.state, Terminated)
        return Life.ENDED if has_ended or pod.phase in ENDED_PHASES else Life.RUNNING

    def _stop_when_asked(self) -> None:
        if not self._orders.get():
            return
        self._observer.progress(Stage.STOPPING)
        if self._lifeline.tell(STOP_LINE, within_s=_STOP_DELIVERED_WITHIN_S) and self._ends_soon():
            return
        try:
            self._delete(grace_s=STOP_GRACE_S)
        except PodtraceError as error:
            self._observer.notice(f"the tracer could not be stopped: {error.message}")

    def _ends_soon(self) -> bool:
        """Whether the tracer did what it was told, before another order came or its time was over."""
        try:
            return not self._orders.get(timeout=self._pace.stop_within_s)
        except queue.Empty:
            return not self._runs

    def _delete(self, *, grace_s: int) -> bool:
        """Delete with a few tries: what is not deleted stays in someone's cluster until its deadline."""
        for _ in range(_DELETE_TRIES - 1):
            try:
                return self._cluster.delete_pod(self._namespace, self._name, grace_s=grace_s)
            except PermissionDeniedError:
                raise
            except PodtraceError:
                self._clock.pause(_DELETE_PAUSE_S)
        return self._cluster.delete_pod(self._namespace, self._name, grace_s=grace_s)

    def _is_gone_soon(self) -> bool:
        """Whether it was seen gone; that it is not is said."""
        give_up = self._clock.monotonic() + _GONE_WITHIN_S
        try:
            while self.read() is not None:
                if self._clock.monotonic() > give_up:
                    self._observer.notice(f"the tracer pod is still being deleted; see: {self._by_hand()}")
                    return False
                self._clock.pause(_GONE_PAUSE_S)
        except PodtraceError:
            return False  # its deletion was accepted; only looking after it is not possible
        return True

    def _by_hand(self) -> str:
        return f"kubectl delete pod -n {self._namespace} {self._name}"
