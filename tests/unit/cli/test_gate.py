from __future__ import annotations

import io
from pathlib import Path

import pytest

from kubectl_podtrace.cli.gate import exit_code, parse_gate, tell
from kubectl_podtrace.errors import GateFailedError, UsageError
from kubectl_podtrace.report.gate.conditions import Condition
from kubectl_podtrace.report.model import Gate, GateCondition
from kubectl_podtrace.wire.topics import TOPICS


def parsed(*given: str) -> tuple[Condition, ...]:
    return parse_gate(given, topics=TOPICS, in_cluster=True)


def refusal(*given: str) -> str:
    with pytest.raises(UsageError) as caught:
        parsed(*given)
    return caught.value.message


def condition(result: str) -> GateCondition:
    return GateCondition(
        condition="dns.lookups > 5", path="dns.lookups", operator=">", threshold=5, found=7, unit="count",
        result="failed" if result == "failed" else "not_judged" if result == "not judged" else "passed",
        reason="\x1b[2J" if result == "not judged" else "", caveats=(),
    )  # fmt: skip


def gate(*results: str) -> Gate:
    return Gate(
        passed=set(results) == {"passed"},
        failed=results.count("failed"),
        not_judged=results.count("not judged"),
        conditions=tuple(condition(result) for result in results),
    )


def test_conditions_come_from_flags_and_files_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "gate.txt"
    path.write_text("# before a release\n\n  dns.latency.p99 > 50ms   # of the resolver\n\tdns.errors>0\n\n")
    found = parsed("trust.lost > 0", f"@{path}", "dns.lookups < 5")
    assert [each.text for each in found] == [
        "trust.lost > 0",
        "dns.latency.p99 > 50ms",
        "dns.errors > 0",
        "dns.lookups < 5",
    ]


def test_a_mistake_in_a_file_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "gate.txt"
    path.write_text("# one\n\ndns.lookups > 5\ndns.lokups > 5\n")
    assert refusal(f"@{path}") == f'{path}, line 4: "dns.lokups > 5": there is no "lokups" in dns'
    assert refusal("dns.lokups > 5") == '--fail-on "dns.lokups > 5": there is no "lokups" in dns'


def test_a_file_may_come_from_another_system(tmp_path: Path) -> None:
    path = tmp_path / "gate.txt"
    path.write_bytes(b"\xef\xbb\xbfdns.lookups > 5\r\n\r\ndns.lokups > 5\r\n")
    assert refusal(f"@{path}").startswith(f'{path}, line 3: "dns.lokups > 5": ')


@pytest.mark.parametrize("text", ["", "\n\n", "# dns.lookups > 5\n"])
def test_a_file_without_a_condition_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "gate.txt"
    path.write_text(text)
    assert "such a gate would always pass" in refusal(f"@{path}")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert refusal(f"@{tmp_path}/none") == f"--fail-on cannot read {tmp_path}/none: No such file or directory"
    assert "Is a directory" in refusal(f"@{tmp_path}")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert "it is not UTF-8 text" in refusal(f"@{tmp_path}/binary")
    assert "cannot read a\0b" in refusal("@a\0b")


@pytest.mark.parametrize("code", [0, 7])
@pytest.mark.parametrize("passing", [None, gate("passed", "passed")])
def test_a_gate_that_passes_changes_no_exit_code(passing: Gate | None, code: int) -> None:
    out = io.StringIO()
    assert exit_code(passing, code, out) == code
    assert out.getvalue() == ""


@pytest.mark.parametrize("results", [("failed",), ("not judged", "passed")])
def test_a_gate_that_fails_is_an_error(results: tuple[str, ...]) -> None:
    with pytest.raises(GateFailedError) as caught:
        exit_code(gate(*results), 0, io.StringIO())
    assert (caught.value.exit_code, caught.value.slug) == (3, "gate")
    assert caught.value.message.startswith("the gate failed: ")


def test_neither_the_gate_nor_the_command_hides_the_other_s_failure() -> None:
    out = io.StringIO()
    assert exit_code(gate("failed", "passed"), 7, out) == 7
    assert out.getvalue() == "gate: failed: of 2 conditions 1 holds; the exit code stays 7\n"


def test_what_did_not_pass_is_told_a_line_each() -> None:
    out = io.StringIO()
    tell(gate("passed", "failed", "not judged"), out)
    assert out.getvalue() == (
        "gate: failed: dns.lookups > 5: found 7\ngate: not judged: dns.lookups > 5: found 7; \\x1b[2J\n"
    )
