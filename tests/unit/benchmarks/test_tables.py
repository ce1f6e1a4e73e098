from __future__ import annotations

from benchmarks.calls import PING_PONG
from benchmarks.page import TABLES
from benchmarks.programs import ProgramCost
from benchmarks.rounds import Rounds, Sample
from benchmarks.servers import NGINX
from benchmarks.tables import Fact, fact_rows, facts_of, program_rows, tables_of, text_of
from benchmarks.tracing import MODES, UNTRACED, Footprint
from kubectl_podtrace.wire.topics import FILTERS


def measured() -> Rounds:
    """Three rounds in which tracing, whatever its kind, costs a tenth."""
    rounds = Rounds(untraced=UNTRACED.name)
    for mode in MODES:
        factor = 1.0 if mode == UNTRACED else 1.1
        for number in range(3):
            rounds.add(PING_PONG, mode.name, Sample(cpu_ns=factor * 10_000))
            late = 1_500_000.0 if mode == UNTRACED else 1_500_000.0 * (number + 1)
            rounds.add(NGINX, mode.name, Sample(cpu_ns=factor * 20_000, per_s=7_000, p99_ns=late))
    return rounds


def test_every_load_stands_in_its_table_and_in_that_of_the_topics() -> None:
    found = tables_of(measured(), {}, [], [NGINX])
    assert list(found) == ["calls", "servers", "topics", "footprint"]
    costs = {NGINX: [ProgramCost(program="sys_exit", runs_per_operation=10, ns_per_run=200)]}
    assert list(tables_of(measured(), costs, [], [NGINX])) == [name for name in TABLES if name != "machine"]
    assert {row[0] for row in found["calls"][1:]} == {PING_PONG}
    assert {row[0] for row in found["servers"][1:]} == {NGINX}
    assert found["topics"][0] == ("load", *(mode.name for mode in MODES if mode != UNTRACED))
    assert [row[0] for row in found["topics"][1:]] == [PING_PONG, NGINX]
    assert {cell for row in found["topics"][1:] for cell in row[1:]} == {"1.10"}
    assert {f"`--filter {name}`" for name in FILTERS} <= set(found["topics"][0])


def test_a_call_s_row_holds_its_time_its_ratio_and_its_mark() -> None:
    rows = tables_of(measured(), {}, [], [NGINX])["calls"]
    assert rows[1] == (PING_PONG, "untraced", "10000", "1.00", "", "")
    assert (PING_PONG, "everything", "11000", "1.10", "1.10 to 1.10", "1.35") in rows
    assert (PING_PONG, "`--filter net`", "11000", "1.10", "1.10 to 1.10", "1.15") in rows


def test_a_server_s_percentile_is_shown_only_where_it_is_steady() -> None:
    rows = tables_of(measured(), {}, [], [NGINX])["servers"]
    assert rows[1] == (NGINX, "untraced", "20.00", "1.00", "", "", "7000", "1.00", "", "1.50")
    assert rows[2] == (NGINX, "everything", "22.00", "1.10", "1.10 to 1.10", "1.05", "7000", "1.00", "0.97", "-")


def test_what_was_not_measured_has_no_table() -> None:
    facts = [Fact(name="start", value=80, unit="ms", mark=150)]
    assert list(tables_of(Rounds(untraced=UNTRACED.name), {}, facts, [])) == ["footprint"]


def test_small_programs_are_shown_together_and_all_add_up() -> None:
    costs = [
        ProgramCost(program="sys_exit", runs_per_operation=4, ns_per_run=200),
        ProgramCost(program="sys_enter", runs_per_operation=4, ns_per_run=50),
        *(ProgramCost(program=f"rare_{n}", runs_per_operation=0.1, ns_per_run=n) for n in (60, 70)),
    ]
    assert program_rows({"load": costs})[1:] == [
        ("load", "`sys_exit`", "4.00", "200", "800", "79%"),
        ("load", "`sys_enter`", "4.00", "50", "200", "20%"),
        ("load", "others", "", "", "13", "1%"),
        ("load", "all", "", "", "1013", ""),
    ]


def test_a_fact_is_kept_up_to_its_mark() -> None:
    assert Fact(name="start", value=150, unit="ms", mark=150).is_kept
    assert not Fact(name="start", value=150.1, unit="ms", mark=150).is_kept
    assert Fact(name="cpu", value=99, unit="%").is_kept
    assert fact_rows([Fact(name="start", value=71.26, unit="ms", mark=150)])[1] == ("start", "71.3 ms", "150 ms")


def test_the_footprint_is_the_largest_of_all_rounds() -> None:
    footprint = Footprint(
        attached_rss=[40_000_000, 50_000_000], peak_rss=[140_000_000, 130_000_000], cpu_ratio=[0.01, 0.02],
        stream_bytes_per_s=[2048, 1024],
    )  # fmt: skip
    assert [fact.value for fact in facts_of(footprint)] == [2, 2, 50, 140]
    assert facts_of(Footprint()) == []


def test_a_table_is_aligned_for_a_terminal_and_marked_up_for_a_page() -> None:
    rows = [("load", "ns"), ("loop", "1234")]
    assert text_of(rows, markdown=False) == "load  ns\nloop  1234"
    assert text_of(rows, markdown=True) == "| load | ns |\n|---|---|\n| loop | 1234 |"
