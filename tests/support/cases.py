"""Many small cases in one test, where a test for each would take longer than the case: every failure is reported.

::

    @each(("text", "number"), [("1", 1), ("2", 2)])
    def test_a_number_is_read(text, number):
        assert int(text) == number

It is for cases of a millisecond that share no state. `pytest.mark.parametrize` is for all others.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["Cases", "each"]


class Cases:
    """The failures of several cases; they are raised together after the last one."""

    def __init__(self) -> None:
        self._failures: list[BaseException] = []
        self._names: list[str] = []

    @contextmanager
    def case(self, name: str) -> Iterator[None]:
        """Keep a failure of the block, with the name of its case in the message."""
        self._names.append(name)
        try:
            yield
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as failure:  # a skip would hide the others
            failure.add_note(f"case: {name}")
            self._failures.append(failure)

    def check(self) -> None:
        """Raise all failures, if there are any. No case at all is a failure, too."""
        assert self._names, "no cases"
        if self._failures:
            raise BaseExceptionGroup(f"{len(self._failures)} of {len(self._names)} cases failed", self._failures)


def each(names: str | tuple[str, ...], cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Call a test with every case, as `pytest.mark.parametrize` does, but in one test.

    Repeated, it calls the test with every combination.

    Parameters:
        names: The argument of the test, or several, whose values each case holds in this order.
        cases: The values.
    """
    found = list(cases)
    keys = (names,) if isinstance(names, str) else names

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        assert not inspect.iscoroutinefunction(test), "an async test is parametrized"

        @functools.wraps(test)
        def all_cases(**fixtures: Any) -> None:
            tried = Cases()
            for case in found:
                given = dict(zip(keys, (case,) if isinstance(names, str) else case, strict=True))
                with tried.case(", ".join(f"{key}={value!r:.200}" for key, value in given.items())):
                    assert test(**fixtures, **given) is None, "a test returns nothing"  # type: ignore[func-returns-value]
            tried.check()

        signature = inspect.signature(test)
        assert signature.parameters.keys() >= set(keys)
        fixtures = [parameter for name, parameter in signature.parameters.items() if name not in keys]
        all_cases.__signature__ = signature.replace(parameters=fixtures)  # type: ignore[attr-defined]
        return all_cases

    return decorate
