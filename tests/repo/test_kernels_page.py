from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from kubectl_podtrace.wire.topics import TOPICS
from tests.kernels.page import page, read_cases, read_kernels, read_silent

REPORT = """<testsuites><testsuite>
<testcase classname="tests.bpf.test_tcp" name="test_sends_are_counted"/>
<testcase classname="tests.bpf.test_tcp" name="test_resets_are_counted"><failure message="1 != 2"/></testcase>
<testcase classname="tests.bpf.test_scope" name="test_v1"><skipped message="no v1 | here"/></testcase>
<testcase classname="tests.bpf.test_scope" name="test_v2"><error message="boom"/></testcase>
</testsuite></testsuites>"""


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
def runs(tmp_path: Path) -> Path:
    """What runs under three kernels left behind, and one that found no tracer."""
    for name, release, machine in (
        ("arm", "5.10.1-arm", "aarch64"),
        ("new", "6.12.3+deb", "x86_64"),
        ("old", "5.10.2-x", "x86_64"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "survey.json").write_text(survey(release, machine, attached=name == "new"))
        (tmp_path / name / "tests-all.xml").write_text(REPORT)
    (tmp_path / "ended").mkdir()
    return tmp_path


def test_each_test_is_read_with_what_came_of_it() -> None:
    assert [(case.area, case.outcome, case.why) for case in read_cases(REPORT)] == [
        ("tcp", "passed", ""),
        ("tcp", "failed", ""),
        ("scope", "skipped", "no v1 | here"),
        ("scope", "failed", ""),
    ]


def test_kernels_that_ran_stand_oldest_first_and_other_machines_last(runs: Path) -> None:
    assert [kernel.name for kernel in read_kernels(runs)] == ["old", "new", "arm"]


def test_the_page_tells_of_each_kernel_its_tests_topics_and_probes(runs: Path) -> None:
    text = page(read_kernels(runs), Counter({"tcp": 2, "scope": 5, "cpu": 1}), read_silent(runs))
    assert "|  | 5.10.262 | 6.12.3 | 5.10.1 aarch64 |" in text
    assert "| tcp | 1 passed, 1 failed | 1 passed, 1 failed | 1 passed, 1 failed |" in text
    assert "| scope | 1 failed, 1 skipped, 3 not run |" in text
    assert "| cpu | 1 not run | 1 not run | 1 not run |" in text
    assert "did not start:\n\n* ended\n" in text
    assert "* tcp: resets are counted (5.10.262, 6.12.3, 5.10.1 aarch64)\n" in text
    assert "* scope: v1 (5.10.262, 6.12.3, 5.10.1 aarch64): no v1 | here\n" in text
    absent = "absent: this kernel does not have it"
    assert f"| raw_tracepoint:sys_exit | {absent} | attached | {absent} | all is lost |" in text
    assert f"| {TOPICS[0]} | 0 of 1 probes | all probes | 0 of 1 probes |" in text


def test_the_committed_page_is_the_scripts_and_knows_no_topic_that_does_not_exist(root: Path, runs: Path) -> None:
    def headings(text: str) -> list[str]:
        return re.findall(r"^## .*$", text, re.MULTILINE)

    committed = (root / "docs/kernels.md").read_text()
    assert headings(committed) == headings(page(read_kernels(runs), Counter()))
    topics = re.findall(r"^\| (\w+) \|", committed.split("\n## Topics\n")[1].split("\n## ")[0], re.MULTILINE)
    assert topics[0] == "topic"
    assert set(topics[1:]) <= set(TOPICS)
