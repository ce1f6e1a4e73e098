"""What a word of the command line can become: flags, their values, targets, a command of this machine.

Only names of a cluster's things make it import the cluster's client; who does not answer in time has no names.
"""

from __future__ import annotations

import os
import re
from argparse import SUPPRESS, Action
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from kubectl_podtrace.cli.complete.offer import NOTHING, Directive, Offer, in_this_order, offer
from kubectl_podtrace.cli.complete.typed import VERBS, Typed, excluded_by, flags_of
from kubectl_podtrace.cli.local import command_of
from kubectl_podtrace.cli.parse import EXPORTS, Format
from kubectl_podtrace.wire.topics import FILTERS

if TYPE_CHECKING:
    from kubectl_podtrace.cluster.client import Cluster
    from kubectl_podtrace.cluster.kubeconfig import ConnectionOptions
    from kubectl_podtrace.cluster.listed import Listed, ListedKind

_TRACE_DURATIONS: Final = ("10s", "30s", "1m", "5m", "15m", "1h")
_DURATIONS: Final = {
    "diagnose": _TRACE_DURATIONS,
    "lease": ("30s", "1m", "5m"),
    "request_timeout": ("5s", "10s", "30s"),
}
_SUFFIXES: Final = {"events_csv": ("csv",)}
_ENDED: Final = frozenset({"Completed", "Error", "Evicted", "Failed", "Succeeded", "Terminating"})
_FIRST_CLAUSE: Final = re.compile(r"[.:](?: |$)")
_MAX_PROCESSES: Final = 500
_CGROUPS: Final = Path("/sys/fs/cgroup")

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is asked besides the command line: this machine, and with patience the cluster."""

    environ: Mapping[str, str]
    patience_s: float
    proc: Path = Path("/proc")


def offer_for(typed: Typed, around: Surroundings) -> Offer:
    """What the word that is being typed can become."""
    if typed.behind_dashes is not None and typed.verb == "local":
        return _commands(typed, around)
    if typed.flag is not None:
        return _values(typed.flag, typed, around)
    if typed.word.startswith("-") and typed.behind_dashes is None:
        return _flags(typed)
    takes_target = typed.verb in {"", "check"}
    if takes_target and not (*typed.words, *(typed.behind_dashes or ())):
        return _targets(typed, around)
    # Nothing but a flag can stand here.
    return _flags(typed) if typed.behind_dashes is None else NOTHING


def _flags(typed: Typed) -> Offer:
    """Those that are not there yet nor excluded by one that is; and those that may be repeated."""
    excluded = typed.used | excluded_by(typed.used, typed.parser)
    found = [
        (spelling, (action.help or "") % vars(action))
        for spelling, action in flags_of(typed.parser).items()
        if action.help != SUPPRESS and (action.dest not in excluded or isinstance(action.default, list))
    ]
    if not typed.word.startswith("-"):
        found = [(spelling, said) for spelling, said in found if spelling.startswith("--")]
    if typed.verb == "local":
        found.insert(0, ("--", "the command to trace stands behind it"))
    return in_this_order(found)


def _values(flag: Action, typed: Typed, around: Surroundings) -> Offer:
    offered = _BY_FLAG.get(flag.dest)
    if offered is not None:
        return offered(typed, around)
    durations = _DURATIONS.get(flag.dest)
    return _by_declaration(flag) if durations is None else in_this_order((duration, "") for duration in durations)


def _by_declaration(flag: Action) -> Offer:
    """For what the parser itself says of a value."""
    if flag.choices is not None:
        return offer((str(choice), "") for choice in flag.choices)
    if flag.metavar == "FILE":
        suffixes = _SUFFIXES.get(flag.dest, ())
        return offer(((suffix, "") for suffix in suffixes), Directive.FILE_SUFFIXES if suffixes else Directive.DEFAULT)
    return NOTHING


def _filters(typed: Typed, _around: Surroundings) -> Offer:
    """The filters that the list does not name yet, each behind those that it names."""
    *named, _ = typed.word.split(",")
    left = [name for name in FILTERS if name not in named]
    before = "".join(f"{name}," for name in named)
    last = Directive.NO_SPACE if len(left) > 1 else Directive.DEFAULT
    return offer(((before + name, ", ".join(FILTERS[name])) for name in left), Directive.NO_FILES | last)


def _exports(_typed: Typed, _around: Surroundings) -> Offer:
    return offer((name, "") for name in EXPORTS)


def _conditions(typed: Typed, _around: Surroundings) -> Offer:
    """The names of the report's numbers, a dot at a time; operator and limit are the user's."""
    from kubectl_podtrace.report.gate.places import steps

    found = ((name, "" if kind is None else kind.name.lower().replace("_", " ")) for name, kind in steps(typed.word))
    return offer(found, Directive.NO_FILES | Directive.NO_SPACE | Directive.KEEP_ORDER)


def _outputs(typed: Typed, _around: Surroundings) -> Offer:
    """Formats as long as one of them fits, else the files that can be written."""
    formats = [name for name in EXPORTS if name.startswith(typed.word)]
    if typed.verb == "check":
        return offer((name, "") for name in formats if name == Format.JSON.value)
    if formats:
        return offer((name, "on stdout") for name in formats)
    return offer(((each.value, "") for each in Format), Directive.FILE_SUFFIXES)


def _cgroups(typed: Typed, _around: Surroundings) -> Offer:
    """A path that is not absolute begins at the hierarchy."""
    relative = not typed.word.startswith((".", "/"))
    return offer([(str(_CGROUPS), "")] if relative else [], Directive.DIRECTORIES)


def _directories(_typed: Typed, _around: Surroundings) -> Offer:
    return Offer(directive=Directive.DIRECTORIES)


def _processes(_typed: Typed, around: Surroundings) -> Offer:
    return in_this_order(_running(around.proc))


def _running(proc: Path) -> Iterator[tuple[str, str]]:
    """The newest ones by number; the kernel's own, which have no command line, cannot be what is meant."""
    own = {os.getpid(), os.getppid()}
    try:
        pids = sorted((int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal()), reverse=True)
    except OSError:
        return
    commands = ((pid, " ".join(command_of(pid, proc))) for pid in pids if pid not in own)
    shown = ((str(pid), command) for pid, command in commands if command)
    for _, process in zip(range(_MAX_PROCESSES), shown, strict=False):
        yield process


def _commands(typed: Typed, around: Surroundings) -> Offer:
    """Behind `--` a program of the PATH; its arguments, and whatever is no program, are the shell's own business."""
    if typed.behind_dashes or not typed.word or "/" in typed.word:
        return Offer(directive=Directive.DEFAULT)
    found: set[str] = set()
    for directory in around.environ.get("PATH", "").split(os.pathsep):
        with suppress(OSError), os.scandir(directory or ".") as entries:
            found |= {entry.name for entry in entries if entry.name.startswith(typed.word) and _is_program(entry)}
    return offer(((name, "") for name in sorted(found)), Directive.DEFAULT)


def _is_program(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() and os.access(entry.path, os.X_OK)


def _targets(typed: Typed, around: Surroundings) -> Offer:
    """Pods, those that run first; deployments behind `deploy/`; in the first place the verbs, too."""
    from kubectl_podtrace.cluster.listed import ListedKind
    from kubectl_podtrace.cluster.target import TARGET_KINDS

    prefix, slash, beginning = typed.word.partition("/")
    if not slash:
        pods = _listed(ListedKind.POD, typed.word, typed, around)
        return in_this_order((*_described(pods), *_kinds(typed.word), *(_verbs() if typed.is_first_word else ())))
    kind = TARGET_KINDS.get(prefix.lower())
    if kind is None:
        return NOTHING
    listed = _listed(ListedKind.POD if kind == "pod" else ListedKind.DEPLOYMENT, beginning, typed, around)
    return in_this_order((f"{prefix}/{name}", said) for name, said in _described(listed))


def _kinds(word: str) -> Iterator[tuple[str, str]]:
    yield "deploy/", "one of a deployment's pods"
    if word:
        yield "pod/", "a pod, whatever its name"


def _verbs() -> Iterator[tuple[str, str]]:
    for verb, make_parser in VERBS.items():
        said = " ".join((make_parser().description or "").split())
        yield verb, _FIRST_CLAUSE.split(said, maxsplit=1)[0]


def _namespaces(typed: Typed, around: Surroundings) -> Offer:
    from kubectl_podtrace.cluster.listed import ListedKind

    return offer(_described(_listed(ListedKind.NAMESPACE, typed.word, typed, around)))


def _described(listed: Iterable[Listed]) -> list[tuple[str, str]]:
    ready_first = sorted(listed, key=lambda each: (each.status in _ENDED, each.status != "Running"))
    return [
        (each.name, ", ".join(part for part in (each.status, each.ready and f"{each.ready} ready", each.age) if part))
        for each in ready_first
    ]


def _listed(kind: ListedKind, beginning: str, typed: Typed, around: Surroundings) -> tuple[Listed, ...]:
    return (
        _ask(lambda cluster, namespace: cluster.list_names(kind, namespace, beginning=beginning), typed, around) or ()
    )


def _containers(typed: Typed, around: Surroundings) -> Offer:
    """Those of the pod that is typed already, or of a pod of the deployment; a pod's own ones before its init ones."""
    target = next(iter(typed.words), None)
    if target is None:
        return NOTHING

    def question(cluster: Cluster, namespace: str) -> list[tuple[str, str]]:
        from kubectl_podtrace.cluster.target import TargetSpec

        spec = TargetSpec.parse(target)
        if spec.kind == "pod":
            pod = cluster.get_pod(namespace, spec.name)
        else:
            selector = cluster.get_deployment_selector(namespace, spec.name)
            pod = next(iter(cluster.list_pods(namespace, selector)), None) if selector else None
        return [
            (container.name, container.image if container.kind == "app" else f"{container.kind}, {container.image}")
            for container in (pod.containers if pod else ())
        ]

    return in_this_order(_ask(question, typed, around) or ())


def _contexts(typed: Typed, around: Surroundings) -> Offer:
    from kubectl_podtrace.cluster.kubeconfig import contexts
    from kubectl_podtrace.errors import KubeconfigError

    try:
        found = contexts(_connection(typed, around), around.environ)
    except KubeconfigError:
        return NOTHING
    return offer((name, f"cluster {cluster}") for name, cluster in found.items())


def _connection(typed: Typed, around: Surroundings) -> ConnectionOptions:
    from kubectl_podtrace.cluster.kubeconfig import ConnectionOptions

    return ConnectionOptions(
        kubeconfig=typed.values.get("kubeconfig"),
        context=typed.values.get("context"),
        request_timeout_s=around.patience_s,
        as_user=typed.values.get("as_user"),
    )


def _ask(question: Callable[[Cluster, str], _Answer], typed: Typed, around: Surroundings) -> _Answer | None:
    """The cluster's answer about the typed namespace; None where there is none, whatever the reason, or none in time.

    In a thread: nothing else bounds a name server that does not answer, or a program that gets credentials.
    """
    from kubectl_podtrace.cluster.client import connect, prepare
    from kubectl_podtrace.cluster.preflight import Questions
    from kubectl_podtrace.cluster.target import check_namespace

    def answer() -> _Answer:
        cluster = connect(_connection(typed, around), around.environ)
        namespace = typed.values.get("namespace") or cluster.default_namespace
        check_namespace(namespace)
        return question(cluster, namespace)

    try:
        prepare()
        return Questions().ask(answer).result(timeout=around.patience_s)
    except Exception:  # noqa: BLE001  # a shell can show no reason, and who types on needs none
        return None


_BY_FLAG: Final[Mapping[str, Callable[[Typed, Surroundings], Offer]]] = {
    "namespace": _namespaces,
    "tracer_namespace": _namespaces,
    "container": _containers,
    "context": _contexts,
    "filter": _filters,
    "export": _exports,
    "output": _outputs,
    "fail_on": _conditions,
    "pid": _processes,
    "cgroup": _cgroups,
    "dir": _directories,
}
"""By the flag's `dest`; all others are offered what their parser declares."""
