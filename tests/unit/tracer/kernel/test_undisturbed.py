from __future__ import annotations

import os
import sys

import pytest

from podtrace_tracer.kernel.undisturbed import undisturbed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="real-time scheduling is asked for as on Linux")


def may_be_real_time() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def test_the_old_scheduling_comes_back_whether_the_call_succeeds_or_not() -> None:
    before = os.sched_getscheduler(0)
    with undisturbed():
        inside = os.sched_getscheduler(0)
    assert inside == (os.SCHED_FIFO if may_be_real_time() else before)
    assert os.sched_getscheduler(0) == before
    with pytest.raises(ZeroDivisionError), undisturbed():
        _ = 1 // 0
    assert os.sched_getscheduler(0) == before
