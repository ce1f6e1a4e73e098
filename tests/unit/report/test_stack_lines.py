from __future__ import annotations

from kubectl_podtrace.analysis.stacks import Frame
from kubectl_podtrace.report.sections.stacks import path_text


def frame(symbol: str | None, offset: int = 0x40) -> Frame:
    return Frame(symbol=symbol, module="/srv/shop", offset=offset, source=None, build_id=None)


def test_a_path_has_the_innermost_functions_with_a_name() -> None:
    stack = [frame(name) for name in ("write", None, "journal", "work", "main", "_start")]
    assert path_text(stack) == "write, journal, work, main"
    assert path_text([frame(None), frame(None)]) == "shop+0x40"


def test_what_called_into_go_s_runtime_is_told_before_the_runtime() -> None:
    inner = ("runtime.futex", "runtime.futexwakeup", "runtime.notewakeup", "runtime.startm")
    fight = [frame(name) for name in (*inner, "sync.(*Mutex).Unlock", "main.work")]
    assert path_text(fight) == "sync.(*Mutex).Unlock, main.work"
    assert path_text([frame(name) for name in inner]) == ", ".join(inner)
