"""Callbacks of every form: their results are one stream."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterable, Iterator

import pytest

from crawler import Request, Retry
from crawler.spiders.callback_results import as_iterable, is_async, map_callback

REQUEST = Request("https://a.test/")


@pytest.mark.parametrize(
    ("produced", "expected"),
    [
        (None, []),
        ({"a": 1}, [{"a": 1}]),
        (REQUEST, [REQUEST]),
        (Retry("later"), [Retry("later")]),
        ([{"a": 1}, REQUEST], [{"a": 1}, REQUEST]),
        (iter([{"a": 1}]), [{"a": 1}]),
        ((), []),
        (5, [5]),
    ],
)
def test_one_result_several_or_none(produced, expected):
    assert list(as_iterable(produced)) == expected


def returns(value, add):
    return {"n": value + add}


def yields(value, add):
    yield {"n": value + add}
    if value == 2:
        yield REQUEST


def nothing(value, add):
    return None


async def returns_later(value, add):
    return [{"n": value + add}]


async def yields_later(value, add):  # noqa: ASYNC900 - the test drains it
    yield {"n": value + add}


@pytest.mark.parametrize(
    ("function", "expected"),
    [(returns, [{"n": 11}, {"n": 12}]), (yields, [{"n": 11}, {"n": 12}, REQUEST]), (nothing, [])],
)
def test_results_of_plain_callbacks_come_in_order(function, expected):
    assert not is_async(function)
    assert list(map_callback(function, [1, 2], 10)) == expected


@pytest.mark.parametrize("function", [returns_later, yields_later])
async def test_results_of_async_callbacks_come_in_order(function):
    assert is_async(function)
    results = map_callback(function, [1, 2], 10)
    assert isinstance(results, AsyncIterable)
    assert [one async for one in results] == [{"n": 11}, {"n": 12}]


def test_a_value_is_handled_when_its_results_are_wanted():
    seen = []
    results = map_callback(lambda value: seen.append(value) or {"n": value}, iter([1, 2]))
    assert isinstance(results, Iterator)
    assert seen == []
    assert next(results) == {"n": 1}
    assert seen == [1]


def test_a_bound_or_partial_function_is_as_async_as_its_function():
    assert is_async(functools.partial(returns_later, add=1))
    assert not is_async(functools.partial(returns, add=1))
