"""`Claims`: one page at a time has a key, and two pages never wait for each other."""

from __future__ import annotations

import pytest
import trio
from crawler_plugins.claims import Claims

from crawler import WouldExceedDeadline


class Commits:
    """Stands for the crawl: settles pages."""

    def __init__(self):
        self.waiting = []
        self.claims = Claims(lambda function, page: self.waiting.append((function, page)), lambda: 100.0)

    def settle(self, response):
        [call] = [call for call in self.waiting if call[1].response is response]
        self.waiting.remove(call)
        call[0]([call[1]])


async def test_a_key_is_taken_when_its_page_is_settled(autojump_clock):
    commits, one, other = Commits(), object(), object()
    assert not await commits.claims.take("a", one)
    assert not await commits.claims.take("a", one)
    waited = []

    async def second():
        waited.append(await commits.claims.take("a", other))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(second)
        await trio.testing.wait_all_tasks_blocked()
        assert waited == []
        commits.settle(one)
    assert waited == [True]
    commits.settle(other)
    assert len(commits.claims) == 0


async def test_a_page_that_would_close_a_circle_is_put_off(autojump_clock):
    commits, pages = Commits(), [object() for _ in range(3)]
    for key, page in zip("abc", pages, strict=True):
        await commits.claims.take(key, page)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(commits.claims.take, "b", pages[0])
        nursery.start_soon(commits.claims.take, "c", pages[1])
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(WouldExceedDeadline) as raised:
            await commits.claims.take("a", pages[2])
        assert raised.value.retry_at > 100
        commits.settle(pages[2])
        await trio.testing.wait_all_tasks_blocked()
        commits.settle(pages[1])
    assert len(commits.claims) == 2
