"""What search domains cost, against names that a pod would look up."""

from __future__ import annotations

import pytest

from kubectl_podtrace.analysis.search_waste import SearchWaste, WastedName, search_waste
from kubectl_podtrace.wire.dns_records import DnsNameRow, DnsNames
from kubectl_podtrace.wire.search_records import DnsEmpty, DnsEmptyRow, ResolverSettings, ResolverSettingsRow
from tests.unit.analysis.selections import selection_of
from tests.unit.streams import Stream

SEARCH = "shop.svc.cluster.local svc.cluster.local cluster.local"


def waste(answers: dict[str, tuple[int, int]], *, search: str = SEARCH, ndots: int = 5, empty: int = 0) -> SearchWaste:
    """Of names with so many answers, so many of them NXDOMAIN."""
    stream = Stream()
    rows = tuple(
        DnsNameRow(
            scope=0, key=key, name=name, lookups=count, answers=count, errors=0, nxdomain=absent, timeouts=0,
            total_ns=0, max_ns=0,
        )
        for key, (name, (count, absent)) in enumerate(answers.items())
    )  # fmt: skip
    stream.add(DnsNames(rows=rows), DnsEmpty(rows=(DnsEmptyRow(scope=0, key=0, empty_aaaa=empty),)))
    stream.add(ResolverSettings(rows=(ResolverSettingsRow(scope=0, search=search, ndots=ndots),)))
    found = search_waste(selection_of(stream.fold()))
    assert found is not None
    return found


def tried(name: str, times: int) -> dict[str, tuple[int, int]]:
    """A name that is found as it is, after all search domains."""
    return {name: (times, 0), **{f"{name}.{domain}": (times, times) for domain in SEARCH.split()}}


def test_a_name_of_the_world_costs_a_lookup_for_each_search_domain() -> None:
    found = waste(tried("api.vendor.example", 101), empty=50)
    assert (found.useful, found.wasted, found.empty_aaaa) == (101 - 50, 303, 50)
    assert found.per_useful == pytest.approx(303 / 51)
    assert found.names == (WastedName(name="api.vendor.example", wasted=303),)
    assert found.advice is not None
    assert '"options ndots:2"' in found.advice


def test_a_service_of_another_namespace_is_to_be_written_in_full() -> None:
    found = waste({"db.data.shop.svc.cluster.local": (10, 10), "db.data.svc.cluster.local": (10, 0)})
    assert (found.useful, found.wasted) == (10, 10)
    assert found.advice == 'write names in full, with a dot at the end: "db.data.svc.cluster.local."'


def test_a_name_that_does_not_exist_at_all_wastes_what_the_search_asks() -> None:
    found = waste({**tried("gone.example", 3), "gone.example": (3, 3)})
    assert (found.useful, found.wasted, found.per_useful) == (0, 9, None)


def test_with_few_dots_a_dot_at_the_end_is_all_that_helps() -> None:
    assert waste(tried("intranet", 3), ndots=1).advice == 'write "intranet." with a dot at the end'


def test_names_that_are_just_absent_are_no_waste_of_the_search() -> None:
    found = waste({"gone.example": (5, 5), "own.shop.svc.cluster.local": (3, 0), "x.cluster.local": (1, 1)})
    assert (found.wasted, found.advice, found.names) == (0, None, ())


def test_without_settings_nothing_is_said() -> None:
    assert search_waste(selection_of(Stream().fold())) is None
