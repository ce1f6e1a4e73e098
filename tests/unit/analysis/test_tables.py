"""The difference of two states, for the tables whose rows are more than a key and counters."""

from __future__ import annotations

from dataclasses import replace

from kubectl_podtrace.analysis.tables import State, Table, difference
from kubectl_podtrace.wire.dns_records import AddressNameRow, AddressNames, ResolverRow, Resolvers

RESOLVER = ResolverRow(
    scope=0, address="10.96.0.10", port=53, lookups=5, answers=4, timeouts=1, sum_ns=40, max_ns=20, buckets=(3, 1, 5, 3)
)
NAME = AddressNameRow(scope=0, address="10.0.0.7", name="db")


def resolvers(row: ResolverRow) -> State:
    return State(at_ns=0, tables={Resolvers: {(0, row.address, row.port): row}})


def test_a_difference_holds_the_part_of_a_rows_histogram_that_grew() -> None:
    later = replace(RESOLVER, lookups=8, answers=7, sum_ns=70, buckets=(3, 2, 5, 3, 9, 2))
    (change,) = difference(resolvers(later), resolvers(RESOLVER)).tables[Resolvers].values()
    assert (change.lookups, change.answers, change.timeouts, change.sum_ns) == (3, 3, 0, 30)
    assert change.buckets == (3, 1, 9, 2)


def test_a_difference_keeps_the_whole_histogram_of_a_new_row() -> None:
    (change,) = difference(resolvers(RESOLVER), State(at_ns=0)).tables[Resolvers].values()
    assert change == RESOLVER


def test_a_histogram_that_is_none_counts_for_nothing() -> None:
    later = replace(RESOLVER, lookups=6, buckets=(3, 1, 5))
    (change,) = difference(resolvers(later), resolvers(RESOLVER)).tables[Resolvers].values()
    assert change.buckets == ()


def test_a_difference_keeps_facts_that_did_not_change() -> None:
    state = State(at_ns=0, tables={AddressNames: {(0, NAME.address): NAME}})
    assert difference(state, state).tables[AddressNames] == {(0, NAME.address): NAME}


def test_a_full_table_of_facts_forgets_the_oldest_and_leaves_nothing_out() -> None:
    table = Table[str, AddressNameRow](lambda row: row.address, (), capacity=2)
    for address, name in (("10.0.0.1", "a"), ("10.0.0.2", "b"), ("10.0.0.1", "again"), ("10.0.0.3", "c")):
        assert table.update(replace(NAME, address=address, name=name), late=False)
    assert {row.address: row.name for row in table.rows.values()} == {"10.0.0.1": "again", "10.0.0.3": "c"}
    assert (table.left_out, table.broken) == (0, 0)


def test_a_late_fact_is_older_than_the_known_one() -> None:
    table = Table[str, AddressNameRow](lambda row: row.address, ())
    table.update(NAME, late=False)
    assert not table.update(replace(NAME, name="older"), late=True)
    assert table.rows[NAME.address] == NAME


def test_a_late_fact_that_is_newer_than_what_is_known_of_its_key_is_taken() -> None:
    table: Table[str, AddressNameRow] = Table(lambda row: row.address, ())
    table.update(NAME, late=False, at_ns=5)
    assert table.update(replace(NAME, name="newer"), late=True, at_ns=7)
    assert not table.update(replace(NAME, name="between"), late=True, at_ns=6)
    assert [row.name for row in table.rows.values()] == ["newer"]
