"""The capabilities that a tracer pod has instead of being privileged: they are enough, and none is too many."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Collection
from pathlib import Path

import pytest

from kubectl_podtrace.cluster.tracer_pod import CAPABILITIES
from kubectl_podtrace.wire.records import Notice
from tests.bpf.conftest import TraceProgram
from tests.bpf.installed import needed
from tests.bpf.stack_stream import counts_by_chain, stacks_of
from tests.bpf.stream import SKIPPED, Stream, programs_are_preemptible
from tests.bpf.test_stacks import WRITES, compiled

TABLES_ARE_LOCKED = tuple(map(int, platform.release().split(".")[:2])) < (5, 11)
"""Here they count as locked memory, and more of that takes a capability, too."""
can_trace = pytest.mark.skipif(TABLES_ARE_LOCKED, reason="this kernel's tables take CAP_SYS_RESOURCE")


def limited_to(names: Collection[str]) -> tuple[str, ...]:
    """What a command stands behind so that it has these capabilities and no other."""
    return (
        needed("setpriv", "util-linux"),
        "--bounding-set",
        ",".join(["-all", *(f"+{each.lower()}" for each in names)]),
    )


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that only its owner may read, who is not root; it works as root, in a directory of its own."""
    own = tmp_path / "own"
    own.mkdir()
    made = compiled(own)
    shutil.chown(made, 1, 1)
    made.chmod(0o711)
    return made


def assert_all_counted(stream: Stream) -> None:
    """Every write is under a stack, with a name or without."""
    counted = sum(stack.row.count for stack in stacks_of(stream, "files.write"))
    if not programs_are_preemptible():
        stream.assert_whole()
        assert counted == sum(WRITES.values())
        return
    # The way around that takes more than these: what is missed is told, and nothing else is lost.
    heartbeat = stream.trailer.heartbeat
    lost = {row.source: row.count for row in heartbeat.lost + heartbeat.dropped if row.count}
    assert all(source.endswith(SKIPPED) for source in lost)
    assert 0 <= sum(WRITES.values()) - counted <= sum(lost.values())


@can_trace
def test_a_trace_with_these_capabilities_lacks_only_what_it_says(program: Path, trace_program: TraceProgram) -> None:
    stream = trace_program([str(program), str(program.parent / "journal")], wrapper=limited_to(CAPABILITIES))
    assert_all_counted(stream)
    counts = counts_by_chain(stacks_of(stream, "files.write"), *WRITES)
    assert counts == WRITES or programs_are_preemptible()
    assert {notice.slug for notice in stream.of(Notice)} == {"cost-not-measured"}


@pytest.mark.parametrize("lacking", ["BPF", "PERFMON"])
def test_without_this_there_is_no_trace(program: Path, trace_program: TraceProgram, lacking: str) -> None:
    with pytest.raises(AssertionError, match=f"the tracer does not have CAP_{lacking}"):
        trace_program(
            [str(program), str(program.parent / "journal")], wrapper=limited_to(set(CAPABILITIES) - {lacking})
        )


@pytest.mark.skipif(not TABLES_ARE_LOCKED, reason="this kernel's tables do not count as locked memory")
def test_an_older_kernel_s_tables_take_one_more_and_that_is_told(program: Path, trace_program: TraceProgram) -> None:
    with pytest.raises(AssertionError, match="CAP_SYS_RESOURCE"):
        trace_program([str(program), str(program.parent / "journal")], wrapper=limited_to(CAPABILITIES))


@can_trace
@pytest.mark.parametrize("lacking", ["SYS_PTRACE", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "SETUID", "SETGID"])
def test_without_this_functions_have_no_names(program: Path, trace_program: TraceProgram, lacking: str) -> None:
    stream = trace_program(
        [str(program), str(program.parent / "journal")], wrapper=limited_to(set(CAPABILITIES) - {lacking})
    )
    assert_all_counted(stream)
    stacks = stacks_of(stream, "files.write")
    assert stacks
    assert "journal" not in {symbol for stack in stacks for symbol in stack.symbols}
