"""Composes a picture and a view into the lines of one screen: never more than fit, whatever the terminal's size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.report.model import LiveReport, Target
from kubectl_podtrace.report.render.layout import Span, Spans, cells, lay_out
from kubectl_podtrace.report.sections import parts
from kubectl_podtrace.report.text import plain
from kubectl_podtrace.screen import panes
from kubectl_podtrace.screen.panes import Pane
from kubectl_podtrace.screen.picture import Picture
from kubectl_podtrace.screen.view import PAGES, View

SMALLEST: Final = (40, 8)
"""Columns and rows below which nothing useful can be shown."""
_ROOMY: Final = (90, 30)
"""Columns and rows from which on there is room for gaps."""
_TWO_COLUMNS: Final = 150
_GAP: Final = 2
_SHARE_OF_OPERATIONS: Final = 0.4
"""Of the overview's lines."""
_KEYS: Final = (
    ("q, Ctrl+C", "end the trace and print the report"),
    ("p, space", "hold the picture still; the trace goes on"),
    ("1 to 8, Tab", "another page"),
    ("Up, Down", "scroll, Page Up and Page Down further, Home back"),
    ("e", "events: slow and failed first, or every one that is sent singly"),
    ("t", "pages of topics: the latest window, or since the beginning"),
    ("?", "this list"),
)


def compose(picture: Picture, view: View, *, width: int, height: int, behind_s: float = 0.0) -> list[Spans]:
    """The lines, `height` at most, each `width` cells at most; `behind_s` is how old a picture is that is held."""
    if width < SMALLEST[0] or height < SMALLEST[1]:
        text = f"the terminal is too small: {width} by {height}; q ends the trace"
        return [cropped((Span(text=text),), width)][:height]
    head = [_header(picture, view, width, behind_s), _tabs(view, width)]
    notes = [(Span(text=f" note: {plain(text)}", role="partial"),) for text in picture.notes[-2:]]
    foot = [*notes, _footer(view)]
    room = height - len(head) - len(foot)
    body = _help() if view.helps else _body(picture, view, width, room)
    lines = [*head, *body[:room], *[()] * (room - len(body)), *foot]
    return [cropped(line, width) for line in lines]


def cropped(spans: Spans, width: int) -> Spans:
    """A line cut at a width in cells, the cut marked."""
    if sum(cells(span.text) for span in spans) <= width:
        return spans
    kept: list[Span] = []
    room = width - 1
    for span in spans:
        text = span.text
        while cells(text) > room:
            text = text[:-1] if cells(text) - room < 2 else text[: len(text) - max((cells(text) - room) // 2, 1)]
        kept.append(Span(text=text, role=span.role))
        room -= cells(text)
        if text != span.text or room <= 0:
            break
    return (*kept, Span(text="…"))


def _header(picture: Picture, view: View, width: int, behind_s: float) -> Spans:
    total = picture.live.total
    age = units.seconds(total.summary.duration_s)
    if picture.is_finishing:
        state = "ending, the report follows"
    elif view.is_paused:
        state = f"held still, {units.seconds(behind_s)} old" if behind_s >= 1 else "held still"
    else:
        state = f"live for {age}"
    losses, absences = _losses(picture.live)
    words = plain(", ".join((*(losses or ["nothing lost"]), *absences)))
    trust = Span(text=words, role="incomplete" if losses else "label")
    right = (Span(text=f"  {state}  "), trust, Span(text=" "))
    room = max(width - sum(cells(span.text) for span in right) - 1, SMALLEST[0] // 2)
    target = cropped((Span(text=plain(_target(total.target)), role="title"),), room)
    padding = " " * (room - sum(cells(span.text) for span in target))
    return (Span(text=" "), *target, Span(text=padding), *right)


def _target(target: Target) -> str:
    if target.pods:
        name = f"{target.namespace}/{', '.join(target.pods)}"
        return f"{name} ({', '.join(target.containers)})" if target.containers else name
    if target.command:
        return " ".join(target.command)
    return f"pid {target.pid}" if target.pid is not None else target.cgroup or "target"


def _losses(live: LiveReport) -> tuple[list[str], list[str]]:
    """What was lost, and what is not looked at."""
    trust = live.total.trust
    found = [
        f"{units.count(number)} {word}"
        for number, word in ((trust.lost, "lost"), (trust.dropped, "dropped"), (trust.missing_lines, "lines missing"))
        if number
    ]
    found.extend(f"{shed.lacks} shed" for shed in live.total.cost.shed)
    absent = sum(not probe.attached for probe in trust.probes)
    return found, [units.counted(absent, "probe absent", "probes absent")] if absent else []


def _tabs(view: View, width: int) -> Spans:
    gap = " " * (_GAP if width >= _ROOMY[0] else 1)
    spans: list[Span] = []
    for number, name in enumerate(PAGES, start=1):
        spans.append(Span(text=gap if spans else " "))
        spans.append(Span(text=f"{number} {name}", role="current" if name == view.page else "label"))
    return tuple(spans)


def _footer(view: View) -> Spans:
    events = "e slow first" if view.every_event else "e every event"
    of = "t latest window" if view.of_total else "t since start"
    topical = PAGES[view.page] and view.page != "findings"
    keys = [
        "q quit and report",
        "p go on" if view.is_paused else "p hold",
        "Tab page",
        *([of] if topical else [events]),
    ]
    return (Span(text=f" {'   '.join((*keys, '? keys'))}", role="label"),)


def _help() -> list[Spans]:
    column = max(len(keys) for keys, _ in _KEYS)
    return [(), *((Span(text=f"  {keys.ljust(column)}  ", role="title"), Span(text=text)) for keys, text in _KEYS)]


def _body(picture: Picture, view: View, width: int, room: int) -> list[Spans]:
    match view.page:
        case "overview":
            return _overview(picture, view, width, room)
        case "events":
            lines = list(panes.events(picture, view).lines)
        case _:
            live = picture.live
            of_window = PAGES[view.page] and not (view.of_total or view.page == "findings")
            sections = parts(live.window if of_window else live.total, PAGES[view.page])
            what = "the latest window" if of_window else "everything since the beginning"
            lines = [(Span(text=f" {what}", role="label"),)]
            for section in sections:
                lines.extend(((), *lay_out(section, width)))
    return _scrolled(lines, view.scroll, room)


def _scrolled(lines: list[Spans], scroll: int, room: int) -> list[Spans]:
    """The part of the lines that is scrolled to, the last page at most; what is left out is told."""
    first = min(scroll, max(len(lines) - room, 0))
    shown = lines[first : first + room]
    below = len(lines) - first - len(shown)
    if below > 0:
        shown[-1] = (Span(text=f" {units.counted(below + 1, 'more line')} below", role="label"),)
    return shown


def _overview(picture: Picture, view: View, width: int, room: int) -> list[Spans]:
    most = max(round((room - 2) * _SHARE_OF_OPERATIONS), 4)
    first = [panes.operations(picture, width, most=most), panes.findings(picture)]
    events = panes.events(picture, view)
    tops = [pane for pane in panes.tops(picture.live.window) if pane.lines]
    if width < _TWO_COLUMNS:
        busiest, others = tops[:1], tops[1:] if room >= _ROOMY[1] - 5 else []
        return _stacked([*first, *busiest, events, *others], room)
    upper = _stacked(first, room)
    lower = room - len(upper) - 1
    if lower < 2:
        return upper
    half = width // 2
    one, other = _stacked([events], lower), _stacked(tops, lower)
    return [*upper, (), *_beside(one, other, half)]


def _stacked(wanted: Sequence[Pane], room: int) -> list[Spans]:
    """Panes one below the other, an empty line between; the last ones are left out where there is no room for them.

    What each must have comes first, then what is good to read, then what there is.
    """
    chosen = [pane for pane in wanted if pane.lines]
    while len(chosen) > 1 and sum(pane.least for pane in chosen) > room:
        chosen.pop()
    sizes = [pane.least for pane in chosen]
    gap: list[Spans] = [()] if room >= _ROOMY[1] - 5 else []
    spare = max(room - sum(sizes) - len(gap) * (len(chosen) - 1), 0)
    for wishes in ([pane.wish for pane in chosen], [len(pane.lines) for pane in chosen]):
        for place, (pane, wish) in enumerate(zip(chosen, wishes, strict=True)):
            more = min(spare, max(min(wish, len(pane.lines)) - sizes[place], 0))
            sizes[place] += more
            spare -= more
    lines: list[Spans] = []
    for place, (pane, size) in enumerate(zip(chosen, sizes, strict=True)):
        lines.extend(gap if place else [])
        lines.extend(pane.lines[:size])
    return lines[:room]


def _beside(one: Sequence[Spans], other: Sequence[Spans], half: int) -> Iterable[Spans]:
    for place in range(max(len(one), len(other))):
        left = cropped(one[place], half - _GAP) if place < len(one) else ()
        used = sum(cells(span.text) for span in left)
        yield (*left, Span(text=" " * (half - used)), *(other[place] if place < len(other) else ()))
