from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.cli.main import main
from tests.flow import fake_stream
from tests.flow.fake_api import CREATING, RUNNING, FakeApi, Refusal, node, stamped, target_pod

Command = Callable[..., int]


@pytest.fixture
def command(api: FakeApi, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with a cluster in which `api-0` can be traced."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("PODTRACE_IMAGE", "tracer:1")
    api.pods["shop", "api-0"] = target_pod()
    api.phases["shop"] = "Active"
    api.starts = [CREATING, RUNNING]
    api.logs = [[stamped(*fake_stream.beginning()), stamped(*fake_stream.end(), second=1)]]
    return lambda *arguments: main(arguments)


def answers(printed: str) -> dict[str, str]:
    return {each["question"]: each["answer"] for each in json.loads(printed)["answers"]}


def deny_pods(api: FakeApi, verb: str) -> None:
    api.refusals[f"{verb} pods"] = Refusal(status=403, message=f'User "bob" cannot {verb} resource "pods"')


def forbid_nodes(api: FakeApi) -> None:
    api.refusals["get nodes"] = Refusal(status=403, message='User "bob" cannot get resource "nodes"')


def refuse(api: FakeApi, text: str, status: int = 403) -> None:
    api.refusals["create pods as a dry run"] = Refusal(status=status, message=text)


def run_in_sandbox(api: FakeApi) -> None:
    api.pods["shop", "api-0"]["spec"]["runtimeClassName"] = "secure"
    api.runtimes["secure"] = "runsc"


def end_hidden_namespace(api: FakeApi) -> None:
    api.phases.clear()
    refuse(api, "unable to create new content in namespace shop because it is being terminated")


FAULTS: dict[str, tuple[Callable[[FakeApi], object], int, str]] = {
    "delete": (lambda api: api.denied.add("delete pods"), 4, "you may not delete pods"),
    "create": (lambda api: api.denied.add("create pods"), 4, "you may not create pods"),
    "log": (lambda api: api.denied.add("get pods/log"), 4, "kubectl auth can-i get pods --subresource=log -n shop"),
    "rbac": (lambda api: deny_pods(api, "create"), 4, 'User "bob" cannot create resource "pods"'),
    "webhook": (
        lambda api: refuse(api, 'admission webhook "w" denied the request: no', 400),
        6,
        "denied the request: no",
    ),
    "pod security": (lambda api: refuse(api, 'violates PodSecurity "baseline:latest": hostPID'), 6, "baseline:latest"),
    "kyverno": (
        lambda api: refuse(api, 'admission webhook "validate.kyverno.svc-fail" denied the request: disallow-host', 400),
        6,
        "denied the request: disallow-host",
    ),
    "gatekeeper": (
        lambda api: refuse(api, 'admission webhook "validation.gatekeeper.sh" denied the request: [psp] hostPID'),
        6,
        "[psp] hostPID",
    ),
    "scc": (
        lambda api: refuse(api, 'pods "x" is forbidden: unable to validate against any security context constraint'),
        6,
        "unable to validate against any security context constraint",
    ),
    "no namespace": (lambda api: refuse(api, 'namespaces "shop" not found', 404), 5, '"shop" does not exist'),
    "terminating": (lambda api: api.phases.update(shop="Terminating"), 6, "is being deleted"),
    "terminating, hidden": (
        end_hidden_namespace,
        6,
        "the namespace is being deleted: name another one with --tracer-namespace",
    ),
    "not ready": (
        lambda api: api.nodes.update({"node-a": node(ready="Unknown")}),
        6,
        '"node-a" is not ready: kubelet stopped posting node status',
    ),
    "gone": (lambda api: api.nodes.clear(), 6, '"node-a" is gone'),
    "windows": (lambda api: api.nodes.update({"node-a": node(nodeInfo={"operatingSystem": "windows"})}), 6, "windows"),
    "sandbox": (run_in_sandbox, 5, 'runtime class "secure", handler runsc'),
    "stripped": (lambda api: setattr(api, "admit", lambda _: {"spec": {"hostPID": True}}), 6, "takes privileged"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_would_fail_is_said_before_anything_is_created(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    break_it, code, words = FAULTS[fault]
    break_it(api)
    assert command("api-0", "--diagnose", "1s") == code
    shown = capsys.readouterr()
    assert words in shown.err
    assert "\nhint: " in shown.err
    assert (shown.out, api.created) == ("", [])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_check_says_the_same_and_ends_with_the_same_code(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    break_it, code, words = FAULTS[fault]
    break_it(api)
    assert command("check", "api-0") == code
    shown = capsys.readouterr()
    assert "shop/api-0 cannot be traced" in shown.out
    assert words in shown.out
    assert (shown.err, api.created) == ("", [])


def test_a_pod_that_can_be_traced_is_answered_with_yes(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("check", "api-0", "-o", "json") == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["traceable"] is True
    assert json.loads(printed)["target"] == {
        "namespace": "shop", "pod": "api-0", "node": "node-a", "containers": ["app"],
    }  # fmt: skip
    assert set(answers(printed).values()) == {"yes"}
    assert api.created == []
    assert command("check", "api-0") == 0
    assert capsys.readouterr().out.startswith("shop/api-0 can be traced\n  answer  question ")


def test_the_very_tracer_pod_is_tried(api: FakeApi, command: Command) -> None:
    assert command("api-0", "--diagnose", "1s") == 0
    tried, created = api.calls("POST", "/pods")
    assert (tried.query, created.query) == ({"dryRun": "All"}, {})
    assert tried.body == created.body


def test_no_right_is_asked_about_twice(api: FakeApi, command: Command) -> None:
    assert command("api-0", "--diagnose", "1s") == 0
    asked = [json.dumps(call.body["spec"]["resourceAttributes"]) for call in api.calls("POST", "accessreviews")]
    assert len(asked) == len(set(asked))


def test_the_tracer_s_own_namespace_is_asked_about(api: FakeApi, command: Command) -> None:
    assert command("check", "api-0", "--tracer-namespace", "tools") == 0
    asked = [call.body["spec"]["resourceAttributes"] for call in api.calls("POST", "accessreviews")]
    assert ("tools", "create") in {(each["namespace"], each["verb"]) for each in asked if "namespace" in each}
    assert api.calls("GET", "/namespaces/tools")
    assert api.calls("POST", "/namespaces/tools/pods")


def test_without_the_pod_the_rest_is_still_answered(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    api.pods.clear()
    assert command("check", "api-0", "-o", "json") == 5
    found = answers(capsys.readouterr().out)
    assert (found["pod"], found["node"], found["admission"]) == ("no", "unknown", "unknown")
    assert found["may delete pods"] == "yes"


def test_without_an_image_the_rest_is_still_answered(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PODTRACE_IMAGE")
    assert command("check", "api-0", "-o", "json") == 6
    found = answers(capsys.readouterr().out)
    assert (found["image"], found["admission"], found["node"]) == ("no", "unknown", "yes")


def test_a_webhook_that_cannot_try_does_not_stop_a_trace(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse(api, 'admission webhook "policy.example" does not support dry run', 400)
    assert command("check", "api-0", "-o", "json") == 0
    assert answers(capsys.readouterr().out)["admission"] == "unknown"
    assert command("api-0", "--diagnose", "1s") == 0


def test_what_a_trace_does_without_is_in_its_report(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    api.denied.update({"list events", "get nodes"})
    forbid_nodes(api)
    assert command("api-0", "--diagnose", "1s") == 0
    shown = capsys.readouterr()
    assert "note: you may not list events, get nodes: kubectl podtrace check says" in shown.err
    assert "you may not list events, get nodes" in shown.out


def test_a_cordoned_node_is_traced_and_said(api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    api.nodes["node-a"] = node(spec={"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable"}]})
    assert command("api-0", "--diagnose", "1s") == 0
    assert "note: node node-a is cordoned" in capsys.readouterr().err


def test_a_server_without_reviews_is_trusted(api: FakeApi, command: Command) -> None:
    api.silent_reviews = True
    assert command("api-0", "--diagnose", "1s") == 0


def test_a_sidecar_that_a_policy_adds_is_told(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    def add_sidecar(manifest: dict[str, Any]) -> dict[str, Any]:
        return {
            **manifest,
            "spec": {**manifest["spec"], "containers": [*manifest["spec"]["containers"], {"name": "mesh"}]},
        }

    api.admit = add_sidecar
    assert command("api-0", "--diagnose", "1s") == 0
    assert "note: a policy of the cluster adds to the tracer pod: mesh" in capsys.readouterr().err


def test_the_first_of_several_faults_is_told_with_the_number_of_the_others(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    api.denied.update({"delete pods", "get pods/log"})
    assert command("api-0", "--diagnose", "1s") == 4
    assert capsys.readouterr().err.endswith("; 1 more: kubectl podtrace check\n")


def test_an_api_server_that_goes_away_while_it_is_asked_ends_the_run(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    api.refusals["create pods as a dry run"] = Refusal(status=401, reason="Unauthorized", message="token expired")
    assert command("api-0", "--diagnose", "1s") == 9
    assert "token expired" in capsys.readouterr().err
    assert api.created == []


@pytest.mark.parametrize("arguments", [["-o", "report.json"], ["--export", "md"]])
def test_a_check_is_no_report(api: FakeApi, command: Command, arguments: list[str]) -> None:
    assert command("check", "api-0", *arguments) == 2
    assert api.requests == []


def test_a_dry_run_asks_for_no_rights(api: FakeApi, command: Command) -> None:
    assert command("api-0", "--dry-run") == 0
    assert [call.method for call in api.requests] == ["GET"]


@pytest.mark.parametrize("verb", ["check", "clean"])
def test_a_verb_that_does_not_come_first_is_not_taken_for_a_pod(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    assert command("-n", "shop", verb) == 2
    assert f"a pod of this name is pod/{verb}" in capsys.readouterr().err
    assert api.requests == []


def test_of_a_deployment_the_pod_that_would_be_traced_is_checked(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    api.deployments["shop", "api"] = {"spec": {"selector": {"matchLabels": {"app": "api"}}}}
    assert command("check", "deploy/api", "-o", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["target"]["pod"] == "api-0"
    api.denied.add("get deployments")
    assert command("check", "deploy/api", "-o", "json") == 4
    assert answers(capsys.readouterr().out)["may get deployments"] == "no"
