from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from kubectl_podtrace.wire.topics import TOPICS
from tests.kernels.page import page
from tests.kernels.results import Area, read_all, read_area, take_in

REPORTS = {
    "tcp": """<testsuites><testsuite>
<testcase classname="tests.bpf.test_tcp" name="test_sends_are_counted"/>
<testcase classname="tests.bpf.test_tcp" name="test_resets_are_counted"><failure message="1 != 2"/></testcase>
</testsuite></testsuites>""",
    "scope": """<testsuites><testsuite>
<testcase classname="tests.bpf.test_scope" name="test_v1"><skipped message="no v1 | here"/></testcase>
<testcase classname="tests.bpf.test_scope" name="test_v2"><error message="boom"/></testcase>
<testcase classname="tests.bpf.test_scope" name="test_v3"><skipped type="pytest.xfail" message="a bug"/></testcase>
</testsuite></testsuites>""",
}


def survey(release: str, machine: str, *, attached: bool) -> str:
    reason = "" if attached else "this kernel does not have it"
    return json.dumps(
        {
            "release": release,
            "build": "#1 SMP Debian 5.10.262-1 (2026-01-01)" if release == "5.10.2-x" else "#1 SMP",
            "machine": machine,
            "bcc": "0.31.0",
            "scope": "helper",
            "reads": "plain loads",
            "preemptible": False,
            "probes": {"raw_tracepoint:sys_exit": {"attached": attached, "reason": reason, "costs": "all is lost"}},
            "topics": {topic: ["raw_tracepoint:sys_exit"] for topic in TOPICS},
        }
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What runs under three kernels left behind, one that found no tracer, and one that died."""
    for name, release, machine in (
        ("arm", "5.10.1-arm", "aarch64"),
        ("new", "6.12.3+deb", "x86_64"),
        ("old", "5.10.2-x", "x86_64"),
        ("ended", "", ""),
    ):
        folder = tmp_path / "run" / name
        folder.mkdir(parents=True)
        if release:
            (folder / "survey.json").write_text(survey(release, machine, attached=name == "new"))
        for area, report in REPORTS.items():
            (folder / f"tests-test_{area}.xml").write_text(report)
    (tmp_path / "run" / "died").mkdir()
    return tmp_path / "run"


@pytest.fixture
def results(tmp_path: Path, run: Path) -> Path:
    take_in(run, tmp_path / "results", "abc", ("arm", "new", "old", "ended", "died"))
    return tmp_path / "results"


def test_each_test_is_read_with_what_came_of_it() -> None:
    assert read_area(REPORTS["tcp"], "abc") == Area(tree="abc", passed=1, failed=("test_resets_are_counted",))
    assert read_area(REPORTS["scope"], "abc") == Area(
        tree="abc", failed=("test_v2",), skipped={"test_v1": "no v1 | here", "test_v3": "expected to fail: a bug"}
    )


def test_an_area_that_runs_again_takes_its_own_place_only(run: Path, results: Path) -> None:
    (run / "new" / "tests-test_scope.xml").unlink()
    take_in(run, results, "later", ("new",))
    areas = {kernel.name: {name: area.tree for name, area in kernel.areas.items()} for kernel in read_all(results)}
    assert areas["new"] == {"scope": "abc", "tcp": "later"}
    assert areas["old"] == {"scope": "abc", "tcp": "abc"}


def test_the_page_tells_of_each_kernel_its_tests_topics_and_probes(results: Path) -> None:
    text = page(read_all(results), Counter({"tcp": 2, "scope": 5, "cpu": 1}))
    assert "|  | 5.10.262 | 6.12.3 | 5.10.1 aarch64 |" in text
    assert f"| tcp |{' 1 passed, 1 failed (abc) |' * 3}\n" in text
    assert "| scope | 1 failed, 2 skipped, 2 not run (abc) |" in text
    assert "| cpu | 1 not run | 1 not run | 1 not run |" in text
    assert "did not start:\n\n* ended\n" in text
    assert "* tcp: resets are counted (5.10.262, 6.12.3, 5.10.1 aarch64)\n" in text
    assert "* scope: v1 (5.10.262, 6.12.3, 5.10.1 aarch64): no v1 | here\n" in text
    absent = "absent: this kernel does not have it"
    assert f"| raw_tracepoint:sys_exit | {absent} | attached | {absent} | all is lost |" in text
    assert f"| {TOPICS[0]} | 0 of 1 probes | all probes | 0 of 1 probes |" in text


def test_the_committed_page_is_that_of_the_committed_results(root: Path) -> None:
    """But for tests that have come since then, which have not run."""
    kernels = read_all(root / "tests/kernels/results")
    areas = {name for kernel in kernels for name in kernel.areas}
    told = re.sub(r"(, )?\d+ not run", "", (root / "docs/kernels.md").read_text())
    told = re.sub(r"^\| \w+ (\|  )+\|\n", "", told, flags=re.MULTILINE)
    assert told == page(kernels, Counter(dict.fromkeys(areas, 0)))
    topics = re.findall(r"^\| (\w+) \|", told.split("\n## Topics\n")[1].split("\n## ")[0], re.MULTILINE)
    assert set(topics[1:]) == set(TOPICS)
