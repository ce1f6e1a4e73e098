"""`kubectl podtrace check POD`: says whether a pod can be traced, and creates nothing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kubectl_podtrace.cli.flags import Parser, TraceOptions, check_connection_flags, connected, trace_options
from kubectl_podtrace.cli.parse import Format
from kubectl_podtrace.cli.trace import add_target_flags, one_target, target_spec, tracer_pod
from kubectl_podtrace.errors import PodtraceError, UsageError

if TYPE_CHECKING:
    from argparse import Namespace

    from kubectl_podtrace.cluster.answers import Answer
    from kubectl_podtrace.cluster.client import Cluster
    from kubectl_podtrace.cluster.target import Target, TargetSpec

_USAGE: Final = """kubectl podtrace check [-n NAMESPACE] POD [flags]
       kubectl podtrace check [-n NAMESPACE] deploy/NAME [flags]"""
_DESCRIPTION: Final = """Says whether a pod can be traced: your rights, the cluster's policies (a dry run
of the very tracer pod on the server), the node, the pod. Creates nothing. Takes the flags of a trace. The exit code is
that of the trace: 0 when it could begin."""


def run(arguments: Sequence[str]) -> int:
    """Check as the arguments after `check` say; returns the exit code."""
    given = make_parser().parse_intermixed_args(arguments)
    options = trace_options(given)
    if options.output.path is not None or options.output.format not in {Format.TEXT, Format.JSON}:
        raise UsageError("a check is printed, as text or as JSON", "-o json")
    if options.events_csv is not None:
        raise UsageError("a check traces nothing: there are no events to write", "leave --events-csv out")
    target = one_target(given)
    check_connection_flags(given)
    # Only now what takes its time to import: help and refusals come at once.
    spec = target_spec(given, target)
    cluster = connected(given)
    namespace = given.namespace or cluster.default_namespace
    found, answers = _ask(cluster, spec, namespace, options, given)
    if options.output.format is Format.JSON:
        _print_json(answers, found)
    else:
        _print_text(answers, f"{namespace}/{target}")
    return _exit_code(answers)


def make_parser() -> Parser:
    """What the words after `check` can be."""
    parser = Parser(prog="kubectl podtrace check", usage=_USAGE, description=_DESCRIPTION, allow_abbrev=False)
    add_target_flags(parser)
    return parser


def _ask(
    cluster: Cluster, spec: TargetSpec, namespace: str, options: TraceOptions, given: Namespace
) -> tuple[Target | PodtraceError, tuple[Answer, ...]]:
    from kubectl_podtrace.cli.beforehand import Beforehand
    from kubectl_podtrace.cluster.tracer_pod import build, choose_image
    from kubectl_podtrace.errors import (
        ImageError,
        PermissionDeniedError,
        TargetNotFoundError,
        TargetNotTraceableError,
    )

    before = Beforehand(cluster, spec, namespace=namespace, tracer_namespace=given.tracer_namespace or namespace)
    found: Target | PodtraceError
    try:
        found = before.target()
    except (TargetNotFoundError, TargetNotTraceableError, PermissionDeniedError) as error:
        found = error
    image: str | PodtraceError
    try:
        image = choose_image(given.image, os.environ)
    except ImageError as error:
        image = error
    manifest = None
    if not isinstance(found, PodtraceError) and not isinstance(image, PodtraceError):
        manifest = build(tracer_pod(given, options, found, user=before.user()))
    return found, before.answers(found, image=image, manifest=manifest)


def _exit_code(answers: Sequence[Answer]) -> int:
    return next((answer.error.exit_code for answer in answers if answer.error is not None), 0)


def _print_text(answers: Sequence[Answer], target: str) -> None:
    from kubectl_podtrace.cli.listing import print_section
    from kubectl_podtrace.report.document import Block, Facts, Section, Table, left

    refusals = sum(answer.error is not None for answer in answers)
    columns = left("answer"), left("question"), left("what was found")
    rows = tuple((answer.verdict.value, answer.name, answer.words) for answer in answers)
    remedies = tuple((answer.name, answer.remedy) for answer in answers if answer.remedy)
    blocks: list[Block] = [Table(columns=columns, rows=rows)]
    if remedies:
        blocks.append(Facts(pairs=remedies))
    title = f"{target} can be traced" if not refusals else f"{target} cannot be traced"
    print_section(Section(title=title, blocks=tuple(blocks)), sys.stdout)


def _print_json(answers: Sequence[Answer], found: Target | PodtraceError) -> None:
    document = {
        "traceable": all(answer.error is None for answer in answers),
        "target": None
        if isinstance(found, PodtraceError)
        else {"namespace": found.namespace, "pod": found.pod, "node": found.node, "containers": list(found.selected)},
        "answers": [
            {
                "question": answer.name,
                "answer": answer.verdict.value,
                "text": answer.words,
                "remedy": answer.remedy,
                "error": None if answer.error is None else answer.error.slug,
            }
            for answer in answers
        ],
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
