from __future__ import annotations

from kubectl_podtrace import errors
from kubectl_podtrace.errors import PodtraceError, UsageError

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, PodtraceError)]


def test_every_error_has_a_slug_of_its_own() -> None:
    slugs = [error.slug for error in ALL]
    assert len(set(slugs)) == len(slugs)


def test_no_error_looks_like_success() -> None:
    assert all(0 < error.exit_code < 256 for error in ALL)


def test_a_usage_error_exits_as_usage_errors_do() -> None:
    assert UsageError("x").exit_code == 2


def test_an_error_is_its_message_and_may_have_a_hint() -> None:
    error = PodtraceError("it broke", "mend it")
    assert (str(error), error.message, error.hint) == ("it broke", "it broke", "mend it")
