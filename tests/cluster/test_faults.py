"""What happens to clusters while somebody traces: each fault ends with a right report or a clear error.

Real: everything, faults too. What no API call can do is done by a privileged pod on the node, or by a command that the
environment names: PODTRACE_TEST_RESTART_APISERVER, PODTRACE_TEST_RESTART_KUBELET, and PODTRACE_TEST_ROTATION and
PODTRACE_TEST_NO_ROTATION, which have the kubelets rotate logs of some kilobytes, and of megabytes again. Where they are
not named, the test is skipped.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.cluster.conftest import Kubectl
from tests.cluster.cuttable import Cut, proxied
from tests.cluster.tracing import podtrace, rules
from tests.cluster.worker import (
    HEAVY_OPERATIONS,
    NodeHand,
    Worker,
    assert_whole,
    assert_work,
    assert_work_beside_others,
    by_environment,
    node_hand,
    restart_kubelets,
    run_command,
    tracer_pods,
    worker,
)

CUT_S = 20.0
LOAD_S = float(os.environ.get("PODTRACE_TEST_LOAD_SECONDS", "25"))

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PODTRACE_IMAGE"), reason="PODTRACE_IMAGE does not name the tracer's image"),
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.timeout(max(180, 2 * LOAD_S)),
]


@pytest.fixture(scope="module")
def shared(kubectl: Kubectl) -> Iterator[Worker]:
    """A pod that all tests which leave it as it is share."""
    with worker(kubectl) as made:
        yield made


@pytest.fixture(scope="module")
def on_node(kubectl: Kubectl, node: str) -> Iterator[NodeHand]:
    with node_hand(kubectl, node) as hand:
        yield hand


def test_a_network_that_is_cut_for_20_seconds_costs_nothing(kubectl: Kubectl, shared: Worker, tmp_path: Path) -> None:
    with ExitStack() as stack:
        ways = {how: proxied(kubectl, tmp_path) for how in Cut}
        proxies = {how: stack.enter_context(proxy) for how, (proxy, _) in ways.items()}
        traces = {
            how: stack.enter_context(podtrace(kubectl, shared.pod, kubeconfig=path)) for how, (_, path) in ways.items()
        }
        for proxy in proxies.values():
            stack.callback(proxy.mend)
        for trace in traces.values():
            trace.wait_for("tracing")
        shared.work()
        for how, proxy in proxies.items():
            proxy.cut(how)
        shared.work()
        threading.Event().wait(CUT_S)
        for proxy in proxies.values():
            proxy.mend()
        shared.work()
        for trace in traces.values():
            report = trace.interrupt()
            assert_work(report, times=3)
            assert_whole(report)


def test_two_traces_of_one_pod_do_not_know_of_each_other(kubectl: Kubectl, shared: Worker) -> None:
    with podtrace(kubectl, shared.pod) as first, podtrace(kubectl, shared.pod) as second:
        first.wait_for("tracing")
        second.wait_for("tracing")
        shared.work()
        report = first.interrupt()
        assert_work(report, times=1)
        assert_whole(report)
        shared.work()
        report = second.interrupt()
        assert_work(report, times=2)
        assert_whole(report)


@contextmanager
def work_on_both_sides(kubectl: Kubectl, shared: Worker) -> Iterator[None]:
    """A trace that counts exactly what was done before and after what happens within the block."""
    with podtrace(kubectl, shared.pod) as trace:
        trace.wait_for("tracing")
        shared.work()
        yield
        shared.work()
        report = trace.interrupt()
    assert_work(report, times=2)
    assert_whole(report)


def test_an_api_server_that_restarts_costs_nothing(kubectl: Kubectl, shared: Worker) -> None:
    restart = by_environment("PODTRACE_TEST_RESTART_APISERVER")
    with work_on_both_sides(kubectl, shared):
        run_command(kubectl, restart)


def test_a_kubelet_that_restarts_costs_nothing(kubectl: Kubectl, shared: Worker) -> None:
    restart = by_environment("PODTRACE_TEST_RESTART_KUBELET")
    with work_on_both_sides(kubectl, shared):
        restart_kubelets(kubectl, restart)
        kubectl.until(shared.is_reached, "the kubelet knows its pods")


@pytest.fixture
def rotation(kubectl: Kubectl) -> Iterator[None]:
    """Within the test, logs are rotated whenever the kubelet looks after them."""
    small, large = by_environment("PODTRACE_TEST_ROTATION"), by_environment("PODTRACE_TEST_NO_ROTATION")
    restart_kubelets(kubectl, small)
    yield
    restart_kubelets(kubectl, large)


@pytest.mark.usefixtures("rotation")
def test_a_trace_under_heavy_load_whose_log_is_rotated_again_and_again_is_exact(
    kubectl: Kubectl, shared: Worker, on_node: NodeHand
) -> None:
    rounds = 0
    # Not about what tracing may cost: no probe is to be shed.
    with podtrace(kubectl, shared.pod, "--max-overhead", "0") as trace:
        trace.wait_for("tracing")
        until = time.monotonic() + LOAD_S
        while time.monotonic() < until:
            shared.order("heavy")
            rounds += 1
        assert on_node.tracer_logs() > 1, "the log was not rotated"
        report = trace.interrupt()
    read, write = report["files"]["read"], report["files"]["write"]
    assert (read["count"], write["count"]) == (rounds * HEAVY_OPERATIONS, rounds * HEAVY_OPERATIONS)
    assert (read["bytes"], write["bytes"]) == (3 * rounds * HEAVY_OPERATIONS, 3 * rounds * HEAVY_OPERATIONS)
    assert_whole(report)


def test_probes_that_cost_too_much_are_shed_and_what_they_counted_until_then_is_exact(
    kubectl: Kubectl, shared: Worker
) -> None:
    # Whatever tracing costs, it is more than this part of a million; the tracer looks at it for three seconds first.
    with podtrace(kubectl, shared.pod, "--filter", "fs", "--max-overhead", "0.0001") as trace:
        trace.wait_for("tracing")
        began = time.monotonic()
        shared.work()
        assert time.monotonic() - began < 3, "the work took so long that its probes may have been shed meanwhile"
        (name,) = tracer_pods(kubectl)
        kubectl.until(lambda: _has_shed(kubectl, name, "reads"), "the probes of reads and writes are shed")
        shared.work()
        report = trace.interrupt()
    assert_work(report, times=1)
    assert "reads" in report["files"]["partial"][0]["lacks"]
    assert report["cost"]["shed"][0]["lacks"] == report["files"]["partial"][0]["lacks"]
    assert not report["trust"]["complete"]
    assert "trace-incomplete" in rules(report)


def _has_shed(kubectl: Kubectl, tracer_pod: str, what: str) -> bool:
    lines = kubectl("logs", tracer_pod).splitlines()
    return any('"kind":"shed"' in line and what in line for line in lines)


def test_a_tracer_that_the_kernel_kills_leaves_what_it_has_told(
    kubectl: Kubectl, shared: Worker, on_node: NodeHand
) -> None:
    with podtrace(kubectl, shared.pod) as trace:
        trace.wait_for("tracing")
        shared.work()
        # Tables travel every five seconds.
        threading.Event().wait(7)
        on_node.kill_tracer()
        report = trace.report()
    assert_work(report, times=1)
    assert (report["trust"]["truncated"], report["trust"]["complete"]) == (True, False)
    assert "ended without its trailer" in " ".join(report["trust"]["notes"])
    assert "trace-incomplete" in rules(report)


def test_a_tracer_pod_that_somebody_deletes_still_ends_with_a_whole_report(kubectl: Kubectl, shared: Worker) -> None:
    with podtrace(kubectl, shared.pod) as trace:
        trace.wait_for("tracing")
        shared.work()
        (name,) = tracer_pods(kubectl)
        kubectl("delete", "pod", name, "--wait=false")
        report = trace.report()
    assert_work(report, times=1)
    assert_whole(report)


def test_a_target_that_is_deleted_keeps_its_numbers(kubectl: Kubectl) -> None:
    with worker(kubectl) as target, podtrace(kubectl, target.pod) as trace:
        trace.wait_for("tracing")
        target.work()
        kubectl("delete", "pod", target.pod)
        report = trace.interrupt()
    assert_work(report, times=1)
    assert_whole(report)


@pytest.mark.parametrize(
    ("order", "code", "signal", "rule"), [("exit", 3, 0, "container-failed"), ("oom", 0, 9, "container-oom-killed")]
)
def test_a_target_that_starts_again_is_followed(
    kubectl: Kubectl, order: str, code: int, signal: int, rule: str
) -> None:
    with worker(kubectl) as target, podtrace(kubectl, target.pod) as trace:
        trace.wait_for("tracing")
        target.work()
        target.end(order)
        target.work()
        report = trace.interrupt()
    assert_work_beside_others(report, times=2)
    exits = report["processes"]["exits"]
    assert any(each["code"] == code and each["signal"] == signal for each in exits), exits
    assert rule in rules(report)
    assert_whole(report)


def test_a_user_who_may_not_read_logs_is_told_so(kubectl: Kubectl, shared: Worker) -> None:
    user = f"podtrace-test-{secrets.token_hex(3)}"
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "create", "delete"]},
        {"apiGroups": [""], "resources": ["pods/attach"], "verbs": ["get", "create"]},
    ]
    api = "rbac.authorization.k8s.io"
    kubectl.apply({"apiVersion": f"{api}/v1", "kind": "Role", "metadata": {"name": user}, "rules": rules})
    kubectl("create", "rolebinding", user, f"--role={user}", f"--user={user}")
    with podtrace(kubectl, shared.pod, "--diagnose", "5s", "--as", user) as trace:
        code, words = trace.failure()
    assert code == 4
    assert "pods/log" in words


def test_an_image_that_the_node_does_not_have_is_named(kubectl: Kubectl, shared: Worker) -> None:
    image = ("--image", "localhost/no-such-tracer:1", "--image-pull-policy", "Never")
    with podtrace(kubectl, shared.pod, "--diagnose", "5s", *image) as trace:
        code, words = trace.failure()
    assert code == 6
    assert "localhost/no-such-tracer:1" in words


def test_a_node_that_takes_no_new_pods_is_traced_all_the_same(kubectl: Kubectl, node: str, shared: Worker) -> None:
    taint = f"podtrace-test-{secrets.token_hex(3)}=yes"
    kubectl("cordon", node)
    kubectl("taint", "node", node, f"{taint}:NoSchedule")
    try:
        with podtrace(kubectl, shared.pod) as trace:
            trace.wait_for("tracing")
            shared.work()
            report = trace.interrupt()
    finally:
        kubectl("taint", "node", node, f"{taint.partition('=')[0]}-")
        kubectl("uncordon", node)
    assert_work(report, times=1)
    assert_whole(report)


def test_a_node_that_is_not_ready_is_named(kubectl: Kubectl, node: str, shared: Worker, on_node: NodeHand) -> None:
    # A kubelet that is stopped runs no exec either: its end is arranged beforehand.
    find = 'for each in /proc/[0-9]*; do grep -q "^kubelet" $each/comm && pids="$pids ${each#/proc/}"; done 2>/dev/null'
    on_node.run(f"pids=; {find}; (sleep 2; kill -STOP $pids; sleep 60; kill -CONT $pids) >/dev/null 2>&1 &")
    kubectl("wait", "--for=condition=Ready=Unknown", f"node/{node}", "--timeout=60s")
    began = time.monotonic()
    with podtrace(kubectl, shared.pod, "--diagnose", "5s") as trace:
        code, words = trace.failure()
    assert time.monotonic() - began < 15
    assert code == 6
    assert f'"{node}" is not ready' in words
    kubectl("wait", "--for=condition=Ready", f"node/{node}", "--timeout=60s")
    kubectl.until(lambda: not tracer_pods(kubectl), "the end of the tracer pod")
