"""What findings say: numbers, names, severities, next steps; what explains what; what weakens a conclusion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubectl_podtrace.analysis.findings.observations import CommandEnd, Observations
from kubectl_podtrace.analysis.findings.registry import diagnose
from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.pod_timeline import Incident
from kubectl_podtrace.analysis.processes import Exit
from kubectl_podtrace.analysis.stacks import Frame
from kubectl_podtrace.analysis.trust import Bypass, Loss, ProbeState
from kubectl_podtrace.units import MILLISECOND_NS, SECOND_NS
from tests.unit.analysis.findings import seen
from tests.unit.analysis.findings.seen import CALM, NOON, dist, ended, file_op, found, only, op


def test_failing_connections_are_told_with_peer_errno_and_threshold() -> None:
    target = replace(seen.SHOP, address="10.96.99.1", port=6379, name="cache.example.net", count=201, failed=201)
    errors = {"ECONNREFUSED": 201, "ETIMEDOUT": 8, "ABORTED": 1, "EPERM": 1}
    finding = only(seen.with_connections(total=2_010, failed=211, errors=errors, top_targets=(seen.SHOP, target)))
    assert (finding.severity, finding.title) == ("warning", "connections fail")
    assert finding.evidence == (
        "211 of 2,010 (10.5 %) failed, threshold 10 %: ECONNREFUSED 201, ETIMEDOUT 8, ABORTED 1, "
        "most to cache.example.net:6379 (10.96.99.1)"
    )
    assert finding.next_step == "nothing listens on cache.example.net:6379: check the service behind it"


def test_a_peer_whose_name_is_not_known_is_told_by_its_address() -> None:
    nameless = replace(seen.SHOP, name=None, failed=500)
    finding = only(seen.with_connections(failed=500, errors={"ECONNREFUSED": 500}, top_targets=(nameless,)))
    assert finding.evidence.endswith("ECONNREFUSED 500, most to 10.0.0.7:80")


@pytest.mark.parametrize(
    ("failed", "total", "severity"),
    [(500, 1_000, "critical"), (499, 1_000, "warning"), (9, 9, "warning"), (2, 2, "info"), (10, 10, "critical")],
)
def test_half_of_many_is_critical_and_one_or_two_are_information(failed: int, total: int, severity: str) -> None:
    assert only(seen.with_failures(failed, total=total)).severity == severity


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ("ECONNREFUSED", "nothing listens"),
        ("ETIMEDOUT", "NetworkPolicies"),
        ("EADDRNOTAVAIL", "reuse connections"),
        ("ABORTED", "timeout"),
        ("EPERM", "EPERM"),
    ],
)
def test_each_kind_of_failed_connection_has_its_own_next_step(error: str, word: str) -> None:
    assert word in only(seen.with_failures(500, error=error)).next_step


@pytest.mark.parametrize(
    ("observations", "title", "word"),
    [
        (seen.with_files(write=file_op(1_000, {"EACCES": 300})), "file writes fail", "user"),
        (seen.with_files(read=file_op(1_000, {"EIO": 300})), "file reads fail", "kernel log"),
        (seen.with_files(unlink=op(1_000, {"EBUSY": 300})), "unlinks fail", "EBUSY"),
        (seen.with_tcp(receive=op(1_000, {"ECONNRESET": 300})), "TCP receives fail", "closed"),
        (seen.with_udp(send=op(1_000, {"ECONNREFUSED": 300})), "UDP sends fail", "nothing listens"),
        (seen.with_files(write=file_op(1_000, {"EDQUOT": 3})), "no space is left", "quota"),
        (seen.with_files(fsync=file_op(1_000, {"EIO": 3})), "the storage fails", "dmesg"),
        (seen.with_codes(SERVFAIL=500), "DNS lookups fail", "forwards"),
        (seen.with_codes(REFUSED=500), "DNS lookups fail", "resolv.conf"),
        (seen.with_codes(FORMERR=500), "DNS lookups fail", "log"),
        (seen.with_dns(timeouts=500), "DNS lookups time out", "port 53"),
        (seen.with_leak(100), "descriptors leak", "unread responses"),
    ],
)
def test_each_error_has_its_own_next_step(observations: Observations, title: str, word: str) -> None:
    finding = only(observations)
    assert finding.title == title
    assert word in finding.next_step


def test_a_leak_names_the_function_that_opens_and_asks_who_is_to_close() -> None:
    dial = Frame(symbol="dial", module="/srv/worker", offset=16, source="worker.c:31", build_id=None)
    frames = (replace(dial, symbol="socket", module="/lib/libc.so.6"), dial, replace(dial, symbol="main"))
    finding = only(seen.with_leak(100, stack=frames, stack_open=60, followed_open=64))
    assert "; most opened by dial (worker.c:31): 60 of 64 looked at" in finding.evidence
    assert finding.next_step == "find who is to close what dial (worker.c:31) opens"


def test_opens_that_fail_are_told_with_the_path_that_fails_most() -> None:
    paths = tuple(replace(seen.FILES.top_opened[0], path=f"/etc/{number}", failed=number) for number in (3, 30, 4))
    finding = only(seen.with_files(open=op(100, {"EACCES": 37, "ENOENT": 5}), top_opened=paths))
    assert finding.evidence == "37 of 100 (37.0 %) failed, threshold 10 %: EACCES 37, most for /etc/30"


def test_lookups_without_an_answer_are_told_with_resolver_and_name() -> None:
    silent = replace(seen.RESOLVER, address="10.96.0.11", timeouts=30)
    names = (replace(seen.DNS.top_names[0], name="api.example", errors=30),)
    finding = only(seen.with_dns(timeouts=30, retransmits=60, resolvers=(seen.RESOLVER, silent), top_names=names))
    assert finding.evidence == (
        "30 of 1,000 (3.0 %) had no answer in 5 s, most by 10.96.0.11:53, most for api.example; 60 queries sent again"
    )
    assert only(seen.with_dns(timeouts=500)).severity == "critical"


def test_slow_fsyncs_are_told_with_their_file_and_the_time_that_they_took() -> None:
    files = (replace(seen.FILES.top_files[0], slow=30), replace(seen.FILES.top_files[0], path="(other)", slow=40))
    fsync = file_op(97, slow=30, each_ns=8 * MILLISECOND_NS, p95_ns=12 * MILLISECOND_NS)
    finding = only(seen.with_files(fsync=fsync, top_files=files))
    assert finding.evidence == (
        "30 of 97 (30.9 %) took longer than 10 ms: p99 12.0 ms, max 12.0 ms, 776 ms in all, "
        "most slow operations on /data/orders.db"
    )
    assert (finding.severity, "fsync" in finding.next_step) == ("warning", True)


@pytest.mark.parametrize(("count", "severity"), [(99, "warning"), (100, "critical")])
def test_slow_operations_are_critical_when_most_are_slow_and_they_take_a_tenth_of_the_time(
    count: int, severity: str
) -> None:
    assert only(seen.with_files(write=file_op(count, slow=count, each_ns=30 * MILLISECOND_NS))).severity == severity


def test_starved_and_throttled_threads_are_told_apart() -> None:
    starved = only(seen.with_cpu(waits=1_000, each_ns=20 * MILLISECOND_NS))
    assert starved.evidence == (
        "its threads waited 20.0 s for a CPU and ran 15.0 s; p99 of 1,000 waits: 20.0 ms, max 20.0 ms"
    )
    throttled = only(seen.with_throttling(throttled=150, total_ns=9 * SECOND_NS))
    assert (throttled.severity, "150 of 300 (50.0 %) periods, 9.00 s" in throttled.evidence) == ("critical", True)


@pytest.mark.parametrize(("seconds", "severity"), [(600.0, "critical"), (601.0, "warning"), (None, "warning")])
def test_a_leak_that_ends_soon_is_critical(seconds: float | None, severity: str) -> None:
    finding = only(seen.with_leak(100, seconds))
    assert finding.severity == severity
    assert finding.fact == "worker (pid 12) 100 sockets more"


@pytest.mark.parametrize(
    ("status", "severity", "how"),
    [
        (3, "warning", "exit code 3"),
        (-11, "critical", "signal SIGSEGV"),
        (-9, "critical", "SIGKILL"),
        (-15, "warning", "SIGTERM"),
    ],
)
def test_the_command_s_end_is_told_once(status: int, severity: str, how: str) -> None:
    own = Exit(comm="serve", code=max(status, 0), signal=max(-status, 0), count=1)
    finding = only(replace(seen.with_exits(own), command=CommandEnd(words=("serve", "a b"), status=status)))
    assert (finding.rule, finding.severity) == ("command-failed", severity)
    assert finding.evidence.startswith("serve 'a b' ended with ")
    assert how in finding.evidence


def test_a_command_too_long_to_show_is_visibly_cut() -> None:
    long = CommandEnd(words=("sh", "-c", "while sleep 1; do echo ready; done; " * 4), status=3)
    shown = "sh -c 'while sleep 1; do echo ready; done; while sleep 1; do echo ready; done..."
    assert only(replace(CALM, command=long)).evidence == f"{shown} ended with exit code 3"
    short = replace(long, words=("x" * 80,))
    assert only(replace(CALM, command=short)).evidence == f"{'x' * 80} ended with exit code 3"


def test_a_crash_beside_that_of_the_command_is_told() -> None:
    crashes = Exit(comm="worker", code=0, signal=11, count=2)
    ends = replace(seen.with_exits(crashes), command=CommandEnd(words=("serve",), status=-11))
    assert found(ends) == ["command-failed", "processes-crashed"]


def test_a_container_s_end_by_a_signal_is_no_crash_of_a_process_too() -> None:
    exits = (Exit(comm="shop", code=0, signal=11, count=1),)
    observations = seen.with_incidents(ended(139))
    sections = replace(observations.sections, processes=replace(seen.PROCESSES, exits=exits))
    assert found(replace(observations, sections=sections)) == ["container-failed"]


def test_what_was_killed_with_its_container_is_not_told_again() -> None:
    killed = replace(ended(137, kind="oom_kill", signal=9), killed={"worker": 2})
    exits = tuple(Exit(comm=name, code=0, signal=9, count=count) for name, count in (("shop", 1), ("worker", 2)))
    observations = seen.with_incidents(killed)
    sections = replace(observations.sections, processes=replace(seen.PROCESSES, exits=exits))
    assert found(replace(observations, sections=sections)) == ["container-oom-killed"]


def test_a_container_that_ends_in_several_ways_is_one_loop() -> None:
    incidents = (ended(137, kind="oom_kill"), ended(3))
    findings = diagnose(seen.with_incidents(*incidents)).findings
    assert [finding.rule for finding in findings] == ["container-oom-killed", "crash-loop"]
    assert "api 2 times, with exit 137, exit 3" in findings[1].evidence
    assert findings[1].next_step == "its last words: kubectl logs --previous -c api"


def test_what_fails_again_and_again_is_told_with_its_rhythm() -> None:
    finding = only(seen.with_loop())
    assert finding.evidence == "migrate 7 times with exit code 3, after 150 ms on average, every 2.00 s"
    assert "PATH" in only(seen.with_loop(code=127)).next_step


def test_a_stream_that_tells_of_waits_and_of_no_time_is_no_fight_for_a_lock() -> None:
    assert found(replace(seen.with_hotspot(), duration_s=0.0)) == []


def test_a_fight_for_a_lock_is_told_with_its_holder() -> None:
    finding = only(seen.with_hotspot())
    assert finding.evidence == (
        "1,000 waits of 4 threads for 0x7f00 in worker (pid 12), 9.00 s in all, max 50.0 ms, "
        "most ended by writer (thread 14)"
    )
    assert finding.severity == "warning"
    assert only(seen.with_hotspot(total_wait_ns=30 * SECOND_NS)).severity == "critical"
    assert "for queue_mutex in" in only(seen.with_hotspot(symbol="queue_mutex")).evidence


def test_memory_near_its_limit_is_told_with_its_container() -> None:
    finding = only(seen.with_memory(950 << 20, 1_000 << 20))
    assert finding.evidence == "api had a working set of 950 MiB of 1000 MiB (95.0 %); 7 pages read from disk"


def test_statements_are_told_in_short() -> None:
    long = replace(seen.QUERY, statement="SELECT " + "a, " * 100, count=500, errors=400)
    failing = only(seen.but(queries=(seen.QUERY, long)))
    shown = f"{long.statement[:57]}..."
    assert failing.evidence == f"400 of 1,500 (26.7 %) failed, threshold 10 %, most of {shown}"
    slow = replace(seen.QUERY, latency=dist(7, 2 * SECOND_NS))
    rest = replace(seen.QUERY, statement="(other)", count=9, errors=9, latency=dist(0))
    assert only(seen.but(queries=(seen.QUERY, slow, rest))).evidence == (
        "SELECT * FROM orders WHERE id = ? took p50 2.00 s, p95 2.00 s, max 2.00 s in 7 executions"
    )


def test_wasted_lookups_are_told_with_the_advice() -> None:
    finding = only(seen.with_waste(900, "options ndots:1"))
    assert finding.evidence == (
        "900 of 1,000 (90.0 %) lookups asked for names that do not exist for 100 useful answers, with ndots:5 and "
        "1 search domain"
    )
    assert (finding.severity, finding.next_step) == ("info", "options ndots:1")


def test_connections_for_one_request_are_told_with_what_their_handshakes_took() -> None:
    finding = only(seen.with_one_shots(500, 3 * SECOND_NS))
    assert finding.evidence == (
        "500 connections to api:443 carried one request each; their handshakes took 3.00 s in all (10.0 % of the time)"
    )
    assert finding.severity == "warning"


def test_a_command_that_was_killed_for_its_memory_is_told_as_such() -> None:
    killed = seen.with_oom_kills(1, Exit(comm="greedy", code=0, signal=9, count=1))
    finding = only(replace(killed, command=CommandEnd(words=("greedy",), status=-9)))
    assert (finding.rule, finding.evidence) == ("processes-oom-killed", "the kernel killed 1 process: greedy 1")


def test_ends_after_the_pod_s_deletion_were_asked_for() -> None:
    deletion = Incident(at=NOON, kind="deletion")
    assert found(seen.with_incidents(deletion, ended(143))) == []
    assert found(seen.with_incidents(replace(deletion, at=None), ended(143))) == []


@pytest.mark.parametrize(
    ("cause", "consequence"),
    [
        (seen.with_rtt(spikes=500), {"connections": replace(seen.CONNECTIONS, latency=dist(1_000, SECOND_NS))}),
        (seen.with_failures(500), {"tcp": replace(seen.TCP, retransmits=500)}),
        (
            seen.with_tcp(send=op(10, {"EPIPE": 10})),
            {"connections": replace(seen.CONNECTIONS, latency=dist(1))},
        ),
        (
            seen.with_throttling(throttled=150, total_ns=9 * SECOND_NS),
            {"cpu": replace(seen.with_cpu(waits=1_000, each_ns=20 * MILLISECOND_NS).sections.cpu or seen.CPU)},
        ),
    ],
)
def test_what_follows_from_another_trouble_is_not_told_twice(cause: Observations, consequence: dict[str, Any]) -> None:
    if "cpu" in consequence and cause.sections.cpu:
        consequence = {"cpu": replace(consequence["cpu"], throttling=cause.sections.cpu.throttling)}
    both = replace(cause, sections=replace(cause.sections, **consequence))
    assert found(both) == found(cause)


def test_the_most_severe_finding_comes_first() -> None:
    sections = replace(
        seen.with_failures(200).sections,
        tcp=replace(seen.TCP, receive=op(1_000, {"ECONNRESET": 900})),
        udp=replace(seen.UDP, send=op(1_000, {"ECONNREFUSED": 900})),
    )
    findings = diagnose(replace(CALM, sections=sections)).findings
    assert [finding.severity for finding in findings] == ["critical", "critical", "warning"]


def test_rules_whose_part_of_a_section_is_not_known_have_not_looked() -> None:
    sections = replace(seen.with_dns(search_waste=None).sections, connections=replace(seen.CONNECTIONS, one_shot=None))
    applied = {rule.slug for rule in diagnose(replace(CALM, sections=sections)).applied}
    assert {"connections-failed", "dns-errors"} <= applied
    assert not applied & {"connections-one-shot", "dns-search-waste"}


def test_rules_whose_sections_were_not_measured_have_not_looked() -> None:
    diagnosis = diagnose(seen.but(files=None, cpu=None))
    applied = {rule.slug for rule in diagnosis.applied}
    assert "connections-failed" in applied
    assert not applied & {"slow-files", "file-errors", "cpu-throttled"}


@pytest.mark.parametrize(
    ("tracepoint", "rule"),
    [
        ("tcp_retransmit_skb", "retransmits"),
        ("udp_fail_queue_rcv_skb", "udp-drops"),
        ("mark_victim", "processes-oom-killed"),
        ("sched_wakeup", "cpu-starved"),
    ],
)
def test_a_rule_without_its_tracepoint_has_not_looked(tracepoint: str, rule: str) -> None:
    probe = ProbeState(
        name=f"raw_tracepoint:{tracepoint}", topic="tcp", attached=False, required=False, costs="", reason=""
    )
    assert rule not in {each.slug for each in diagnose(seen.with_trust(probes=(probe,))).applied}
    attached = seen.with_trust(probes=(replace(probe, attached=True),))
    assert rule in {each.slug for each in diagnose(attached).applied}


@pytest.mark.parametrize(
    ("trust", "doubt"),
    [
        ({"lost_by": (Loss(source="full", topic="files", count=9),)}, "9 lost in the kernel"),
        ({"dropped_by": (Loss(source="pipe", topic="all", count=7),)}, "7 dropped by the tracer"),
        ({"truncated": True, "complete": False, "notes": ("cut",)}, "the trace was cut off"),
        (
            {"bypassed": (Bypass(operation="io_uring.name", what="fsyncs", topics=("files",), count=50),)},
            "50 operations through io_uring not counted",
        ),
    ],
)
def test_a_finding_says_what_its_numbers_lack(trust: dict[str, Any], doubt: str) -> None:
    observations = seen.with_files(fsync=file_op(slow=900, each_ns=MILLISECOND_NS))
    doubted = replace(observations, trust=replace(seen.TRUST, **trust))
    slow = next(finding for finding in diagnose(doubted).findings if finding.rule == "slow-files")
    assert slow.evidence.endswith(f" (incomplete: {doubt})")


def test_losses_of_other_topics_weaken_no_finding() -> None:
    loss = Loss(source="full", topic="dns", count=9)
    observations = seen.with_files(fsync=file_op(slow=900, each_ns=MILLISECOND_NS))
    assert "incomplete" not in only(replace(observations, trust=replace(seen.TRUST, lost_by=(loss,)))).evidence


def test_a_finding_on_numbers_that_stop_early_says_until_when() -> None:
    partial = (Partial(until=NOON, lacks="fsyncs are not counted"),)
    files = replace(seen.FILES, fsync=file_op(slow=900, each_ns=MILLISECOND_NS), partial=partial)
    assert only(seen.but(files=files)).evidence.endswith(" (incomplete: counted until 12:00:00 UTC only)")


@pytest.mark.parametrize(
    ("activity", "severity", "text", "step"),
    [
        ({"refusal": ("no BTF here", "use a newer kernel")}, "critical", "no BTF here", "use a newer kernel"),
        ({"refusal": ("no BTF here", "")}, "critical", "no BTF here", "see the text above"),
        ({"answered": False, "started": False}, "critical", "the tracer never answered", "-v"),
        ({"started": False}, "critical", "the stream ended before the probes were attached", "run again"),
        ({"seen": False}, "warning", "container api was not seen running", "kubectl"),
        ({"seen": False, "phase": "Failed"}, "warning", "was not seen running (the pod is Failed)", "kubectl"),
        ({"seen": False, "containers": (), "phase": "", "is_local": True}, "warning", "the target was not seen", "ps"),
        (
            {"seen": False, "is_alive": False, "phase": "Failed"},
            "warning",
            "api is not running (the pod is Fa",
            "kubectl",
        ),
        ({"seen": False, "is_alive": True}, "info", "container api did nothing that was traced", "send it traffic"),
        ({}, "info", "container api did nothing that was traced", "send it traffic"),
    ],
)
def test_a_trace_without_events_says_why(activity: dict[str, Any], severity: str, text: str, step: str) -> None:
    finding = only(seen.with_activity(**activity))
    assert (finding.rule, finding.severity) == ("no-events", severity)
    assert text in finding.evidence
    assert step in finding.next_step


def test_a_trace_that_was_cut_off_does_not_say_that_nothing_happened() -> None:
    cut = replace(seen.TRUST, truncated=True, complete=False, notes=("the stream ended without its trailer",))
    for is_alive, rules in ((None, []), (True, []), (False, ["no-events"])):
        observations = replace(seen.with_activity(seen=False, is_alive=is_alive), trust=cut)
        assert sorted(seen.found(observations)) == [*rules, "trace-incomplete"]


def test_an_incomplete_trace_says_why_and_what_to_do() -> None:
    lossy = only(seen.with_trust(lost=500, dropped=7))
    assert lossy.evidence == "500 events lost in the kernel, 7 dropped by the tracer"
    assert (lossy.severity, "--filter" in lossy.next_step) == ("warning", True)
    shed = only(seen.with_trust(complete=False, notes=("files: reads are not counted",)))
    assert (shed.severity, shed.evidence) == ("info", "files: reads are not counted")
