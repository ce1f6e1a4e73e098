"""`kubectl podtrace clean`: removes tracer pods that were left behind."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

from kubectl_podtrace.cli.flags import Parser, add_connection_flags, check_connection_flags, connected
from kubectl_podtrace.errors import UsageError
from kubectl_podtrace.units import SECOND_NS, counted, duration

if TYPE_CHECKING:
    from kubectl_podtrace.cli.own_traces import OwnTraces
    from kubectl_podtrace.cluster.client import Cluster
    from kubectl_podtrace.cluster.leftovers import Client, TracerPod

_USAGE: Final = "kubectl podtrace clean [-n NAMESPACE | -A] [--all] [--yes]"
_DESCRIPTION: Final = """Removes tracer pods that were left behind. Without --all your own ones: those made from this
machine (a random id that is kept here), and those made by the same user of the cluster, where the
cluster tells who that is. What may still be tracing is asked about first."""


@dataclass(frozen=True, kw_only=True)
class _Found:
    """One tracer pod, and what is known of it."""

    pod: TracerPod
    client: Client
    is_own: bool
    is_leftover: bool


def run(arguments: Sequence[str]) -> int:
    """Clean as the arguments after `clean` say; returns the exit code."""
    given = make_parser().parse_args(arguments)
    check_connection_flags(given)
    if given.namespace is not None and given.all_namespaces:
        raise UsageError("--namespace and --all-namespaces exclude each other")
    if given.namespace is not None:
        from kubectl_podtrace.cluster.target import check_namespace

        check_namespace(given.namespace)
    # Only now what takes its time to import: help and refusals come at once.
    from kubectl_podtrace.cli.own_traces import own_traces

    cluster, own = connected(given), own_traces(os.environ)
    namespace = None if given.all_namespaces else given.namespace or cluster.default_namespace
    found = _find(cluster, namespace, own, everyones=given.all)
    where = "any namespace" if namespace is None else f'namespace "{namespace}"'
    if not found:
        whose = "" if given.all else " of yours"
        sys.stdout.write(f"there is no tracer pod{whose} in {where}\n")
        return 0
    _print(found)
    chosen = _choose(found, given)
    return _remove(cluster, own, chosen, left=len(found) - len(chosen))


def make_parser() -> Parser:
    """What the words after `clean` can be."""
    parser = Parser(prog="kubectl podtrace clean", usage=_USAGE, description=_DESCRIPTION, allow_abbrev=False)
    parser.add_argument("-n", "--namespace", metavar="NAME", help="where to look (default: the context's)")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="look everywhere")
    parser.add_argument("--all", action="store_true", help="everybody's tracer pods, once you have said yes")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more on stderr, with tracebacks")
    parser.add_argument("--version", action="store_true", help="print the version")
    add_connection_flags(parser)
    return parser


def _find(cluster: Cluster, namespace: str | None, own: OwnTraces, *, everyones: bool) -> list[_Found]:
    from kubectl_podtrace.cluster.leftovers import Owner, is_leftover
    from kubectl_podtrace.names import TRACER_SELECTOR

    owner = Owner(client_id=own.client_id, user=cluster.user_name())
    now = datetime.now(UTC)
    found = []
    for pod in cluster.list_tracer_pods(namespace, TRACER_SELECTOR):
        if everyones or owner.owns(pod):
            client = own.client_of(pod)
            left = is_leftover(pod, client, now)
            found.append(_Found(pod=pod, client=client, is_own=owner.owns(pod), is_leftover=left))
    return sorted(found, key=lambda each: (not each.is_leftover, each.pod.namespace, each.pod.name))


def _print(found: Sequence[_Found]) -> None:
    from kubectl_podtrace.cli.listing import print_section
    from kubectl_podtrace.report.document import Column, Section, Table, left

    now = datetime.now(UTC)
    columns: tuple[Column, ...] = left("state"), left("whose"), left("traced"), left("tracer pod")
    rows = tuple(
        (
            _state(each, now),
            "yours" if each.is_own else each.pod.user or "?",
            each.pod.target or "?",
            f"{each.pod.namespace}/{each.pod.name}",
        )
        for each in found
    )
    print_section(Section(title="Tracer pods", blocks=(Table(columns=columns, rows=rows),)), sys.stdout)


def _state(found: _Found, now: datetime) -> str:
    from kubectl_podtrace.cluster.leftovers import Client

    ended = found.pod.ended_by(now)
    if ended is not None:
        ago_s = max(int((now - ended).total_seconds()), 0)
        return f"ended {duration(ago_s * SECOND_NS)} ago" if ago_s else "ended just now"
    match found.client:
        case Client.RUNS:
            return "tracing, from here"
        case Client.GONE:
            return "running, its kubectl is gone"
        case Client.UNKNOWN:
            return "running"


def _choose(found: Sequence[_Found], given: Namespace) -> list[_Found]:
    """What to remove: what nobody needs at once, the rest after a yes. Raises `UsageError` when --all cannot ask."""
    sure = [] if given.all else [each for each in found if each.is_leftover]
    doubtful = [each for each in found if each not in sure]
    if given.yes or not doubtful:
        return list(found)
    if _is_terminal(sys.stdin, sys.stderr):
        return list(found) if _confirmed(doubtful, everyones=given.all) else sure
    if given.all:
        raise UsageError("--all removes what belongs to others, and there is no terminal to ask on", "add --yes")
    sys.stderr.write(f"note: {_may_trace(len(doubtful))}; --yes removes what may be\n")
    return sure


def _is_terminal(*streams: TextIO) -> bool:
    return all(stream.isatty() for stream in streams)


def _confirmed(doubtful: Sequence[_Found], *, everyones: bool) -> bool:
    question = f"remove {counted(len(doubtful), 'tracer pod')}" if everyones else _may_trace(len(doubtful)) + "; remove"
    sys.stderr.write(f"{question}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _may_trace(number: int) -> str:
    return f"{counted(number, 'tracer pod')} may still be tracing"


def _remove(cluster: Cluster, own: OwnTraces, chosen: Sequence[_Found], *, left: int) -> int:
    from kubectl_podtrace.cli.progress import printable
    from kubectl_podtrace.cluster.leftovers import Client, remove

    removal = remove(cluster, [each.pod for each in chosen])
    running = {each.pod for each in chosen if each.client is Client.RUNS}
    for pod in removal.removed:
        if pod not in running:
            own.forget(pod)
    kept = f"; {left + len(removal.failed)} left" if left or removal.failed else ""
    sys.stdout.write(f"removed {counted(len(removal.removed), 'tracer pod')}{kept}\n")
    if not removal.failed:
        return 0
    for pod, error in removal.failed:
        sys.stderr.write(printable(f"note: {pod.namespace}/{pod.name}: {error.message}") + "\n")
    raise removal.failed[0][1]
