"""`Background`: requests that no page made, and tasks that belong to no page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from crawler import Request
from crawler.engine.background import Background
from crawler.engine.slots import current_ticket
from crawler.hooks.page_effects import PageEffects, current_page

URL = "https://site.test/"


async def test_added_requests_wake_and_are_taken_once() -> None:
    added = Background()
    woken: list[list[Request]] = []

    async def take() -> None:
        await added.wait()
        woken.append(added.take())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        assert not added.has_requests()
        added.add(Request(URL))
        added.add(Request(URL + "2"))
        assert added.has_requests()
    assert [[request.url for request in requests] for requests in woken] == [[URL, URL + "2"]]
    assert not added.has_requests()
    assert added.take() == []


async def test_a_series_is_taken_in_parts_after_single_requests() -> None:
    added, made = Background(), []

    def series() -> Iterator[Request]:
        for n in range(250):
            made.append(n)
            yield Request(f"{URL}{n}")

    added.add_series(series())
    added.add_series([])
    added.add(Request(URL))
    assert [len(added.take()) for _ in range(2)] == [1, 100]
    assert len(made) == 100
    assert [len(added.take()) for _ in range(3)] == [100, 50, 0]
    assert not added.has_requests()


async def test_background_tasks_wait_for_their_nursery_and_belong_to_no_page() -> None:
    tasks = Background()
    seen: list[Any] = []

    async def task(name: str) -> None:
        seen.append((name, current_page.get(), current_ticket.get()))

    outer = current_page.set(PageEffects())
    try:
        tasks.start_soon(task, "early")
        await wait_all_tasks_blocked()
        assert seen == []
        async with trio.open_nursery() as nursery:
            tasks.open(nursery)
            tasks.start_soon(task, "late")
        tasks.close()
        tasks.start_soon(task, "never")
    finally:
        current_page.reset(outer)
    assert sorted(seen) == [("early", None, None), ("late", None, None)]
