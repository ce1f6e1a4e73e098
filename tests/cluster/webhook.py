"""An admission webhook in a pod of the cluster, which refuses every tracer pod of one namespace in words of its own."""

from __future__ import annotations

import base64
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kubectl_podtrace.names import NAME_LABEL, NAME_VALUE
from tests.cluster.conftest import Kubectl

WORDS: Final = "no privileged pods on a Friday"
PORT: Final = 8443
_SERVER: Final = f"""
import http.server, json, pathlib, ssl, time
class Refuse(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {{"uid": review["request"]["uid"], "allowed": False, "status": {{"code": 403, "message": "{WORDS}"}}}}
        content = json.dumps({{**review, "response": answer}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
while not pathlib.Path("/tmp/complete").exists():
    time.sleep(0.05)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tmp/pem")
server = http.server.ThreadingHTTPServer(("", {PORT}), Refuse)
server.socket = context.wrap_socket(server.socket, server_side=True)
pathlib.Path("/tmp/serving").touch()
server.serve_forever()
"""


@contextmanager
def refusing_webhook(kubectl: Kubectl, image: str, **changed: Any) -> Iterator[None]:
    """Within the block tracer pods of kubectl's namespace are refused; `changed` are fields of the webhook."""
    name = f"{kubectl.namespace}.podtrace.test"
    container = {"name": "webhook", "image": image, "imagePullPolicy": "IfNotPresent"}
    spec = {"containers": [{**container, "command": ["python3", "-c", _SERVER]}], "terminationGracePeriodSeconds": 0}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "webhook"}, "spec": spec})
    try:
        kubectl("wait", "--for=condition=Ready", "pod/webhook", "--timeout=60s")
        address = kubectl("get", "pod", "webhook", "-o", "jsonpath={.status.podIP}")
        pair, certificate = _key_and_certificate(address)
        kubectl("exec", "-i", "webhook", "--", "sh", "-c", "cat >/tmp/pem && touch /tmp/complete", stdin=pair)
        kubectl.until(lambda: "serving" in kubectl("exec", "webhook", "--", "ls", "/tmp"), "the webhook's server")
        kubectl.apply(_configuration(name, kubectl.namespace, address, certificate, changed))
        yield
    finally:
        kubectl("delete", "validatingwebhookconfiguration", name, "--ignore-not-found")
        kubectl("delete", "pod", "webhook", "--wait=false")


def _configuration(
    name: str, namespace: str, address: str, certificate: str, changed: dict[str, Any]
) -> dict[str, Any]:
    version = changed.pop("version", "v1")
    webhook = {
        "name": name,
        "clientConfig": {
            "url": f"https://{address}:{PORT}/",
            "caBundle": base64.b64encode(certificate.encode()).decode(),
        },
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"podtrace-test": namespace}},
        "objectSelector": {"matchLabels": {NAME_LABEL: NAME_VALUE}},
        "admissionReviewVersions": ["v1", "v1beta1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        **changed,
    }
    return {
        "apiVersion": f"admissionregistration.k8s.io/{version}",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [webhook],
    }


def _key_and_certificate(address: str) -> tuple[str, str]:
    """A key and its certificate in one text, and the certificate alone."""
    with tempfile.TemporaryDirectory() as place:
        key, certificate = Path(place, "key"), Path(place, "certificate")
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=podtrace-test",
        ]
        files = ["-addext", f"subjectAltName=IP:{address}", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run([*command, *files], check=True, capture_output=True, timeout=60)
        return key.read_text() + certificate.read_text(), certificate.read_text()


def is_served(version: str) -> bool:
    """Whether the cluster has this version of the webhooks' API."""
    done = subprocess.run(["kubectl", "api-versions"], check=True, capture_output=True, text=True, timeout=60)
    return f"admissionregistration.k8s.io/{version}" in done.stdout.split()
