from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from kubectl_podtrace.cluster.tracer_pod import CAPABILITIES, TracerPodSpec, build, choose_image, to_yaml
from kubectl_podtrace.errors import ImageError

SPEC = TracerPodSpec(
    name="podtrace-api-0-abcde",
    namespace="tracing",
    node="node-a",
    image="registry.example/tracer@sha256:00",
    request_json='{"target": "$(HOME)", "price": "$5"}',
    session_id="abcde",
    target_namespace="shop",
    target_pod="api-0",
    target_uid="3f0c",
    duration_s=30,
)


def test_the_pod_is_pinned_and_tolerates_everything() -> None:
    spec = build(SPEC)["spec"]
    assert spec["nodeName"] == "node-a"
    assert spec["tolerations"] == [{"operator": "Exists"}]


def test_the_pod_has_what_tracing_needs_and_nothing_else() -> None:
    spec = build(SPEC)["spec"]
    (container,) = spec["containers"]
    assert spec["hostPID"] is True
    assert spec["hostNetwork"] is False
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert container["securityContext"] == {"privileged": True, "runAsUser": 0, "readOnlyRootFilesystem": True}
    assert [volume["name"] for volume in spec["volumes"]] == ["cgroup", "tmp"]
    assert spec["volumes"][0]["hostPath"] == {"path": "/sys/fs/cgroup", "type": "Directory"}
    assert container["volumeMounts"][0]["readOnly"] is True
    assert container["resources"] == {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}


def test_with_capabilities_it_is_not_privileged_and_confined_by_nothing_that_forbids_to_trace() -> None:
    pod = build(replace(SPEC, profile="capabilities"))
    context = pod["spec"]["containers"][0]["securityContext"]
    assert "privileged" not in context
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"], "add": list(CAPABILITIES)}
    assert context["seccompProfile"] == context["appArmorProfile"] == {"type": "Unconfined"}
    annotation = "container.apparmor.security.beta.kubernetes.io/tracer"
    assert pod["metadata"]["annotations"][annotation] == "unconfined"
    assert annotation not in build(SPEC)["metadata"]["annotations"]
    assert pod["spec"]["hostPID"] is True


@pytest.mark.parametrize(("duration_s", "deadline_s"), [(30, 630), (7200, 7800), (None, 86_400)])
def test_the_deadline_is_the_duration_and_the_pull_or_a_day(duration_s: int | None, deadline_s: int) -> None:
    spec = build(replace(SPEC, duration_s=duration_s))["spec"]
    assert spec["activeDeadlineSeconds"] == deadline_s
    assert spec["restartPolicy"] == "Never"
    assert spec["terminationGracePeriodSeconds"] == 10


def test_no_mesh_injects_a_sidecar() -> None:
    meta = build(SPEC)["metadata"]
    assert meta["labels"]["sidecar.istio.io/inject"] == "false"
    assert meta["annotations"]["sidecar.istio.io/inject"] == "false"
    assert meta["annotations"]["linkerd.io/inject"] == "disabled"


def test_labels_tell_whose_pod_it_is_and_what_it_traces() -> None:
    meta = build(SPEC)["metadata"]
    assert meta["labels"]["app.kubernetes.io/name"] == "podtrace-tracer"
    assert meta["labels"]["podtrace.io/session"] == "abcde"
    assert meta["labels"]["podtrace.io/target-uid"] == "3f0c"
    assert meta["annotations"]["podtrace.io/target"] == "shop/api-0"


def test_the_request_reaches_the_tracer_unexpanded() -> None:
    variables = {entry["name"]: entry for entry in build(SPEC)["spec"]["containers"][0]["env"]}
    assert variables["PODTRACE_REQUEST"]["value"] == '{"target": "$$(HOME)", "price": "$5"}'
    assert variables["NODE_NAME"]["valueFrom"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}


def test_a_pull_policy_is_set_only_when_asked_for() -> None:
    assert "imagePullPolicy" not in build(SPEC)["spec"]["containers"][0]
    spec = build(replace(SPEC, pull_policy="Never", pull_secrets=("a", "b")))["spec"]
    assert spec["containers"][0]["imagePullPolicy"] == "Never"
    assert spec["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


def test_the_yaml_is_the_manifest() -> None:
    assert yaml.safe_load(to_yaml(build(SPEC))) == build(SPEC)


def test_the_image_is_the_option_else_the_environments() -> None:
    assert choose_image("a", {"PODTRACE_IMAGE": "b"}) == "a"
    assert choose_image(None, {"PODTRACE_IMAGE": "b"}) == "b"


def test_a_development_version_says_how_to_get_an_image() -> None:
    with pytest.raises(ImageError) as caught:
        choose_image(None, {})
    assert "make image" in (caught.value.hint or "")
    assert "--image" in (caught.value.hint or "")
