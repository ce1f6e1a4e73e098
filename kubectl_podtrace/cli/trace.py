"""`kubectl podtrace POD`: traces a pod of a cluster."""

from __future__ import annotations

import os
import secrets
import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from kubectl_podtrace.cli.flags import (
    Parser,
    TraceOptions,
    add_connection_flags,
    add_trace_flags,
    check_connection_flags,
    connected,
    trace_options,
)
from kubectl_podtrace.cli.parse import parse_lease
from kubectl_podtrace.cli.progress import on_stderr
from kubectl_podtrace.errors import UsageError
from kubectl_podtrace.units import SECOND_NS

if TYPE_CHECKING:
    from argparse import _ArgumentGroup

    from kubectl_podtrace.cli.beforehand import Beforehand
    from kubectl_podtrace.cli.run import Run
    from kubectl_podtrace.cluster.client import Cluster
    from kubectl_podtrace.cluster.lifecycle import ClusterSource
    from kubectl_podtrace.cluster.start import Stage
    from kubectl_podtrace.cluster.target import Target, TargetSpec
    from kubectl_podtrace.cluster.tracer_pod import TracerPodSpec
    from kubectl_podtrace.wire.records import Scope

_USAGE: Final = """kubectl podtrace [-n NAMESPACE] POD [flags]
       kubectl podtrace [-n NAMESPACE] deploy/NAME [flags]
       kubectl podtrace check [-n NAMESPACE] POD [flags]
       kubectl podtrace clean [-n NAMESPACE | -A] [flags]
       kubectl podtrace local [flags] -- COMMAND [ARGS...]
       kubectl podtrace completion [flags]"""
_DESCRIPTION: Final = """Traces one pod with eBPF and reports what it did, what it waited for and what failed.
A privileged tracer pod runs on the target's node for as long as that takes, and is deleted afterwards."""
_EPILOG: Final = """check (can a pod be traced?), clean (what was left behind), local (tracing on this machine) and
completion (in your shell) have a --help of their own. A pod of such a name is pod/local."""
_PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
_PROFILES: Final = ("privileged", "capabilities")
_ID_BYTES: Final = 4


def run(arguments: Sequence[str]) -> int:
    """Trace as the arguments say; returns the exit code."""
    given = make_parser().parse_intermixed_args(arguments)
    options = trace_options(given)
    target = one_target(given)
    parse_lease(given.lease)
    check_connection_flags(given)
    # Only now what takes its time to import: help and refusals come at once.
    from kubectl_podtrace.cluster.target import resolve

    spec = target_spec(given, target)
    cluster = connected(given)
    namespace = given.namespace or cluster.default_namespace
    if given.dry_run:
        return _print_pod(tracer_pod(given, options, resolve(spec, namespace, cluster)))
    return _trace(cluster, spec, namespace, options, given)


def target_spec(given: Namespace, target: str) -> TargetSpec:
    """What was typed, in good form. Raises `UsageError`."""
    from kubectl_podtrace.cluster.target import TargetSpec, check_namespace

    spec = TargetSpec.parse(target, container=given.container, all_containers=given.all_containers)
    for namespace in (given.namespace, given.tracer_namespace):
        if namespace is not None:
            check_namespace(namespace)
    return spec


def make_parser() -> Parser:
    """What the words of a trace in a cluster can be."""
    parser = Parser(prog="kubectl podtrace", usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    tracer = add_target_flags(parser)
    tracer.add_argument("--dry-run", action="store_true", help="print it as YAML and create nothing")
    return parser


def add_target_flags(parser: Parser) -> _ArgumentGroup:
    """All flags of a trace in a cluster, but those that stand for doing something else; returns the tracer pod's."""
    parser.add_argument("target", metavar="POD", nargs="*", help="POD, pod/POD or deploy/NAME")
    parser.add_argument("-n", "--namespace", metavar="NAME", help="the target's (default: the context's)")
    parser.add_argument("-c", "--container", metavar="NAME", help="this container (default: the pod's default one)")
    parser.add_argument("--all-containers", action="store_true", help="all containers of the pod")
    add_trace_flags(parser)
    tracer = parser.add_argument_group("tracer pod")
    _add_tracer_flags(tracer)
    add_connection_flags(parser)
    return tracer


def _add_tracer_flags(tracer: _ArgumentGroup) -> None:
    tracer.add_argument("--tracer-namespace", metavar="NAME", help="where it runs (default: the target's namespace)")
    tracer.add_argument("--image", metavar="REFERENCE", help="its image (default: PODTRACE_IMAGE, else the release's)")
    tracer.add_argument("--image-pull-policy", choices=_PULL_POLICIES, metavar="POLICY", help=", ".join(_PULL_POLICIES))
    tracer.add_argument(
        "--image-pull-secret", action="append", default=[], metavar="NAME", help="for its image; may be repeated"
    )
    tracer.add_argument(
        "--security-profile",
        choices=_PROFILES,
        default="privileged",
        metavar="PROFILE",
        help="privileged (the default), or capabilities: fewer rights, with what that costs (docs/security.md)",
    )
    tracer.add_argument(
        "--lease", metavar="DURATION", default="30s", help="it ends when it hears nothing from here for so long (30s)"
    )


def one_target(given: Namespace) -> str:
    """The one thing to trace."""
    match given.target:
        case []:
            raise UsageError("which pod?", "kubectl podtrace [-n NAMESPACE] POD; see: kubectl get pods")
        case [("check" | "clean" | "completion") as verb]:
            hint = f"the verb comes first: kubectl podtrace {verb} [flags]; a pod of this name is pod/{verb}"
            raise UsageError(f"what is to be traced: {verb}?", hint)
        case [str(target)]:
            return target
        case [*several]:
            hint = "one pod is traced at a time"
            if "local" in several:
                hint = "the verb local comes first: kubectl podtrace local [flags] -- COMMAND"
            elif "check" in several:
                hint = "the verb check comes first: kubectl podtrace check [flags] POD"
            raise UsageError(f"more than one target: {' '.join(several)}", hint)
        case _:
            raise AssertionError(given.target)


def tracer_pod(
    given: Namespace,
    options: TraceOptions,
    found: Target,
    *,
    session_id: str | None = None,
    client_id: str = "",
    user: str = "",
    awaited: bool = False,
) -> TracerPodSpec:
    """The tracer pod for a target; an `awaited` one counts on being attached to. Raises `ImageError`."""
    from kubectl_podtrace.cluster.tracer_pod import TracerPodSpec, choose_image
    from kubectl_podtrace.names import tracer_pod_name
    from kubectl_podtrace.wire.request import PodTarget

    request = replace(options.request(PodTarget(uid=found.uid)), lease_ns=parse_lease(given.lease), is_awaited=awaited)
    session_id = session_id or secrets.token_hex(_ID_BYTES)
    return TracerPodSpec(
        name=tracer_pod_name(found.pod, session_id),
        namespace=given.tracer_namespace or found.namespace,
        node=found.node,
        image=choose_image(given.image, os.environ),
        request_json=request.to_json(),
        session_id=session_id,
        target_namespace=found.namespace,
        target_pod=found.pod,
        target_uid=found.uid,
        duration_s=-(-options.duration_ns // SECOND_NS) or None,
        profile=given.security_profile,
        pull_policy=given.image_pull_policy,
        pull_secrets=tuple(given.image_pull_secret),
        client_id=client_id,
        user=user,
    )


def _renamed(pod: TracerPodSpec) -> TracerPodSpec:
    """The same pod beside one that may still be going."""
    from kubectl_podtrace.names import tracer_pod_name

    return replace(pod, name=tracer_pod_name(pod.target_pod, f"{pod.session_id}b"))


def _print_pod(pod: TracerPodSpec) -> int:
    from kubectl_podtrace.cluster.tracer_pod import build, to_yaml

    sys.stdout.write(to_yaml(build(pod)))
    return 0


def _trace(cluster: Cluster, spec: TargetSpec, namespace: str, options: TraceOptions, given: Namespace) -> int:
    from kubectl_podtrace.cli.beforehand import Beforehand

    with on_stderr(options.loudness) as progress:
        progress.step("finding the pod")
        before = Beforehand(cluster, spec, namespace=namespace, tracer_namespace=given.tracer_namespace or namespace)
        before.remove_leftovers()
        # What takes its time to import is imported while the cluster is asked.
        from kubectl_podtrace.cli.run import Run

        found = before.target()
        session_id = secrets.token_hex(_ID_BYTES)
        with before.own.running(session_id) as client_id:
            make = partial(
                tracer_pod, given, options, found, session_id=session_id, client_id=client_id, user=before.user()
            )
            run = Run(options=options, progress=progress)
            with run.stoppable():
                source = _source(run, cluster, found, before, make)
                _follow(run, cluster, found, source, narrowed=not given.all_containers)
    return run.exit_code()


def _source(
    run: Run, cluster: Cluster, found: Target, before: Beforehand, make: Callable[..., TracerPodSpec]
) -> ClusterSource:
    """Asks whether the trace can be, and what it comes from. Raises `PodtraceError`."""
    from kubectl_podtrace.cluster.lifecycle import ClusterSource
    from kubectl_podtrace.cluster.tracer_pod import build

    # Where we are known to be allowed to attach, the tracer also ends when it never hears of us at all. Should
    # attaching turn out to be impossible all the same, one that does not wait for it takes its place.
    awaited = before.may_attach()
    pod = make(awaited=awaited)
    manifest = build(pod)
    for notice in found.notices:
        run.notice(notice)
    run.step("asking whether it can be traced")
    for notice in before.check(found, image=pod.image, manifest=manifest):
        run.notice(notice)
    return ClusterSource(
        cluster=cluster,
        manifest=manifest,
        unawaited=build(_renamed(make())) if awaited else None,
        observer=_Observer(run),
    )


def _follow(run: Run, cluster: Cluster, found: Target, source: ClusterSource, *, narrowed: bool) -> None:
    from kubectl_podtrace.cli.containers import last_words, target_info
    from kubectl_podtrace.cluster.pod_watch import PodNotes, PodWatch

    notes = PodNotes(found.uid, found.containers)
    watch = PodWatch(cluster=cluster, namespace=found.namespace, name=found.pod, notes=notes)

    def learn(_scopes: Collection[Scope] = ()) -> None:
        if run.target.history is not watch.history:
            run.target = target_info(found, watch, narrowed=narrowed)
        for news in watch.news():
            run.notice(news)

    with watch, closing(source):
        run.follow(source, on_scopes=learn)
    run.cleanup = source.cleanup
    said = last_words(found.pod, watch)
    learn()
    if said:
        run.notice(said)
    run.report()


class _Observer:
    """Passes on what the tracer pod's life has to say."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def progress(self, stage: Stage, words: str = "") -> None:
        self._run.step(f"{stage.value} ({words})" if words else stage.value)

    def notice(self, text: str) -> None:
        self._run.notice(text)

    def doubt(self, text: str) -> None:
        self._run.doubt(text)
