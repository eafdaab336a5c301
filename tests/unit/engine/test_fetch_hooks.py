"""The `answer` and `fetch` hooks around the network."""

from __future__ import annotations

from typing import Any

import pytest
from support.attempts import A, Case, Fetch, Measure, response
from trio.testing import MockClock

from crawler import (
    ConnectFailed,
    Drop,
    HookError,
    Plugin,
    Request,
    Response,
    Retry,
)


async def _raise(error: Exception) -> None:
    raise error


async def _value(value: Any) -> Any:
    return value


async def _twice(request: Request, send: Any) -> None:
    await send(request)
    await send(request)


class Answer(Plugin):
    name = "cache"

    async def answer(self, request: Request) -> Response:
        return response()


async def test_an_answer_of_a_plugin_refunds_the_start(autojump_clock: MockClock) -> None:
    case = Case(Answer())
    found = await case.attempts.make(case.ticket(), 1)
    assert isinstance(found, Response)
    assert found.source == "cache"
    assert (case.downloader.sent, case.downloader.start_pages) == ([], [f"{A}/"])
    assert case.stats.requests == 0
    assert case.next_start() <= 0.0
    assert case.is_settled()


async def test_the_answer_hooks_may_be_skipped(autojump_clock: MockClock) -> None:
    case = Case(Answer())
    await case.attempts.make(case.ticket(), 1, ask_answer=False)
    assert len(case.downloader.sent) == 1


async def test_the_first_fetch_hook_is_outermost(autojump_clock: MockClock) -> None:
    order: list[str] = []

    def around(name: str) -> Fetch:
        async def fetch(request: Request, send: Any) -> Any:
            order.append(f"before {name}")
            found = await send(request.replace(headers={"X-Way": request.headers.get("x-way", "") + name}))
            order.append(f"after {name}")
            return found

        return Fetch(fetch, name)

    case = Case(around("a"), around("b"))
    await case.attempts.make(case.ticket(), 1)
    assert order == ["before a", "before b", "after b", "after a"]
    assert case.downloader.sent[0].headers["x-way"] == "ab"


async def test_a_hook_that_returns_nothing_leaves_the_response_as_it_is(autojump_clock: MockClock) -> None:
    async def only_looks(request: Request, send: Any) -> None:
        await send(request)

    async def ignores(request: Request, send: Any) -> None:
        return None

    case = Case(Fetch(only_looks, "one"), Fetch(ignores, "two"))
    found = await case.attempts.make(case.ticket(), 1)
    assert isinstance(found, Response)
    assert len(case.downloader.sent) == 1


@pytest.mark.parametrize("result", [Drop("unwanted"), Retry("captcha", after=5.0)])
async def test_a_wish_of_a_hook_is_returned_and_not_measured(autojump_clock: MockClock, result: Any) -> None:
    async def refuse(request: Request, send: Any) -> Any:
        return result

    measure = Measure()
    case = Case(Fetch(refuse), measure)
    assert await case.attempts.make(case.ticket(), 1) == result
    assert measure.usages == []
    assert case.is_settled()


async def test_a_response_made_by_a_hook_belongs_to_its_request(autojump_clock: MockClock) -> None:
    async def by_hand(request: Request, send: Any) -> Response:
        return response()

    case = Case(Fetch(by_hand))
    ticket = case.ticket()
    found = await case.attempts.make(ticket, 1)
    assert isinstance(found, Response)
    assert found.request is ticket.request
    assert case.next_start() <= 0.0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda request, send: _raise(ValueError("x")), "ValueError: x"),
        (lambda request, send: _value("text"), "returned str"),
        (_twice, r"RuntimeError: send\(\) may be awaited once"),
    ],
)
async def test_a_hook_that_breaks_its_contract_fails_the_attempt(
    autojump_clock: MockClock, function: Any, message: str
) -> None:
    case = Case(Fetch(function))
    with pytest.raises(HookError, match=message) as info:
        await case.attempts.make(case.ticket(), 1)
    assert (info.value.plugin, info.value.hook) == ("fetch", "fetch")
    assert case.is_settled()


async def test_an_error_of_a_request_passes_through_hooks_as_it_is(autojump_clock: MockClock) -> None:
    async def passes(request: Request, send: Any) -> Any:
        return await send(request)

    error = ConnectFailed("refused")
    case = Case(Fetch(passes), answer=error)
    with pytest.raises(ConnectFailed) as info:
        await case.attempts.make(case.ticket(), 1)
    assert info.value is error


async def test_a_request_may_opt_out_of_a_plugin(autojump_clock: MockClock) -> None:
    case = Case(Answer(), Fetch(lambda request, send: _raise(ValueError("x"))))
    ticket = case.ticket()
    ticket.pending.request = ticket.request.replace(plugins={"cache": False, "fetch": False})
    await case.attempts.make(ticket, 1)
    assert len(case.downloader.sent) == 1
