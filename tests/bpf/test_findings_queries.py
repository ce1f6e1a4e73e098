"""Findings about database statements, with real servers: what fails and what takes long has its own finding alone."""

from __future__ import annotations

import subprocess

import pytest

from tests.bpf.databases import Mariadb, Postgresql
from tests.bpf.diagnosis import FIRST, HERE, PYTHON, Diagnose, found, only, well_here
from tests.bpf.installed import needed

STATEMENTS = (PYTHON, str(HERE / "workloads/statements.py"))
FAILING = ("select 1 from nowhere", "7", "fails", "select 1", "13", "works")
SELDOM_FAILING = ("select 1 from nowhere", "7", "fails", "select 1", "101", "works")
SLOW = ("select {sleep}(1.2)", "3", "works", "select 1", "101", "works")


@pytest.fixture(params=["postgresql", "mariadb"])
def through(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What sends the statements that follow."""
    return (*STATEMENTS, str(request.param), place_of(request.getfixturevalue(request.param)))


def place_of(server: Postgresql | Mariadb) -> str:
    """What the client library finds the server by."""
    match server:
        case Postgresql():
            return f"host={server.directory} port={server.port} user=postgres dbname=postgres"
        case Mariadb():
            return server.socket


def flags_of(through: tuple[str, ...]) -> tuple[str, ...]:
    """libmariadb is left alone where nobody asks for it."""
    return ("--filter", "db") if "mariadb" in through else ()


def test_statements_that_fail(diagnose: Diagnose, through: tuple[str, ...]) -> None:
    finding = only(diagnose(*through, *FAILING, flags=flags_of(through)), "query-errors")
    assert finding["evidence"] == "7 of 20 (35.0 %) failed, threshold 10 %, most of select ? from nowhere"
    assert finding["severity"] == "warning"


def test_statements_that_seldom_fail_are_no_finding(diagnose: Diagnose, through: tuple[str, ...]) -> None:
    report = diagnose(*through, *SELDOM_FAILING, flags=flags_of(through))
    assert sum(query["errors"] for query in report["queries"]) == 7
    assert found(report) == []


def test_statements_that_take_long(diagnose: Diagnose, through: tuple[str, ...]) -> None:
    sleep = "sleep" if "mariadb" in through else "pg_sleep"
    orders = (word.format(sleep=sleep) for word in SLOW)
    report = diagnose(*through, *orders, flags=flags_of(through))
    finding = only(report, "queries-slow")
    assert finding["evidence"].startswith(f"select {sleep}(?) took p50 ")
    assert finding["evidence"].endswith(" in 3 executions")
    (slow,) = (query for query in report["queries"] if query["statement"] == f"select {sleep}(?)")
    assert slow["latency"]["max_ns"] >= 1_200_000_000


@well_here
def test_a_database_under_load_has_no_findings(diagnose: Diagnose, postgresql: Postgresql) -> None:
    pgbench = needed("pgbench", "postgresql")
    subprocess.run([pgbench, "-i", "-q"], check=True, capture_output=True, env=postgresql.environment)
    found_by = (f"{name}={value}" for name, value in postgresql.environment.items())
    report = diagnose(*FIRST, "env", *found_by, pgbench, "-n", "-c", "3", "-j", "2", "-t", "101")
    assert found(report) == []
    assert {"query-errors", "queries-slow"} <= set(report["looked_for"])
