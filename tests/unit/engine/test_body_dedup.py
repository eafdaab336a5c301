"""`BodyDeduplicator`: one page for each body, also while pages are in progress."""

from __future__ import annotations

from typing import cast

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from crawler.engine.body_dedup import BodyDeduplicator
from crawler.engine.page import PageRunner
from crawler.store import MemoryStore


class Bodies(MemoryStore):
    """A store that knows some bodies, and takes a moment to say so."""

    def __init__(self, *known: bytes) -> None:
        super().__init__()
        self.known_bodies = set(known)

    async def has_body(self, digest: bytes) -> bool:
        await trio.lowlevel.checkpoint()
        return digest in self.known_bodies


class NoPages:
    """Handles no page: the whole way is tested by `tests/unit/engine/test_page.py`."""

    async def fail(self) -> None:
        raise AssertionError


def dedup(store: MemoryStore) -> BodyDeduplicator:
    return BodyDeduplicator(cast("PageRunner", NoPages()), store)


async def test_equal_bodies_have_one_digest_and_others_another() -> None:
    store = Bodies()
    made = dedup(store)
    one, two = await made.claim(b"one"), await made.claim(b"two")
    assert one is not None
    assert two is not None
    assert one != two
    made.release(one)
    assert await made.claim(b"one") == one


async def test_a_body_of_a_committed_page_is_not_claimed() -> None:
    store = Bodies()
    made = dedup(store)
    digest = await made.claim(b"one")
    assert digest is not None
    made.keep(digest)
    store.known_bodies.add(digest)
    made.release(digest)  # as the writer does after the commit
    assert await made.claim(b"one") is None
    assert await made.claim(b"one") is None  # nothing was left claimed


async def test_a_page_with_the_body_of_one_in_progress_waits_for_it() -> None:
    made = dedup(Bodies())
    digest = await made.claim(b"one")
    assert digest is not None
    found: list[bytes | None] = []

    async def other() -> None:
        found.append(await made.claim(b"one"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        nursery.start_soon(other)
        await wait_all_tasks_blocked()
        assert found == []
        made.keep(digest)
    assert found == [None, None]


async def test_the_next_page_gets_the_body_of_one_that_failed() -> None:
    made = dedup(Bodies())
    digest = await made.claim(b"one")
    assert digest is not None
    found: list[bytes | None] = []

    async def other(*, fails: bool) -> None:
        claimed = await made.claim(b"one")
        found.append(claimed)
        if claimed is not None:
            made.release(claimed) if fails else made.keep(claimed)

    async with trio.open_nursery() as nursery:
        for fails in (True, False, False):
            nursery.start_soon(lambda fails=fails: other(fails=fails))
            await wait_all_tasks_blocked()
        made.release(digest)
    assert found.count(digest) in (1, 2)
    assert set(found) == {digest, None}


async def test_a_cancelled_claim_is_released(autojump_clock: MockClock) -> None:
    class Slow(Bodies):
        async def has_body(self, digest: bytes) -> bool:
            await trio.sleep(10)
            return False

    made = dedup(Slow())
    with trio.move_on_after(1):
        await made.claim(b"one")
    with trio.fail_after(20):
        assert await made.claim(b"one") is not None
