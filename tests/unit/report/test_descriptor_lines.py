from __future__ import annotations

from dataclasses import replace

from kubectl_podtrace.analysis.descriptors import FullTable
from kubectl_podtrace.report.sections.descriptors import leaks
from tests.unit.analysis.findings.seen import DESCRIPTORS

NOBODY = replace(DESCRIPTORS, leaks=(), fullest=(), ended_with_process=100)
SOMEBODY = FullTable(pid=1, node_pid=1, comm="api", open=7, limit=1024, share_ratio=7 / 1024)


def test_a_leak_of_who_has_gone_is_not_ruled_out() -> None:
    ((_, told),) = leaks(NOBODY)
    assert told.startswith("not told: no process was alive in the end")


def test_who_is_alive_and_does_not_leak_has_no_leak() -> None:
    assert leaks(replace(NOBODY, fullest=(SOMEBODY,))) == (("descriptor leaks", "none"),)
