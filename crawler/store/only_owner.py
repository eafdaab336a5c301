"""`OnlyOwner`: the part of the `Store` protocol that is about other owners, in a store that has none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import trio

from crawler.store.protocol import Extended

__all__ = ["OnlyOwner"]


class OnlyOwner:
    """The base class of stores with one owner, whose leases never end."""

    shared: Final = False
    owner: Final = 0
    job_name: Final = ""
    lease: Final = math.inf
    behind: Final = 0
    others: Final[Mapping[str, int]] = {}

    async def extend(self) -> Extended:
        """Return that nothing has changed."""
        return Extended()

    async def changed(self) -> None:
        """Wait forever."""
        await trio.sleep_forever()
