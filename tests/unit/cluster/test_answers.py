from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubectl_podtrace.cluster.answers import Answer, answers_to, check, notices_of
from kubectl_podtrace.cluster.facts import (
    Absent,
    Admission,
    Facts,
    Node,
    Verdict,
    admission_from_api,
    node_from_api,
    rights_for,
)
from kubectl_podtrace.cluster.pods import NodeCondition
from kubectl_podtrace.cluster.target import Target
from kubectl_podtrace.errors import (
    AdmissionRefusedError,
    ImageError,
    NodeUnavailableError,
    PermissionDeniedError,
    PodtraceError,
    TargetNotFoundError,
    TargetNotTraceableError,
)

TARGET = Target(namespace="shop", pod="api-0", uid="u", node="node-a", containers=(), selected=("app",), notices=())
NODE = Node(
    name="node-a",
    condition=NodeCondition.READY,
    system="linux",
    architecture="arm64",
    kernel="6.1.0-13-arm64",
    images=frozenset({"tracer:1"}),
)
RIGHTS = rights_for(namespace="shop", tracer_namespace="shop", of_deployment=False)
FACTS = Facts(
    target=TARGET,
    image="tracer:1",
    rights=tuple((right, Verdict.YES) for right in RIGHTS),
    namespace="shop",
    phase="Active",
    node=NODE,
    runtime_handler="",
    admission=Admission(),
)


def answer(facts: Facts, name: str) -> Answer:
    (found,) = [each for each in answers_to(facts) if each.name == name]
    return found


def error(facts: Facts) -> PodtraceError:
    with pytest.raises(PodtraceError) as caught:
        check(answers_to(facts))
    return caught.value


def denied(*names: str) -> Facts:
    rights = tuple((right, Verdict.NO if str(right) in names else Verdict.YES) for right in RIGHTS)
    return replace(FACTS, rights=rights)


def test_where_all_is_well_every_answer_is_yes_and_nothing_is_said() -> None:
    answers = answers_to(FACTS)
    assert {each.verdict for each in answers} == {Verdict.YES}
    check(answers)
    assert notices_of(answers) == []


@pytest.mark.parametrize("name", ["get pods", "create pods", "get pods/log", "delete pods"])
def test_a_right_that_a_trace_cannot_do_without_is_an_error_with_a_way_to_check(name: str) -> None:
    caught = error(denied(name))
    verb, _, resource = name.partition(" ")
    assert isinstance(caught, PermissionDeniedError)
    assert (caught.verb, caught.resource) == (verb, resource)
    assert (caught.hint or "").startswith(f"check with: kubectl auth can-i {verb} pods")


def test_rights_that_a_trace_can_do_without_are_told_in_one_line() -> None:
    answers = answers_to(denied("list events", "get nodes"))
    check(answers)
    assert notices_of(answers) == [
        "you may not list events, get nodes: kubectl podtrace check says what is done without"
    ]
    assert answer(denied("get nodes"), "may get nodes").remedy == (
        "check with: kubectl auth can-i get nodes; the ClusterRole podtrace-nodes of manifests/rbac.yaml has it"
    )


def test_a_server_that_does_not_say_what_one_may_is_trusted() -> None:
    facts = replace(FACTS, rights=tuple((right, Verdict.UNKNOWN) for right in RIGHTS))
    check(answers_to(facts))
    assert answer(facts, "may delete pods").verdict is Verdict.UNKNOWN
    assert notices_of(answers_to(facts)) == []


def test_a_creation_that_rbac_refuses_is_believed_more_than_a_review() -> None:
    refused = PermissionDeniedError(verb="create", resource="pods", namespace="shop", why="RBAC says no")
    facts = replace(FACTS, admission=Admission(refused=refused))
    assert error(facts) is refused
    assert answer(facts, "may create pods").verdict is Verdict.NO
    assert answer(facts, "admission").verdict is Verdict.UNKNOWN


def test_a_deployment_needs_its_pods_listed() -> None:
    rights = rights_for(namespace="shop", tracer_namespace="tools", of_deployment=True)
    needed = {(str(right), right.namespace) for right in rights if right.required}
    assert {("list pods", "shop"), ("get deployments", "shop"), ("get pods", "shop"), ("get pods", "tools")} <= needed
    assert ("create pods", "tools") in needed
    assert ("create pods", "shop") not in needed


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"kind": "Fargate"}, "is a virtual one (Fargate)"),
        ({"system": "windows"}, "runs windows"),
        ({"architecture": "s390x"}, "made for amd64 and arm64"),
        ({"condition": NodeCondition.NOT_READY, "why_not_ready": "no network"}, "is not ready: no network"),
    ],
)
def test_a_node_on_which_no_tracer_can_run_is_an_error(changed: dict[str, Any], words: str) -> None:
    caught = error(replace(FACTS, node=replace(NODE, **changed)))
    assert isinstance(caught, NodeUnavailableError)
    assert words in caught.message
    assert caught.hint


def test_a_node_that_is_gone_is_an_error_and_one_that_is_hidden_is_not() -> None:
    assert isinstance(error(replace(FACTS, node=Absent.GONE)), NodeUnavailableError)
    hidden = replace(FACTS, node=Absent.HIDDEN)
    check(answers_to(hidden))
    assert answer(hidden, "node").verdict is Verdict.UNKNOWN


def test_a_hidden_node_is_known_to_be_virtual_by_its_name() -> None:
    target = replace(TARGET, node="fargate-ip-10-0-0-1.ec2.internal")
    assert "Fargate" in error(replace(FACTS, node=Absent.HIDDEN, target=target)).message


def test_a_cordoned_node_is_no_obstacle_but_said() -> None:
    answers = answers_to(replace(FACTS, node=replace(NODE, cordoned=True)))
    check(answers)
    assert notices_of(answers) == ["node node-a is cordoned: the tracer pod is put there all the same"]


@pytest.mark.parametrize(
    ("kernel", "verdict"),
    [
        ("5.10.0-30-amd64", Verdict.YES),
        ("10.0", Verdict.YES),
        ("5.9.16", Verdict.UNKNOWN),
        ("4.18.0-553.el8.x86_64", Verdict.UNKNOWN),
        ("", Verdict.UNKNOWN),
        ("odd", Verdict.UNKNOWN),
    ],
)
def test_an_old_kernel_is_warned_of_and_left_to_the_tracer(kernel: str, verdict: Verdict) -> None:
    facts = replace(FACTS, node=replace(NODE, kernel=kernel))
    check(answers_to(facts))
    assert answer(facts, "kernel").verdict is verdict
    assert bool(notices_of(answers_to(facts))) is kernel.startswith(("5.9", "4."))


@pytest.mark.parametrize(
    ("runtime_class", "handler", "is_sandbox"),
    [
        ("gvisor", "", True),
        ("secure", "runsc", True),
        ("kata-qemu", "", True),
        ("isolated", "kata-fc", True),
        ("nvidia", "", False),
        ("gvisor", "runc", False),
        ("akatari", "", False),
    ],
)
def test_a_sandbox_is_told_by_its_handler_else_by_its_name(runtime_class: str, handler: str, is_sandbox: bool) -> None:
    facts = replace(FACTS, target=replace(TARGET, runtime_class=runtime_class), runtime_handler=handler)
    if is_sandbox:
        caught = error(facts)
        assert isinstance(caught, TargetNotTraceableError)
        assert "sandbox" in caught.message
    else:
        check(answers_to(facts))


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("Active", None),
        (Absent.HIDDEN, None),
        ("Terminating", AdmissionRefusedError),
        (Absent.GONE, TargetNotFoundError),
    ],
)
def test_a_namespace_takes_pods_or_says_why_not(phase: str | Absent, expected: type[PodtraceError] | None) -> None:
    facts = replace(FACTS, phase=phase)
    if expected is None:
        check(answers_to(facts))
    else:
        caught = error(facts)
        assert isinstance(caught, expected)
        assert "--tracer-namespace" in (caught.hint or "")


def test_a_policy_s_refusal_is_its_own() -> None:
    refused = AdmissionRefusedError("no privileged pods here", "ask Ann")
    assert error(replace(FACTS, admission=Admission(refused=refused))) is refused


def test_what_a_webhook_cannot_tell_beforehand_is_no_refusal() -> None:
    facts = replace(FACTS, admission=Admission(untested='admission webhook "w" does not support dry run'))
    check(answers_to(facts))
    assert answer(facts, "admission").verdict is Verdict.UNKNOWN


def test_a_policy_that_takes_away_what_tracing_needs_refuses_it() -> None:
    caught = error(replace(FACTS, admission=Admission(taken=("privileged", "hostPID"))))
    assert isinstance(caught, AdmissionRefusedError)
    assert "takes privileged and hostPID" in caught.message


def test_containers_that_a_policy_adds_are_named() -> None:
    answers = answers_to(replace(FACTS, admission=Admission(added=("istio-proxy",))))
    check(answers)
    (notice,) = notices_of(answers)
    assert "istio-proxy" in notice
    assert "may not end by itself" in notice


def test_an_image_that_no_node_lists_is_unknown() -> None:
    assert answer(replace(FACTS, image="tracer:2"), "image").verdict is Verdict.UNKNOWN
    missing = ImageError("no image", "build one")
    facts = replace(FACTS, image=missing, admission=None)
    assert error(facts) is missing
    assert answer(facts, "admission").verdict is Verdict.UNKNOWN


def test_of_several_errors_the_first_to_be_repaired_is_told_and_the_rest_counted() -> None:
    facts = replace(denied("delete pods", "get pods/log"), phase="Terminating")
    caught = error(facts)
    assert "is being deleted" in caught.message
    assert (caught.hint or "").endswith("; 2 more: kubectl podtrace check")


def test_without_a_target_the_rest_is_answered() -> None:
    missing = TargetNotFoundError("there is no pod")
    facts = replace(FACTS, target=missing, node=Absent.UNASKED, admission=None)
    assert error(facts) is missing
    assert answer(facts, "node").words == "was not asked"
    assert answer(facts, "may get pods").verdict is Verdict.YES


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ({"metadata": {"labels": {"eks.amazonaws.com/compute-type": "fargate"}}}, "Fargate"),
        ({"metadata": {"labels": {"type": "virtual-kubelet"}}}, "virtual kubelet"),
        ({"spec": {"taints": [{"key": "virtual-kubelet.io/provider", "value": "azure"}]}}, "virtual kubelet"),
        ({"metadata": {"name": "virtual-node-aci-linux"}}, "Azure Container Instances"),
        ({"metadata": {"name": "node-a", "labels": {"type": "worker"}}, "spec": {"taints": [{"key": "gpu"}]}}, ""),
    ],
)
def test_virtual_nodes_are_known_by_label_taint_or_name(raw: dict[str, Any], kind: str) -> None:
    assert node_from_api(raw).kind == kind


def test_what_admission_changed_is_read_from_its_answer() -> None:
    ours = {"name": "tracer", "securityContext": {"privileged": True}}
    spec = {"hostPID": True, "containers": [ours, {"name": "proxy"}]}
    native = {"initContainers": [{"name": "setup"}, {"name": "mesh", "restartPolicy": "Always"}]}
    asked = {"spec": {"hostPID": True, "containers": [ours]}}
    assert admission_from_api({"spec": {**spec, **native}}, asked) == Admission(added=("proxy", "mesh"))
    bare = {"spec": {"containers": [{"name": "tracer"}]}}
    assert admission_from_api(bare, asked) == Admission(taken=("privileged", "hostPID"))


def test_capabilities_that_a_policy_takes_are_named() -> None:
    def pod(*names: str) -> dict[str, Any]:
        context = {"capabilities": {"add": list(names)}}
        return {"spec": {"hostPID": True, "containers": [{"name": "tracer", "securityContext": context}]}}

    assert admission_from_api(pod("BPF"), pod("BPF", "PERFMON")) == Admission(taken=("CAP_PERFMON",))
