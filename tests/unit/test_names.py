from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.names import is_dns_label, is_dns_subdomain, tracer_pod_name


@given(st.text(), st.from_regex(r"[a-z0-9]{1,10}", fullmatch=True))
def test_a_tracer_pods_name_is_a_dns_label_whatever_the_target(target: str, suffix: str) -> None:
    name = tracer_pod_name(target, suffix)
    assert is_dns_label(name)
    assert name.startswith("podtrace-")
    assert name.endswith(f"-{suffix}")


def test_a_tracer_pods_name_tells_the_target() -> None:
    assert tracer_pod_name("api-0", "k3x9q") == "podtrace-api-0-k3x9q"


def test_a_suffix_that_cannot_end_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="not usable"):
        tracer_pod_name("api-0", "-")


@pytest.mark.parametrize("name", ["a", "a-b", "0", "a" * 63])
def test_dns_labels_are_known(name: str) -> None:
    assert is_dns_label(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "a.b", "A", "a_b", "a" * 64, "a\n", "ä"])
def test_what_is_no_dns_label_is_refused(name: str) -> None:
    assert not is_dns_label(name)


def test_a_subdomain_may_have_dots() -> None:
    assert is_dns_subdomain("a.b-c.d")
    assert not is_dns_subdomain("a..b")
