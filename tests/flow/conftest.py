"""The flow tier. Real: HTTP, the Kubernetes client, kubeconfigs, threads and signals of the plugin.

Fake: the API server and the tracer behind it (scripted bytes, a recorded stdin); pauses between polls take no time.
Asserted: what is asked of the cluster, what comes out, and that no tracer pod is left behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.cluster.client import Cluster, connect
from kubectl_podtrace.cluster.kubeconfig import ConnectionOptions
from kubectl_podtrace.cluster.start import Stage
from kubectl_podtrace.cluster.tracer_pod import TracerPodSpec, build
from tests.flow.fake_api import FakeApi


@dataclass(kw_only=True)
class QuickClock:
    """A clock that only pauses move, and at once."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


@dataclass(kw_only=True)
class Told:
    """An observer that remembers."""

    stages: list[Stage] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def progress(self, stage: Stage, words: str = "") -> None:
        self.stages.append(stage)
        self.words.append(words)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def doubt(self, text: str) -> None:
        self.doubts.append(text)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the plugin keeps of its traces is the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def api() -> Iterator[FakeApi]:
    yield from FakeApi().serve()


@pytest.fixture
def kubeconfig(api: FakeApi, tmp_path: Path) -> Path:
    return api.write_kubeconfig(tmp_path / "kubeconfig", namespace="shop")


@pytest.fixture
def cluster(kubeconfig: Path) -> Cluster:
    return connect(ConnectionOptions(kubeconfig=str(kubeconfig)), {})


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def manifest() -> dict[str, Any]:
    return build(
        TracerPodSpec(
            name="podtrace-api-0-abcde",
            namespace="shop",
            node="node-a",
            image="tracer:1",
            request_json="{}",
            session_id="abcde",
            target_namespace="shop",
            target_pod="api-0",
            target_uid="uid-of-api-0",
            duration_s=30,
        )
    )
