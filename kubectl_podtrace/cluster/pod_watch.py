"""Watches the traced pod: which containers it ran under which ids, how they ended, what Kubernetes said about it.

The API keeps only the newest two runs of a container and forgets events, so what is to be told is asked for meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final, Protocol, Self

from kubectl_podtrace.analysis.pod_history import ContainerRun, Deletion, Occurrence, PodHistory
from kubectl_podtrace.cluster.pods import Container, Pod, PodEvent, Running, Terminated, Waiting
from kubectl_podtrace.errors import PermissionDeniedError, PodtraceError

PAUSE_S: Final = 2.0
"""Between two looks. After its first end a container starts anew at once, after later ones in 10 s and more."""
MAX_RUNS: Final = 1_000
MAX_OCCURRENCES: Final = 1_000
MAX_CHARS: Final = 500
CUT_MARK: Final = "…"
_NO_EVENTS: Final = (
    "you may not list events, so failed probes and evictions are not in this report "
    "(restarts are; see: kubectl auth can-i list events)"
)


class PodTeller(Protocol):
    """The part of a cluster that a watch needs."""

    def get_pod(self, namespace: str, name: str) -> Pod | None:
        """The pod, or None."""

    def list_events(self, namespace: str, name: str) -> tuple[PodEvent, ...]:
        """All events about a pod."""


class PodNotes:
    """Puts looks at one pod together: the newest of each run, and of each event how often it occurred since the first.

    Memory is bounded: of older runs and of further occurrences it is only known that there were some.
    """

    def __init__(self, uid: str, containers: Iterable[Container] = ()) -> None:
        """`uid` is the one in the pod's cgroup; `containers` are as they were when the pod was found."""
        self._uid = uid
        self._phase = ""
        self._runs: dict[str, ContainerRun] = {}
        self._counts: dict[str, int] | None = None
        self._occurrences: list[Occurrence] = []
        self._deletion: Deletion | None = None
        self._pod_uids = {uid}
        self._left_out = 0
        self._take_runs(containers)

    def take_pod(self, pod: Pod | None) -> None:
        """The pod as it is now. One of the same name with another UID is not the one that is traced."""
        if pod is None or pod.cgroup_uid != self._uid:
            self._deletion = self._deletion or Deletion()
            return
        self._phase = pod.phase
        self._pod_uids.add(pod.uid)
        if pod.deleting:
            self._deletion = Deletion(asked_at=pod.deletion_asked_at)
        self._take_runs(pod.containers)

    def take_events(self, events: Iterable[PodEvent]) -> None:
        """The pod's events as they are now. What has occurred before the first look counts once, at its last time."""
        first = self._counts is None
        if self._counts is None:
            self._counts = {}
        counts = self._counts
        for event in events:
            if event.pod_uid not in self._pod_uids or not event.uid:
                continue
            more = event.count - counts.get(event.uid, 0)
            if more > 0:
                self._note(event, count=1 if first else more, is_new=not first and event.uid not in counts)
            counts[event.uid] = max(event.count, counts.get(event.uid, 0))

    def history(self) -> PodHistory:
        """What is known by now."""
        return PodHistory(
            phase=self._phase,
            runs=tuple(self._runs.values()),
            occurrences=tuple(self._occurrences),
            deletion=self._deletion,
            left_out=self._left_out,
        )

    def _take_runs(self, containers: Iterable[Container]) -> None:
        for container in containers:
            for run in _runs(container):
                known = self._runs.get(run.container_id)
                if known is None and len(self._runs) >= MAX_RUNS:
                    del self._runs[next(iter(self._runs))]
                    self._left_out += 1
                if known is None or not known.has_ended:
                    self._runs[run.container_id] = _joined(known, run)

    def _note(self, event: PodEvent, *, count: int, is_new: bool) -> None:
        if len(self._occurrences) >= MAX_OCCURRENCES:
            self._left_out += 1
            return
        self._occurrences.append(
            Occurrence(
                reason=_cut(event.reason),
                message=_cut(event.message),
                warning=event.warning,
                container=_cut(event.container),
                count=count,
                first_at=event.first_at if is_new else event.last_at,
                last_at=event.last_at,
            )
        )


class PodWatch:
    """Looks at a pod again and again, in a thread of its own between `start` and `close`; any thread may ask it.

    A look that fails costs what was there to see; that events may not be read is told once, by `news`.
    """

    def __init__(
        self, *, cluster: PodTeller, namespace: str, name: str, notes: PodNotes, pause_s: float = PAUSE_S
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._notes = notes
        self._history = notes.history()
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="podtrace-pod-watch", daemon=True)
        self._may_list_events = True
        self._news: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def start(self) -> None:
        """A first look, so that what came before is told from what comes; then the thread."""
        self.look()
        self._thread.start()

    def close(self) -> None:
        """No more looks by the thread. One that still waits for its answer is not waited for, and changes nothing."""
        self._over.set()

    def look(self) -> bool:
        """One look by the caller; whether the cluster answered."""
        return self._look(lambda: True)

    @property
    def history(self) -> PodHistory:
        """What is known by now; the same object until there is more."""
        return self._history

    def news(self) -> list[str]:
        """Remarks for the user that are new since the last call."""
        with self._lock:
            told, self._news = self._news, []
        return told

    def _keep_looking(self) -> None:
        while not self._over.wait(self._pause_s):
            self._look(lambda: not self._over.is_set())

    def _look(self, counts: Callable[[], bool]) -> bool:
        """`counts` is asked when the answer is there."""
        try:
            pod = self._cluster.get_pod(self._namespace, self._name)
            with self._lock:
                if counts():
                    self._notes.take_pod(pod)
                    self._history = self._notes.history()
            events = self._events()
        except PodtraceError:
            return False
        with self._lock:
            if events is not None and counts():
                self._notes.take_events(events)
                self._history = self._notes.history()
        return True

    def _events(self) -> tuple[PodEvent, ...] | None:
        """The pod's events; None where they may not be read, which is not asked again."""
        if not self._may_list_events:
            return None
        try:
            return self._cluster.list_events(self._namespace, self._name)
        except PermissionDeniedError:
            self._may_list_events = False
            with self._lock:
                self._news.append(_NO_EVENTS)
            return None


def _runs(container: Container) -> Iterator[ContainerRun]:
    """The newest run of a container, and the one before where the API still tells of it."""
    last = container.last_end
    if container.container_id:
        # Between two runs the container's state is Waiting, its id still that of the run that ended.
        between = isinstance(container.state, Waiting) and last and last.container_id == container.container_id
        state = last if between else container.state
        yield _run(container, container.container_id, container.restart_count + 1, state)
    if last and last.container_id and last.container_id != container.container_id:
        yield _run(container, last.container_id, max(container.restart_count, 1), last)


def _run(
    container: Container, container_id: str, number: int, state: Waiting | Running | Terminated | None
) -> ContainerRun:
    run = ContainerRun(container=container.name, container_id=container_id, number=number)
    match state:
        case Running(started_at=started_at):
            return replace(run, started_at=started_at)
        case Terminated():
            return replace(
                run,
                started_at=state.started_at,
                ended_at=state.ended_at,
                reason=_cut(state.reason),
                exit_code=state.exit_code,
                signal=state.signal,
            )
        case Waiting() | None:
            return run


def _joined(known: ContainerRun | None, newer: ContainerRun) -> ContainerRun:
    """What is newer, with the start that was known before."""
    return newer if known is None or newer.started_at else replace(newer, started_at=known.started_at)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + CUT_MARK
