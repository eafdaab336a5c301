"""A store with one owner says so."""

from __future__ import annotations

import math

import trio
from trio.testing import MockClock

from crawler.store.only_owner import OnlyOwner


async def test_a_lease_of_the_only_owner_never_ends(autojump_clock: MockClock) -> None:
    alone = OnlyOwner()
    assert (alone.shared, alone.owner, alone.lease, alone.behind, alone.others) == (False, 0, math.inf, 0, {})
    extended = await alone.extend()
    assert (list(extended.grew), list(extended.wanted), extended.surplus) == ([], [], 0)


async def test_nobody_else_changes_anything(autojump_clock: MockClock) -> None:
    with trio.move_on_after(1e6) as waiting:
        await OnlyOwner().changed()
    assert waiting.cancelled_caught
