"""Statements through libpq and libmariadb: as many as the programs sent, and as the servers counted."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from kubectl_podtrace.wire import codec, records
from kubectl_podtrace.wire.query_records import ClientLibraries, ClientLibraryRow, Queries, QueryRow
from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import StartTracer
from tests.bpf.databases import Mariadb, Postgresql, Run, compiled, in_cgroup
from tests.bpf.harness import Tracer, ask
from tests.bpf.installed import needed, needed_file
from tests.bpf.stream import Counts, Stream

TOPICS = ("queries",)


@pytest.fixture
def trace(cgroup: Path, start_tracer: StartTracer, opened: ExitStack) -> Tracer:
    """A tracer whose target has a process already: its file system is where libraries are looked for."""
    waiting = Run(["sh", "-c", "echo ready; read line"], cgroup=cgroup)
    opened.callback(waiting.close)
    tracer: Tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=TOPICS))
    return tracer


def statements(stream: Stream) -> dict[str, tuple[int, int]]:
    """By text: how often, with how many errors."""
    latest = {(row.scope, row.key): row for record in stream.of(Queries) for row in record.rows}
    found: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for row in latest.values():
        found[row.statement] += row.count
        errors[row.statement] += row.errors
        check(row)
    return {text: (count, errors[text]) for text, count in found.items()}


def check(row: QueryRow) -> None:
    """What a statement says of its durations fits together."""
    assert sum(row.buckets[1::2]) == row.count, row
    assert row.max_ns <= row.sum_ns <= row.count * row.max_ns, row


def libraries(stream: Stream) -> list[ClientLibraryRow]:
    return list({row.path: row for record in stream.of(ClientLibraries) for row in record.rows}.values())


def assert_no_literal(stream: Stream) -> None:
    text = b"".join(codec.encode(line) for line in stream.lines)
    assert b"secret" not in text


def total(claims: dict[str, tuple[int, int]]) -> Counts:
    return Counts(count=sum(count for count, _ in claims.values()), errors=sum(errors for _, errors in claims.values()))


@pytest.fixture
def client_of_postgresql(cgroup: Path, postgresql: Postgresql, tmp_path: Path, opened: ExitStack) -> Run:
    program = compiled("postgresql", tmp_path, "-lpq")
    load = Run([str(program)], cgroup=cgroup, environment=postgresql.environment)
    opened.callback(load.close)
    return load


@pytest.fixture
def client_of_mariadb(cgroup: Path, mariadb: Mariadb, tmp_path: Path, opened: ExitStack) -> Run:
    load = Run([str(compiled("mariadb", tmp_path, "-lmariadb")), mariadb.socket], cgroup=cgroup)
    opened.callback(load.close)
    return load


@pytest.mark.parametrize(
    "wrapper",
    [(), ("env", "PODTRACE_SINGLE_PROBES=1"), ("env", "PODTRACE_READS=helper")],
    ids=["as this kernel can", "as those before 6.6", "as those before 6.2"],
)
def test_every_function_of_libpq_counts_what_the_program_sent(
    cgroup: Path, client_of_postgresql: Run, start_tracer: StartTracer, run: int, wrapper: tuple[str, ...]
) -> None:
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=TOPICS), wrapper=wrapper)
    claims = client_of_postgresql.release()
    stream = tracer.stop()
    stream.assert_whole()
    # One text both of a pipeline's firsts and of those of PQexec: the literals differ, and nothing else.
    claims["SELECT ?, ?"] = (claims["SELECT ?, ?"][0] + 2, 0)
    assert statements(stream) == claims
    counts = stream.counts()
    assert counts["queries.postgresql"] == total(claims)
    assert counts["queries.prepare"] == Counts(count=2)
    assert sum(stream.buckets("queries.postgresql").values()) == total(claims).count
    assert [(row.processes, row.reason) for row in libraries(stream) if row.processes] == [(1, "")]
    assert_no_literal(stream)


def test_every_function_of_libmariadb_counts_what_the_program_sent(
    cgroup: Path, client_of_mariadb: Run, start_tracer: StartTracer, run: int
) -> None:
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=TOPICS))
    claims = client_of_mariadb.release()
    stream = tracer.stop()
    stream.assert_whole()
    assert statements(stream) == claims
    assert stream.counts()["queries.mysql"] == total(claims)
    assert stream.counts()["queries.prepare"] == Counts(count=1)
    assert_no_literal(stream)


def test_a_program_that_return_probes_would_end_lives_through_a_trace_of_everything(
    cgroup: Path, mariadb: Mariadb, start_tracer: StartTracer, tmp_path: Path, opened: ExitStack
) -> None:
    program = compiled("mariadb_nonblocking", tmp_path, "-lmariadb")
    load = Run([str(program), mariadb.socket], cgroup=cgroup)
    opened.callback(load.close)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    assert load.release() == {}
    stream = tracer.stop()
    (absent,) = {probe for probe in stream.of(records.Probe) if probe.topic == "queries" and not probe.attached}
    assert "--filter db" in absent.reason


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench_and_its_server_count_the_same_statements(
    cgroup: Path, postgresql: Postgresql, trace: Tracer, mode: str
) -> None:
    pgbench, clients, transactions = needed("pgbench", "postgresql"), 3, 101
    subprocess.run([pgbench, "-i", "-q"], check=True, capture_output=True, env=postgresql.environment)
    postgresql.forget()
    load = [pgbench, "-n", "-M", mode, "-c", str(clients), "-j", "2", "-t", str(transactions)]
    in_cgroup(load, cgroup, postgresql.environment)
    stream = trace.stop()
    stream.assert_whole()
    done = clients * transactions
    found = statements(stream)
    by_table = {
        word: sum(count for text, (count, _) in found.items() if text.startswith(word))
        for word in (
            "UPDATE pgbench_accounts", "UPDATE pgbench_tellers", "UPDATE pgbench_branches", "SELECT abalance",
            "INSERT INTO pgbench_history", "BEGIN", "END",
        )
    }  # fmt: skip
    assert set(by_table.values()) == {done}
    calls = postgresql.calls()
    for text in ("SELECT abalance FROM pgbench_accounts WHERE aid = $1",):
        assert calls[text] == done
    assert len([text for text in found if text.startswith("UPDATE")]) == 3, found


def test_statements_of_others_do_not_count_and_those_of_python_do(
    cgroup: Path, servers: Path, postgresql: Postgresql, trace: Tracer
) -> None:
    needed_file("/usr/lib/python3/dist-packages/psycopg2", "python3-psycopg2")
    script = """
import psycopg2
connection = psycopg2.connect("")
cursor = connection.cursor()
for number in range(23):
    cursor.execute("select %s, %s", (-number, f"it's secret {number}"))
for number in range(1, 6):
    cursor.execute("select 1 where 1 in %s", (tuple(range(number)),))
try:
    cursor.execute("select 1 from nowhere")
except psycopg2.Error:
    connection.rollback()
"""
    command = ["/usr/bin/python3", "-c", script]
    in_cgroup(command, servers, postgresql.environment)
    in_cgroup(command, cgroup, postgresql.environment)
    stream = trace.stop()
    stream.assert_whole()
    assert statements(stream) == {
        "BEGIN": (1, 0), "select ?, ?": (23, 0), "select ? where ? in (?, ...)": (5, 0), "ROLLBACK": (1, 0),
        "select ? from nowhere": (1, 1),
    }  # fmt: skip
    assert_no_literal(stream)


def test_a_library_in_an_unusual_place_is_found_when_it_is_mapped(
    cgroup: Path, postgresql: Postgresql, trace: Tracer, tmp_path: Path, opened: ExitStack
) -> None:
    program = compiled("postgresql", tmp_path, "-lpq")
    linked = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout
    (original,) = [line.split()[2] for line in linked.splitlines() if "libpq.so" in line]
    copy = tmp_path / "libpq.so.5"
    shutil.copyfile(original, copy)
    environment = {**postgresql.environment, "LD_LIBRARY_PATH": str(tmp_path)}
    load = Run([str(program)], cgroup=cgroup, environment=environment)
    opened.callback(load.close)
    trace.wait_for(lambda record: isinstance(record, records.Probe) and record.name == f"uprobe:{copy}")
    claims = load.release()
    stream = trace.stop()
    stream.assert_whole()
    assert stream.counts()["queries.postgresql"].count == total(claims).count + 2


def test_a_library_that_is_none_of_this_machine_is_told_with_the_reason(
    cgroup: Path, start_tracer: StartTracer, tmp_path: Path, opened: ExitStack
) -> None:
    broken = tmp_path / "libpq.so.5"
    broken.write_bytes(b"\x7fELF\x01" + bytes(8_000))
    script = f"import mmap; f = open({str(broken)!r}); m = mmap.mmap(f.fileno(), 0, prot=1); print('ready', flush=True)"
    load = Run(["/usr/bin/python3", "-c", f"{script}; input()"], cgroup=cgroup)
    opened.callback(load.close)
    stream = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=TOPICS)).stop()
    (absent,) = {probe for probe in stream.of(records.Probe) if not probe.attached}
    assert (absent.name, absent.topic, absent.required) == (f"uprobe:{broken}", "queries", False)
    assert absent.reason


def test_where_no_library_was_in_sight_a_later_one_is_told_and_nothing_is_counted(
    cgroup: Path, start_tracer: StartTracer, tmp_path: Path, opened: ExitStack
) -> None:
    root, source = tmp_path / "root", tmp_path / "waiting.c"
    root.mkdir()
    source.write_text('#include <stdio.h>\nint main(void) { puts("ready"); fflush(stdout); return getchar(); }\n')
    subprocess.run([needed("gcc", "gcc"), "-static", "-o", str(root / "waiting"), str(source)], check=True)
    waiting = Run(["chroot", str(root), "/waiting"], cgroup=cgroup)
    opened.callback(waiting.close)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("queries", "processes")))
    script = "import ctypes; ctypes.CDLL('libpq.so.5'); print('ready', flush=True); input()"
    late = Run(["/usr/bin/python3", "-c", script], cgroup=cgroup)
    opened.callback(late.close)
    tracer.wait_for(lambda record: isinstance(record, records.Probe) and "libpq" in record.name)
    stream = tracer.stop()
    (told,) = {probe for probe in stream.of(records.Probe) if not probe.attached}
    assert (told.topic, told.required) == ("queries", False)
    assert told.reason.startswith("it came while the trace was under way")
    assert statements(stream) == {}
