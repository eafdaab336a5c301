"""Every form of a handler's result becomes one iterable."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.cases import each

from crawler import Request, Retry
from crawler.engine.handler_results import drain

REQUEST = Request("https://site.test/")


def drained(produced: Any) -> list[Any]:
    """What `drain` makes of a result. No event loop is needed, since nothing here waits."""
    coroutine = drain(produced)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return list(stop.value)
    raise AssertionError("it waits")


async def later(value: Any) -> Any:
    return value


async def generated(*values: Any) -> AsyncIterator[Any]:
    for value in values:
        yield value


async def filled_again(ends: list[int]) -> AsyncIterator[dict[str, int]]:
    item = {}
    for end in ends:
        item["end"] = end
        yield item


class Async:
    """An async iterator that is no generator."""

    def __init__(self) -> None:
        self._left = [2, 1]

    def __aiter__(self) -> Async:
        return self

    async def __anext__(self) -> int:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


class Model:
    """Looks like a model of pydantic, which is iterable."""

    def __iter__(self) -> Iterator[tuple[str, int]]:
        yield "n", 1

    def model_dump(self, mode: str) -> dict[str, int]:
        assert mode == "json"
        return {"n": 1}


@types.coroutine
def old_coroutine() -> Iterator[Any]:
    return [1]
    yield


@each(
    ("make", "expected"),
    [
        (lambda: None, []),
        (lambda: [1, 2], [1, 2]),
        (lambda: (n for n in (1, 2)), [1, 2]),
        (lambda: REQUEST, [REQUEST]),
        (lambda: Retry("no"), [Retry("no")]),
        (lambda: {"n": 1}, [{"n": 1}]),
        (lambda: later([1]), [1]),
        (lambda: later(None), []),
        (lambda: later(REQUEST), [REQUEST]),
        (lambda: later(n for n in (1, 2)), [1, 2]),
        (lambda: generated(1, 2), [1, 2]),
        (lambda: later(generated(1)), [1]),
        (Async, [1, 2]),
        (old_coroutine, [1]),
        (lambda: 3, [3]),
    ],
)
def test_a_result_of_any_form_becomes_an_iterable(make: Any, expected: list[Any]) -> None:
    assert drained(make()) == expected


def test_a_model_is_one_item_although_it_is_iterable() -> None:
    [item] = drained(Model())
    assert isinstance(item, Model)


def test_a_generator_is_left_for_its_reader() -> None:
    generator = (n for n in (1, 2))
    coroutine = drain(generator)
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    assert stop.value.value is generator


@pytest.mark.parametrize("text", ["https://site.test/", b"x"])
def test_text_is_refused(text: Any) -> None:
    with pytest.raises(TypeError, match=f"a callback must return requests and items, not {type(text).__name__}"):
        drained(text)


def test_an_async_generator_that_raises_is_closed() -> None:
    closed = []

    async def broken() -> AsyncIterator[int]:
        try:
            yield 1
            raise ValueError("x")
        finally:
            closed.append(True)

    with pytest.raises(ValueError, match="x"):
        asyncio.run(drain(broken()))  # type: ignore[arg-type]
    assert closed == [True]


def test_an_async_handler_may_fill_the_same_dict_again() -> None:
    assert drained(filled_again([1, 2])) == [{"end": 1}, {"end": 2}]
