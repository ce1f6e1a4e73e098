"""Descriptors: how many came to be and ceased to be, by kind."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.analysis.selection import Selection


@dataclass(frozen=True, kw_only=True)
class DescriptorKind:
    """One kind. What ended with its process is not in `closed`; `growth` is null where it is not known."""

    opened: int
    closed: int
    ended_with_process: int
    growth: int | None


@dataclass(frozen=True, kw_only=True)
class DescriptorKinds:
    """The four kinds: what has a path is a file; what is neither file, socket nor pipe has no name."""

    file: DescriptorKind
    socket: DescriptorKind
    pipe: DescriptorKind
    other: DescriptorKind


@dataclass(frozen=True, kw_only=True)
class Descriptors:
    """The section `descriptors`. A tracer of an older version knows no kinds, and of opens the open family's only."""

    opened: int
    failed_opens: int
    closed: int
    ended_with_process: int
    by_kind: DescriptorKinds | None
    leaks: None = None


def descriptors(selection: Selection) -> Descriptors:
    """The section `descriptors` of the selected scopes."""
    opens, closes = selection.of("files.open"), selection.of("descriptors.close")
    kinds = DescriptorKinds(
        file=_kind(selection, "file"),
        socket=_kind(selection, "socket"),
        pipe=_kind(selection, "pipe"),
        other=_kind(selection, "other"),
    )
    every = (kinds.file, kinds.socket, kinds.pipe, kinds.other)
    opened = sum(kind.opened for kind in every)
    closed = sum(kind.closed for kind in every)
    by_kind = None if _is_older(selection, opened + closed) else kinds
    return Descriptors(
        opened=opened if by_kind else opens.count - opens.errors,
        failed_opens=opens.errors,
        closed=closed if by_kind else closes.count - closes.errors,
        ended_with_process=sum(kind.ended_with_process for kind in every),
        by_kind=by_kind,
    )


def _kind(selection: Selection, kind: str) -> DescriptorKind:
    return DescriptorKind(
        opened=selection.of(f"descriptors.opened_{kind}").count,
        closed=selection.of(f"descriptors.closed_{kind}").count,
        ended_with_process=selection.of(f"descriptors.ended_{kind}").count,
        growth=None,
    )


def _is_older(selection: Selection, by_kind: int) -> bool:
    """Was there an open or a close, and none of any kind? A first version's tracer counted so."""
    opens, closes = selection.of("files.open"), selection.of("descriptors.close")
    return not by_kind and (opens.count > opens.errors or closes.count > closes.errors)
