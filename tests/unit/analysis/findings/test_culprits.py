"""Which function a finding names for the slow operations that it is about."""

from __future__ import annotations

from dataclasses import replace

from kubectl_podtrace.analysis.findings.culprits import culprit
from kubectl_podtrace.analysis.stacks import Frame, Stack
from kubectl_podtrace.units import MILLISECOND_NS
from tests.unit.analysis.findings import seen
from tests.unit.analysis.findings.seen import dist, file_op, only

LIBRARY = Frame(symbol="fsync", module="/lib/x86_64-linux-gnu/libc.so.6", offset=1, source=None, build_id=None)
NAMELESS = Frame(symbol=None, module="/srv/shop", offset=2, source=None, build_id=None)
FLUSH = Frame(symbol="store::flush()", module="/srv/shop", offset=3, source="store.cc:87", build_id=None)
MAIN = Frame(symbol="main", module="/srv/shop", offset=4, source=None, build_id=None)
STACK = Stack(
    operation="files.fsync", target="/data/orders.db", targets_vary=False, count=900, latency=dist(900),
    frames=(LIBRARY, NAMELESS, FLUSH, MAIN),
)  # fmt: skip


def test_the_innermost_function_with_a_name_outside_of_the_c_library_is_the_culprit() -> None:
    assert culprit((STACK,), "files.fsync") == "store::flush() (store.cc:87)"
    assert culprit((replace(STACK, frames=(LIBRARY, MAIN)),), "files.fsync") == "main (shop)"


def test_without_such_a_function_or_a_stack_nobody_is_blamed() -> None:
    assert culprit((replace(STACK, frames=(LIBRARY, NAMELESS)),), "files.fsync") is None
    assert culprit((replace(STACK, target="(other)"),), "files.fsync") is None
    assert culprit((STACK,), "files.write") is None
    assert culprit(None, "files.fsync") is None


def test_slow_fsyncs_are_told_with_who_called_for_most_of_them() -> None:
    less = replace(STACK, frames=(MAIN,))
    files = replace(seen.FILES, fsync=file_op(slow=900, each_ns=MILLISECOND_NS))
    assert only(seen.but(files=files, stacks=(STACK, less))).evidence.endswith(
        ", mostly from store::flush() (store.cc:87)"
    )
