"""`kubectl podtrace POD`: traces a pod of a cluster."""

from __future__ import annotations

import os
import secrets
import sys
from argparse import Namespace
from collections.abc import Collection, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final

from kubectl_podtrace.cli.flags import Parser, TraceOptions, add_trace_flags, trace_options
from kubectl_podtrace.cli.parse import parse_timeout
from kubectl_podtrace.errors import UsageError

if TYPE_CHECKING:
    from kubectl_podtrace.cli.run import Run
    from kubectl_podtrace.cluster.client import Cluster
    from kubectl_podtrace.cluster.start import Stage
    from kubectl_podtrace.cluster.target import Target
    from kubectl_podtrace.cluster.tracer_pod import TracerPodSpec
    from kubectl_podtrace.wire.records import Scope

_USAGE: Final = """kubectl podtrace [-n NAMESPACE] POD [flags]
       kubectl podtrace [-n NAMESPACE] deploy/NAME [flags]
       kubectl podtrace local [flags] -- COMMAND [ARGS...]"""
_DESCRIPTION: Final = """Traces one pod with eBPF and reports what it did, what it waited for and what failed.
A privileged tracer pod runs on the target's node for as long as that takes, and is deleted afterwards."""
_EPILOG: Final = "kubectl podtrace local --help: tracing on this machine. A pod of the name local: pod/local."
_PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
_ID_BYTES: Final = 4
_SECOND_NS: Final = 10**9


def run(arguments: Sequence[str]) -> int:
    """Trace as the arguments say; returns the exit code."""
    given = _parser().parse_intermixed_args(arguments)
    options = trace_options(given)
    target = _one_target(given)
    timeout_s = None if given.request_timeout is None else parse_timeout(given.request_timeout)
    # Only now what takes its time to import: help and refusals come at once.
    from kubectl_podtrace.cluster.client import connect
    from kubectl_podtrace.cluster.kubeconfig import ConnectionOptions
    from kubectl_podtrace.cluster.target import TargetSpec, check_namespace, resolve

    spec = TargetSpec.parse(target, container=given.container, all_containers=given.all_containers)
    for namespace in (given.namespace, given.tracer_namespace):
        if namespace is not None:
            check_namespace(namespace)
    connection = ConnectionOptions(
        kubeconfig=given.kubeconfig, context=given.context, request_timeout_s=timeout_s, as_user=given.as_user
    )
    cluster = connect(connection, os.environ)
    found = resolve(spec, given.namespace or cluster.default_namespace, cluster)
    pod = _tracer_pod(given, options, found)
    if given.dry_run:
        return _print_pod(pod)
    return _trace(cluster, found, pod, options, narrowed=not given.all_containers)


def _parser() -> Parser:
    parser = Parser(prog="kubectl podtrace", usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("target", metavar="POD", nargs="*", help="POD, pod/POD or deploy/NAME")
    parser.add_argument("-n", "--namespace", metavar="NAME", help="the target's (default: the context's)")
    parser.add_argument("-c", "--container", metavar="NAME", help="this container (default: the pod's default one)")
    parser.add_argument("--all-containers", action="store_true", help="all containers of the pod")
    add_trace_flags(parser)
    _add_tracer_flags(parser)
    connection = parser.add_argument_group("connection, as in kubectl")
    connection.add_argument("--context", metavar="NAME", help="the kubeconfig's context")
    connection.add_argument("--kubeconfig", metavar="FILE", help="the kubeconfig (default: KUBECONFIG, ~/.kube/config)")
    connection.add_argument("--request-timeout", metavar="DURATION", help="for each call; 0 is none")
    connection.add_argument("--as", metavar="USER", dest="as_user", help="the user to impersonate")
    return parser


def _add_tracer_flags(parser: Parser) -> None:
    tracer = parser.add_argument_group("tracer pod")
    tracer.add_argument("--tracer-namespace", metavar="NAME", help="where it runs (default: the target's namespace)")
    tracer.add_argument("--image", metavar="REFERENCE", help="its image (default: PODTRACE_IMAGE, else the release's)")
    tracer.add_argument("--image-pull-policy", choices=_PULL_POLICIES, metavar="POLICY", help=", ".join(_PULL_POLICIES))
    tracer.add_argument(
        "--image-pull-secret", action="append", default=[], metavar="NAME", help="for its image; may be repeated"
    )
    tracer.add_argument("--dry-run", action="store_true", help="print it as YAML and create nothing")


def _one_target(given: Namespace) -> str:
    match given.target:
        case []:
            raise UsageError("which pod?", "kubectl podtrace [-n NAMESPACE] POD; see: kubectl get pods")
        case [str(target)]:
            return target
        case [*several]:
            hint = "one pod is traced at a time"
            if "local" in several:
                hint = "the verb local comes first: kubectl podtrace local [flags] -- COMMAND"
            raise UsageError(f"more than one target: {' '.join(several)}", hint)
        case _:
            raise AssertionError(given.target)


def _tracer_pod(given: Namespace, options: TraceOptions, found: Target) -> TracerPodSpec:
    from kubectl_podtrace.cluster.tracer_pod import TracerPodSpec, choose_image
    from kubectl_podtrace.names import tracer_pod_name
    from kubectl_podtrace.wire.request import PodTarget

    session_id = secrets.token_hex(_ID_BYTES)
    return TracerPodSpec(
        name=tracer_pod_name(found.pod, session_id),
        namespace=given.tracer_namespace or found.namespace,
        node=found.node,
        image=choose_image(given.image, os.environ),
        request_json=options.request(PodTarget(uid=found.uid)).to_json(),
        session_id=session_id,
        target_namespace=found.namespace,
        target_pod=found.pod,
        target_uid=found.uid,
        duration_s=-(-options.duration_ns // _SECOND_NS) or None,
        pull_policy=given.image_pull_policy,
        pull_secrets=tuple(given.image_pull_secret),
    )


def _print_pod(pod: TracerPodSpec) -> int:
    from kubectl_podtrace.cluster.tracer_pod import build, to_yaml

    sys.stdout.write(to_yaml(build(pod)))
    return 0


def _trace(cluster: Cluster, found: Target, pod: TracerPodSpec, options: TraceOptions, *, narrowed: bool) -> int:
    from kubectl_podtrace.cli.containers import last_words, target_info
    from kubectl_podtrace.cli.run import Run
    from kubectl_podtrace.cluster.lifecycle import ClusterSource
    from kubectl_podtrace.cluster.pod_watch import PodNotes, PodWatch
    from kubectl_podtrace.cluster.tracer_pod import build

    run = Run(options=options)
    for notice in found.notices:
        run.notice(notice)
    notes = PodNotes(found.uid, found.containers)
    watch = PodWatch(cluster=cluster, namespace=found.namespace, name=found.pod, notes=notes)

    def learn(_scopes: Collection[Scope] = ()) -> None:
        if run.target.history is not watch.history:
            run.target = target_info(found, watch, narrowed=narrowed)
        for news in watch.news():
            run.notice(news)

    with run.stoppable():
        with watch, closing(ClusterSource(cluster=cluster, manifest=build(pod), observer=_Observer(run))) as source:
            run.follow(source, on_scopes=learn)
        said = last_words(found.pod, watch)
        learn()
        if said:
            run.notice(said)
        run.report()
    return 0


class _Observer:
    """Passes on what the tracer pod's life has to say."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def progress(self, stage: Stage) -> None:
        self._run.step(stage.value)

    def notice(self, text: str) -> None:
        self._run.notice(text)
