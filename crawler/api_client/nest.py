"""`Nest`: a nursery for tasks that serve its block, and end with it."""

from __future__ import annotations

from typing import Self

import trio

__all__ = ["Nest"]


class Nest:
    """An async context manager. Its tasks are cancelled when the block is left; they must raise nothing.

    What the block raises leaves it as it is: a nursery would put it into a group.
    """

    def __init__(self) -> None:
        self._manager = trio.open_nursery()
        self.nursery: trio.Nursery

    async def __aenter__(self) -> Self:
        self.nursery = await self._manager.__aenter__()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        scope = self.nursery.cancel_scope
        scope.shield = True  # so that leaving raises nothing of its own, which would take the place of the block's
        scope.cancel(reason="the block was left")
        await self._manager.__aexit__(None, None, None)  # noqa: ASYNC102 - the tasks are cancelled
