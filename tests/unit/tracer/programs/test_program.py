from __future__ import annotations

import itertools
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import podtrace_tracer
from kubectl_podtrace.wire import histogram
from kubectl_podtrace.wire.request import PodTarget, TraceRequest
from kubectl_podtrace.wire.topics import EVERY_TOPIC, FILTERS, OPERATIONS, TOPICS
from podtrace_tracer.collectors.registry import COLLECTORS
from podtrace_tracer.kernel.btf import Btf
from podtrace_tracer.programs import kernel_functions
from podtrace_tracer.programs.program import (
    MODES,
    ORDERED_OPERATIONS,
    TIMED,
    ScopeMatch,
    compiler_flags,
    copies_of,
    defines,
    late_constants,
    operation_index,
    probes_of,
    source_text,
    wanted_structs,
)
from tests.unit.tracer.btf_blob import BtfBlob

FUNCTIONS = (kernel_functions.CAST, *kernel_functions.KEEPING_CPU)

HERE = Path(podtrace_tracer.__file__).parent
C_FILES = {str(path.relative_to(HERE)): path for path in (*HERE.glob("*/*.bpf.c"), *HERE.glob("*/*.bpf.h"))}
SELECTIONS = [
    tuple(topic for topic in TOPICS if topic in chosen)
    for size in (1, 2, len(TOPICS) - 1, len(TOPICS))
    for chosen in itertools.combinations(TOPICS, size)
]
"""Each topic alone, each two together, all but each, and all."""
BASE_PROBES = {
    "sched_process_fork", "sched_process_exec", "sched_process_exit", "cgroup_attach_task",
}  # fmt: skip
SYSTEM_CALL_PROBES = {"sys_enter", "sys_exit"}
CPU_PROBES = {"sched_switch", "sched_wakeup", "cpu_clock"}
LOCK_PROBES = {"sched_waking"}
SWITCHES = {"cpu", "locks"}
"""The topics that look at threads that leave their CPU, and at the end of system calls."""
URING_PROBES = {"io_uring_submit_req", "io_uring_submit_sqe"}
TCP_PROBES = {
    "inet_sock_set_state", "tcp_destroy_sock", "tcp_retransmit_skb", "tcp_send_reset", "tcp_receive_reset",
}  # fmt: skip


UDP_PROBES = {"udp_fail_queue_rcv_skb"}
VICTIMS = {"mark_victim"}


@cache
def kernel(*, retransmit_arguments: int = 2, without: str = "") -> Btf:
    """A kernel that has the tracepoints, but perhaps one."""
    blob = BtfBlob()
    number = blob.integer("int", 4)
    arguments = {"tcp_retransmit_skb": retransmit_arguments, "sched_switch": retransmit_arguments + 1}
    arguments["mark_victim"] = retransmit_arguments - 1
    every = BASE_PROBES | SYSTEM_CALL_PROBES | TCP_PROBES | UDP_PROBES | VICTIMS | LOCK_PROBES
    every |= CPU_PROBES - {"cpu_clock"}
    for name in sorted(every - {without}):
        blob.tracepoint(name, [number] * arguments.get(name, 2))
    request = blob.pointer(blob.struct("io_kiocb", 64, []))
    blob.tracepoint("io_uring_submit_req", [request])
    return Btf.parse(blob.to_bytes())


def request(*topics: str) -> TraceRequest:
    return TraceRequest(target=PodTarget(uid="u"), topics=topics)


def files_of(topics: tuple[str, ...]) -> list[str]:
    return re.findall(r'^#line 1 "(.*)"$', source_text(topics), re.MULTILINE)


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def constants_used(text: str) -> set[str]:
    """Words in capitals that the C text neither defines itself nor has from bcc or the kernel's headers."""
    code = re.sub(r'"[^"\n]*"', "", without_comments(text))
    words = set(re.findall(r"\b(?!(?:BPF|HAVE)_)[A-Z][A-Z0-9_]{2,}\b", code))
    own = set(re.findall(r"^\s*#define (\w+)", code, re.MULTILINE))
    own |= {name for body in re.findall(r"\benum \w* ?\{([^}]*)\}", code) for name in re.findall(r"\w+", body)}
    optional = set(re.findall(r"^\s*#(?:el)?if.*$", code, re.MULTILINE))
    tested = {word for line in optional for word in re.findall(r"\b[A-Z][A-Z0-9_]{2,}\b", line)}
    return (
        words
        - own
        - {word for word in tested if word.startswith(("TOPIC_", "PROBE_", "IO_URING_"))}
        - {"PROBE", "READ", "READ_POINTER", "BTF_ID"}
    )


def test_every_constant_of_the_c_text_has_a_value() -> None:
    values = defines(request(*TOPICS), ScopeMatch(mode="helper", root_id=5, level=2), kernel(retransmit_arguments=3))
    walk = ScopeMatch(mode="walk", subsystem=3)
    values |= defines(request(*TOPICS), walk, kernel(), functions=FUNCTIONS, by_events=True, task_registers=True)
    assert constants_used(source_text(TOPICS)) - set(values) == set()


def test_every_constant_that_is_handed_over_is_used() -> None:
    match = ScopeMatch(mode="walk", level=1, subsystem=3)
    values = set(defines(request(*TOPICS), match, kernel(retransmit_arguments=3), functions=FUNCTIONS, by_events=True))
    text = "".join(path.read_text() for path in C_FILES.values())
    # Operations, classes and states are tables of which each name may be handed over, needed or not.
    unused = {name for name in values if not re.search(rf"\b{name}\b", text)}
    every = BASE_PROBES | SYSTEM_CALL_PROBES | TCP_PROBES | UDP_PROBES | URING_PROBES | CPU_PROBES | LOCK_PROBES
    unused -= {f"PROBE_{name.upper()}" for name in every}
    assert {name for name in unused if not name.startswith(("OP_", "CLASS_", "SHAPE_", "TOPIC_"))} == set()


WITHOUT_CALLS = SWITCHES | {"memory", "queries"}
"""Topics that need no system calls."""


@pytest.mark.parametrize("topics", SELECTIONS, ids="-".join)
def test_each_file_stands_in_the_text_once_and_the_life_of_sockets_behind_what_it_calls(
    topics: tuple[str, ...],
) -> None:
    names = files_of(topics)
    assert len(names) == len(set(names))
    last = "syscalls" if set(topics) - WITHOUT_CALLS else "wait_ends" if set(topics) & SWITCHES else "processes"
    assert names[-1] == f"collectors/{last}.bpf.c"
    places = {name: place for place, name in enumerate(names)}
    for topic in ("tcp", "connections"):
        assert (f"collectors/{topic}.bpf.c" in places) == (topic in topics)
        if topic in topics:
            assert places["include/sockets.bpf.h"] < places[f"collectors/{topic}.bpf.c"]
            assert places[f"collectors/{topic}.bpf.c"] < places["collectors/sockets.bpf.c"]
    for topic in ("files", "locks"):
        assert (f"collectors/{topic}.bpf.c" in places) == (topic in topics)
    assert ("collectors/cpu.bpf.c" in places) == bool(set(topics) & SWITCHES)


def test_all_c_files_are_part_of_some_program() -> None:
    assert {*files_of(TOPICS), *files_of(("cpu",))} == set(C_FILES)


@pytest.mark.parametrize("topics", SELECTIONS, ids="-".join)
def test_only_what_is_asked_for_is_attached(topics: tuple[str, ...]) -> None:
    probes = set(probes_of(topics))
    wanted = set(BASE_PROBES)
    if "connections" in topics:
        wanted |= {"inet_sock_set_state", "tcp_destroy_sock"}
    if "tcp" in topics:
        wanted |= TCP_PROBES
    if set(topics) - WITHOUT_CALLS:
        wanted |= SYSTEM_CALL_PROBES
    if set(topics) & SWITCHES:
        wanted |= CPU_PROBES | {"sys_exit"}
    if "locks" in topics:
        wanted |= LOCK_PROBES
    if set(topics) - {"processes"} - WITHOUT_CALLS:
        wanted |= URING_PROBES
    if "udp" in topics:
        wanted |= UDP_PROBES
    if {"processes", "memory"} & set(topics):
        wanted |= VICTIMS
    assert probes == wanted


@pytest.mark.parametrize("topics", [*FILTERS.values(), TOPICS])
def test_every_probe_has_its_program_in_the_text_under_the_same_condition(topics: tuple[str, ...]) -> None:
    text = source_text(topics)
    for tracepoint, (probe, _) in probes_of(topics).items():
        assert f"PROBE({tracepoint})" in text
        if not probe.required and probe.kind == "raw_tracepoint":
            assert probe.define in text
        assert probe.costs


def test_system_calls_are_attached_last_their_ends_first() -> None:
    for topics in SELECTIONS:
        if set(topics) - WITHOUT_CALLS:
            assert list(probes_of(topics))[-2:] == ["sys_exit", "sys_enter"]


def test_what_a_probe_misses_touches_its_topic_or_all_of_them_where_it_has_several() -> None:
    assert probes_of(("tcp", "connections"))["inet_sock_set_state"][1] == EVERY_TOPIC
    assert probes_of(("connections",))["inet_sock_set_state"][1] == "connections"
    assert {topic for _, topic in probes_of(("files",)).values()} == {"files", EVERY_TOPIC}


def test_the_book_of_processes_the_ends_of_system_calls_and_what_topics_share_are_everybody_s() -> None:
    found = {name for name, (_, topic) in probes_of(TOPICS).items() if topic == EVERY_TOPIC}
    assert found == {
        "sched_process_fork", "sched_process_exec", "sched_process_exit", "cgroup_attach_task", "sys_enter", "sys_exit",
        "mark_victim", "inet_sock_set_state", "tcp_destroy_sock", "io_uring_submit_req", "io_uring_submit_sqe",
    }  # fmt: skip


def test_the_programs_of_sockets_have_a_copy_with_a_constant_of_its_own() -> None:
    first, second = copies_of(("tcp",))["tcp_destroy_sock"]
    assert list(first) == list(second) == [next(iter(late_constants({"SOCKET_COPY": 0})))]
    assert (*first.values(), *second.values()) == (0, 1)
    assert copies_of(("connections",)).keys() == {"inet_sock_set_state", "tcp_destroy_sock"}
    assert copies_of(("files", "cpu")) == {}


def test_what_a_kernel_has_decides_what_is_compiled() -> None:
    values = defines(request(*TOPICS), ScopeMatch(mode="walk"), kernel(without="tcp_send_reset"))
    assert "PROBE_TCP_SEND_RESET" not in values
    assert values["PROBE_TCP_RECEIVE_RESET"] == 1
    assert "RETRANSMIT_HAS_RESULT" not in values
    assert (
        defines(request("tcp"), ScopeMatch(mode="walk"), kernel(retransmit_arguments=3))["RETRANSMIT_HAS_RESULT"] == 1
    )


def test_the_request_s_numbers_become_constants() -> None:
    asked = replace(request("files"), fs_threshold_ns=7, rtt_threshold_ns=8, events_per_s=9)
    values = defines(asked, ScopeMatch(mode="processes", pid_namespace=4026531836), kernel())
    assert (values["FS_THRESHOLD_NS"], values["RTT_THRESHOLD_NS"], values["EVENTS_PER_S"]) == (7, 8, 9)
    assert {name for name in values if name.startswith("TOPIC_")} == {"TOPIC_FILES"}
    assert values["SCOPE_MODE"] == MODES["processes"]
    assert values["TRACER_PID_NAMESPACE"] == 4026531836


def test_how_the_target_is_matched_becomes_constants() -> None:
    known = defines(request("files"), ScopeMatch(mode="helper", root_id=77, level=3, per_child=True), kernel())
    assert (known["SCOPE_ROOT_ID"], known["SCOPE_LEVEL"], known["SCOPE_PER_CHILD"]) == (77, 3, 1)
    assert "SCOPE_SUBSYSTEM" not in known
    unknown = defines(request("files"), ScopeMatch(mode="walk", root_id=77, subsystem=0), kernel())
    assert "SCOPE_LEVEL" not in unknown
    assert unknown["SCOPE_SUBSYSTEM"] == 0


def test_the_histogram_s_constants_are_the_wire_s() -> None:
    values = defines(request("files"), ScopeMatch(mode="walk"), kernel())
    assert values["HISTOGRAM_BUCKETS"] == histogram.BUCKETS
    assert values["HISTOGRAM_FIRST_EXPONENT"] == histogram.FIRST_EXPONENT
    assert values["HISTOGRAM_LAST_EXPONENT"] == histogram.LAST_EXPONENT
    assert values["HISTOGRAM_SUB_BITS"] == histogram.SUB_BITS


def test_timed_operations_come_first_and_none_is_lost() -> None:
    assert set(ORDERED_OPERATIONS) == set(OPERATIONS)
    assert [operation.timed for operation in ORDERED_OPERATIONS] == [True] * TIMED + [False] * (len(OPERATIONS) - TIMED)
    names = [operation.full_name for operation in ORDERED_OPERATIONS]
    assert [operation_index(name) for name in names] == list(range(len(names)))


def test_the_tcp_states_stand_in_a_row_as_the_kernel_numbers_them() -> None:
    first = operation_index("tcp.state_established")
    assert operation_index("tcp.state_close") == first + 7 - 1
    assert operation_index("tcp.state_new_syn_recv") == first + 12 - 1


def test_constants_beyond_an_int_are_marked_for_the_compiler() -> None:
    flags = compiler_flags({"SMALL": 2**31 - 1, "BIG": 2**31, "ZERO": 0})
    assert flags == ["-DSMALL=2147483647", "-DBIG=2147483648ULL", "-DZERO=0"]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_each_machine_s_registers_are_asked_for_and_each_topic_s_structs(machine: str) -> None:
    everything = wanted_structs(TOPICS, machine)
    assert {"task_struct", "tcp_sock", "dentry", "mount"} <= everything.keys()
    assert ("orig_ax" in everything["pt_regs"]) == (machine == "x86_64")
    assert {"dentry", "tcp_sock"}.isdisjoint(wanted_structs(("processes",), machine))


def test_a_collector_is_known_by_the_name_of_its_topic_and_of_its_module() -> None:
    assert set(COLLECTORS) == set(TOPICS)
    for topic, collector in COLLECTORS.items():
        assert collector.topic == topic
        assert (HERE / f"collectors/{topic}.py").exists()
