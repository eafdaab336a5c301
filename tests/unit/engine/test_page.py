"""`PageRunner`: the handlers of one page become effects of its outcome, all of them or none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from crawler import (
    BadStatus,
    ConnectFailed,
    Drop,
    Failure,
    HookError,
    JobError,
    Plugin,
    Request,
    Response,
    Retry,
    Settings,
    Spider,
)
from crawler.engine import handler_results
from crawler.engine.admission import Admission
from crawler.engine.body_dedup import BodyDeduplicator
from crawler.engine.callbacks import LocalCallbacks
from crawler.engine.page import PageRunner
from crawler.engine.tracebacks import ErrorLog
from crawler.frontier import Frontier, PageTicket, Pending
from crawler.hooks.page_effects import current_page
from crawler.hooks.state import State, States
from crawler.hooks.table import HookTable
from crawler.messages.request import copy_unchecked
from crawler.scope import Scope
from crawler.store import ItemRow, Kind, MemoryStore, Outcome

A = "https://site.test"


class Shop(Spider):
    """A spider whose callbacks are functions."""

    name = "shop"
    allowed_domains = ["site.test"]

    def __init__(self, parse: Callable[[Response], Any], errback: Callable[[Failure], Any] | None = None) -> None:
        super().__init__()
        self._parse = parse
        self._errback = errback

    def parse(self, response: Response) -> Any:
        return self._parse(response)

    def gave_up(self, failure: Failure) -> Any:
        assert self._errback is not None
        return self._errback(failure)


class Staged(MemoryStore):
    """Keeps the sizes of what large pages move to it."""

    def __init__(self) -> None:
        super().__init__()
        self.staged: list[tuple[int, int]] = []

    async def stage(self, stage: int, items: Sequence[ItemRow], requests: Sequence[Request]) -> None:
        self.staged.append((len(items), len(requests)))
        await super().stage(stage, items, requests)


class Case:
    """A runner, and one page."""

    def __init__(self, spider: Shop, *plugins: Plugin, dedup: bool = False, **options: Any) -> None:
        self.spider = spider
        self.store = Staged()
        table = HookTable.build([spider, *plugins])
        self.states = [State(plugin.name) for plugin in (spider, *plugins)]
        for plugin, state in zip((spider, *plugins), self.states, strict=True):
            plugin.state = state
        scope = Scope.of(spider.allowed_domains, Settings())
        admission = Admission(scope, table, lambda: self.store.known)
        states, callbacks, errors = States(self.states), LocalCallbacks(spider), ErrorLog()
        runner = PageRunner(spider, table, states, admission, self.store, errors, callbacks)
        self.runner = BodyDeduplicator(runner, self.store) if dedup else runner
        self.request = copy_unchecked(Request(f"{A}/", **options), depth=1)

    def outcome(self, kind: Kind = Kind.DONE) -> Outcome:
        frontier = Frontier(Settings())
        lane = frontier.lanes.open(A, epoch=1, head=(), more=False)
        permit = frontier.budgets.permit(lane, self.request)
        return Outcome(kind=kind, ticket=PageTicket(Pending((0, 1), self.request, A), lane, 1, 0.0, permit))

    def response(self, body: str = "<a href='/b'>b</a>") -> Response:
        return Response(f"{A}/", 200, {"Content-Type": "text/html"}, body, request=self.request)

    async def run(self, body: str = "<a href='/b'>b</a>") -> Outcome:
        outcome = self.outcome()
        assert await self.runner.run(self.response(body), outcome) is None
        return outcome

    async def fail(self, error: Any, kind: Kind = Kind.FAILED, **options: Any) -> Outcome:
        outcome = self.outcome(kind)
        await self.runner.fail(Failure(request=self.request, error=error, attempts=3), outcome, **options)
        return outcome


def made(outcome: Outcome) -> tuple[list[bytes], list[str]]:
    """Items and URLs of an outcome."""
    return [item.data for item in outcome.items], [request.url for request in outcome.discovered]


NOTHING: tuple[list[bytes], list[str]] = ([], [])


# ---- pages -----------------------------------------------------------------------------------------------------------


async def test_the_results_of_a_callback_become_items_and_requests() -> None:
    def parse(response: Response) -> Iterator[Any]:
        yield {"url": response.url}
        yield from response.follow_all("a")
        yield None
        yield Request("https://elsewhere.test/")

    outcome = await Case(Shop(parse)).run()
    assert made(outcome) == ([b'{"url":"https://site.test/"}'], [f"{A}/b"])
    assert outcome.page
    assert outcome.filtered == [("scope", "https://elsewhere.test/")]
    assert [request.depth for request in outcome.discovered] == [2]


async def test_requests_made_by_hand_are_one_link_deeper_than_their_page() -> None:
    outcome = await Case(Shop(lambda _: [Request(f"{A}/x")])).run()
    assert [request.depth for request in outcome.discovered] == [2]


async def test_parse_hooks_see_every_page_after_the_callback_and_items_are_refined_in_order() -> None:
    class One(Plugin):
        name = "one"

        def parse(self, response: Response) -> Any:
            return [{"by": "one"}, {"by": "nobody"}]

        async def refine(self, item: Any, response: Response) -> Any:
            return Drop("nobody") if item["by"] == "nobody" else item | {"one": True}

    class Two(Plugin):
        name = "two"

        async def refine(self, item: Any, response: Response) -> Any:
            return None

    outcome = await Case(Shop(lambda _: {"by": "spider"}), One(), Two()).run()
    assert made(outcome)[0] == [b'{"by":"spider","one":true}', b'{"by":"one","one":true}']
    assert outcome.dropped == ["nobody"]


async def test_a_request_may_opt_out_of_the_hooks_of_a_plugin() -> None:
    class Loud(Plugin):
        name = "loud"

        def parse(self, response: Response) -> Any:
            raise AssertionError

        async def refine(self, item: Any, response: Response) -> Any:
            raise AssertionError

    outcome = await Case(Shop(lambda _: {"n": 1}), Loud(), plugins={"loud": False}).run()
    assert made(outcome)[0] == [b'{"n":1}']


async def test_counters_added_requests_and_states_are_effects() -> None:
    def parse(response: Response) -> None:
        effects = current_page.get()
        assert effects is not None
        effects.counters["seen"] = 2
        effects.added.append(Request(f"{A}/added"))
        spider.state["page"] = 3

    spider = Shop(parse)
    case = Case(spider)
    outcome = await case.run()
    assert (outcome.counters, made(outcome)[1]) == ({"seen": 2}, [f"{A}/added"])
    assert outcome.state == {"shop": {"page": b"3"}}
    assert spider.state["page"] == 3
    assert current_page.get() is None


@pytest.mark.parametrize("where", ["callback", "generator", "parse hook", "refine hook", "item", "state", "link"])
async def test_an_exception_anywhere_leaves_no_effect(where: str) -> None:
    class Broken(Plugin):
        name = "broken"

        def parse(self, response: Response) -> None:
            if where == "parse hook":
                raise ValueError("x")

        async def refine(self, item: Any, response: Response) -> None:
            if where == "refine hook":
                raise ValueError("x")

    def parse(response: Response) -> Iterator[Any]:
        spider.state["page"] = object() if where == "state" else 3
        yield {"n": object() if where == "item" else 1}
        yield Request("https://elsewhere.test/")
        yield Request(f"{A}/x", callback="missing" if where == "link" else None)
        if where == "generator":
            raise ValueError("x")

    def callback(response: Response) -> Any:
        if where == "callback":
            raise ValueError("x")
        return parse(response)

    spider = Shop(callback)
    case = Case(spider, Broken())
    outcome = case.outcome()
    with pytest.raises(HookError) as info:
        await case.runner.run(case.response(), outcome)
    named = {"parse hook": ("broken", "parse"), "refine hook": ("broken", "refine")}
    assert (info.value.plugin, info.value.hook) == (named | {"state": ("shop", "state")}).get(where, ("shop", "parse"))
    assert (made(outcome), outcome.page, outcome.filtered, outcome.state) == (NOTHING, False, [], {})
    assert "page" not in spider.state


async def test_an_error_of_the_store_is_not_blamed_on_a_hook() -> None:
    def parse(response: Response) -> None:
        raise JobError("the disk is full")

    case = Case(Shop(parse))
    with pytest.raises(JobError):
        await case.runner.run(case.response(), case.outcome())


async def test_a_handler_may_have_the_page_fetched_again_which_leaves_no_effect() -> None:
    case = Case(Shop(lambda _: [{"n": 1}, Request("https://elsewhere.test/"), Retry("captcha", after=5.0)]))
    outcome = case.outcome()
    assert await case.runner.run(case.response(), outcome) == Retry("captcha", after=5.0)
    assert (made(outcome), outcome.page, outcome.filtered) == (NOTHING, False, [])


@pytest.mark.parametrize("value", ["text", b"bytes", 3, True, [{"n": 1}], ({"n": 1},), dict])
async def test_a_callback_yields_requests_and_items_only(value: Any) -> None:
    case = Case(Shop(lambda _: iter([value])))
    with pytest.raises(HookError, match=f"a callback must yield requests and items, not {type(value).__name__}"):
        await case.runner.run(case.response(), case.outcome())


async def test_a_dict_that_is_filled_again_is_kept_as_it_was() -> None:
    def parse(response: Response) -> Iterator[Any]:
        item: dict[str, int] = {}
        for n in (1, 2):
            item["n"] = n
            yield item

    assert made(await Case(Shop(parse)).run())[0] == [b'{"n":1}', b'{"n":2}']


async def test_a_large_page_moves_its_effects_to_the_store_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_results, "SPILL_OVER", 10)

    async def parse(response: Response) -> AsyncIterator[Any]:
        for n in range(35):
            yield {"n": n} if n % 2 else Request(f"{A}/{n}")

    case = Case(Shop(parse))
    outcome = await case.run()
    assert outcome.stage == 1
    assert sum(items for items, _ in case.store.staged) == outcome.staged_items > 10
    assert outcome.staged_items + len(outcome.items) == 17
    assert sum(requests for _, requests in case.store.staged) + len(outcome.discovered) == 18


async def test_a_page_with_many_links_lets_other_tasks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_results, "UNINTERRUPTED", 10)
    yielded = 0
    counts: set[int] = set()

    def parse(response: Response) -> Iterator[Any]:
        nonlocal yielded
        for yielded in range(1000):
            yield {"n": yielded}

    async def watch() -> None:
        while True:
            counts.add(yielded)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await Case(Shop(parse)).run()
        nursery.cancel_scope.cancel()
    assert len(counts) > 20


@pytest.mark.parametrize(("step", "least"), [(-1.0, 40), (60.0, 0)])
async def test_a_callback_that_has_computed_for_a_while_lets_other_tasks_run_at_a_bare_yield(
    monkeypatch: pytest.MonkeyPatch, step: float, least: int
) -> None:
    monkeypatch.setattr(handler_results, "STEP", step)
    seen = 0

    def parse(response: Response) -> Iterator[Any]:
        for n in range(50):
            yield {"n": n}
            yield

    async def watch() -> None:
        nonlocal seen
        while True:
            seen += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        outcome = await Case(Shop(parse)).run()
        nursery.cancel_scope.cancel()
    assert least <= seen <= least + 20
    assert len(outcome.items) == 50


async def test_a_large_page_that_raises_in_the_end_names_no_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_results, "SPILL_OVER", 10)

    def parse(response: Response) -> Iterator[Any]:
        yield from ({"n": n} for n in range(35))
        raise ValueError("x")

    case = Case(Shop(parse))
    outcome = case.outcome()
    with pytest.raises(HookError):
        await case.runner.run(case.response(), outcome)
    assert case.store.staged
    assert (outcome.stage, outcome.staged_items) == (0, 0)


async def test_the_second_page_with_a_body_is_left_out(autojump_clock: MockClock) -> None:
    case = Case(Shop(lambda response: {"url": response.url}), dedup=True)
    first, second, empty = await case.run("same"), await case.run("same"), await case.run("")
    assert (first.page, bool(first.digest)) == (True, True)
    assert (second.page, second.digest, second.filtered) == (False, b"", [("duplicate_content", f"{A}/")])
    assert (empty.page, empty.digest) == (True, b"")


async def test_a_page_whose_callback_raised_does_not_keep_its_body() -> None:
    answers = iter([ValueError("x"), {"n": 1}])

    def parse(response: Response) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    case = Case(Shop(parse), dedup=True)
    with pytest.raises(HookError):
        await case.run("same")
    assert (await case.run("same")).page


# ---- failures --------------------------------------------------------------------------------------------------------


def errback(failure: Failure) -> Iterator[Any]:
    yield {"missed": failure.request.url, "reason": failure.reason}
    yield Request(f"{A}/instead")


async def test_an_errback_and_the_failed_hooks_may_produce_like_a_callback() -> None:
    class Watch(Plugin):
        name = "watch"

        async def failed(self, failure: Failure) -> Any:
            return {"seen": failure.attempts}

    case = Case(Shop(lambda _: None, errback), Watch(), errback="gave_up")
    outcome = await case.fail(ConnectFailed("refused"))
    assert made(outcome) == (
        [b'{"missed":"https://site.test/","reason":"connect_failed"}', b'{"seen":3}'],
        [f"{A}/instead"],
    )
    assert [request.depth for request in outcome.discovered] == [2]
    outcome = await case.fail(ConnectFailed("refused"), calls_errback=False)
    assert made(outcome) == ([b'{"seen":3}'], [])


@pytest.mark.parametrize(
    ("kind", "becomes"), [(Kind.DONE, Kind.FAILED), (Kind.REFUSED, Kind.FAILED), (Kind.FAILED, Kind.FAILED)]
)
async def test_an_errback_that_raises_makes_a_failure_of_its_request(kind: Kind, becomes: Kind) -> None:
    def broken(failure: Failure) -> Iterator[Any]:
        yield {"n": 1}
        raise ValueError("x")

    case = Case(Shop(lambda _: None, broken), errback="gave_up")
    outcome = await case.fail(BadStatus("status 404", status=404), kind)
    assert (outcome.kind, made(outcome)) == (becomes, NOTHING)
    if kind is not Kind.FAILED:  # else it has a reason already
        assert outcome.failure is not None
        assert (outcome.failure.reason, outcome.failure.message) == ("callback_error", "ValueError: x")
        assert outcome.failure.full_reason == "callback_error.gave_up"


async def test_a_failed_hook_that_raises_is_logged_and_the_others_count(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Plugin):
        name = "broken"

        async def failed(self, failure: Failure) -> None:
            raise ValueError("x")

    case = Case(Shop(lambda _: None, errback), Broken(), errback="gave_up")
    outcome = await case.fail(BadStatus("status 404", status=404), Kind.DONE)
    assert outcome.kind is Kind.DONE
    assert made(outcome)[1] == [f"{A}/instead"]
    assert caplog.messages == [f"broken.failed failed for {A}/: ValueError: x"]
