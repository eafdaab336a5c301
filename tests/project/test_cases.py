"""Cases that share a test: each one is tried, and each failure is reported."""

from __future__ import annotations

import inspect

import pytest
from support.cases import Cases, each


def test_every_case_is_tried_and_every_failure_is_reported_with_its_case():
    tried = []

    @each(("text", "number"), [("1", 1), ("2", 3), ("x", 0), ("4", 4)])
    def numbers(text, number):
        tried.append(text)
        assert int(text) == number

    with pytest.raises(ExceptionGroup, match="2 of 4 cases failed") as caught:
        numbers()
    assert tried == ["1", "2", "x", "4"]
    assert [type(failure) for failure in caught.value.exceptions] == [AssertionError, ValueError]
    notes = [failure.__notes__ for failure in caught.value.exceptions]
    assert notes == [["case: text='2', number=3"], ["case: text='x', number=0"]]


def test_a_case_that_does_not_raise_as_expected_is_a_failure():
    @each("value", ["1", "x"])
    def refused(value):
        with pytest.raises(ValueError):
            int(value)

    with pytest.raises(BaseExceptionGroup, match="1 of 2 cases failed"):
        refused()


def test_a_case_that_skips_or_returns_something_is_a_failure():
    @each("value", [0, 1])
    def test(value):
        if value:
            pytest.skip("not here")
        return [value]

    with pytest.raises(BaseExceptionGroup, match="2 of 2 cases failed"):
        test()


def test_repeated_it_tries_every_combination():
    tried = []

    @each("one", "ab")
    @each("other", "cd")
    def pairs(other, one):
        tried.append(one + other)

    pairs()
    assert tried == ["ac", "ad", "bc", "bd"]


def test_the_other_arguments_are_fixtures():
    @each("value", [1])
    def test(tmp_path, value):
        assert (tmp_path, value) == ("folder", 1)

    assert list(inspect.signature(test).parameters) == ["tmp_path"]
    test(tmp_path="folder")


def test_an_async_test_is_rejected_since_nobody_would_await_it():
    async def test(value):
        raise AssertionError(value)

    with pytest.raises(AssertionError, match="async"):
        each("value", [1])(test)


def test_no_case_at_all_is_a_failure():
    with pytest.raises(AssertionError, match="no cases"):
        Cases().check()
