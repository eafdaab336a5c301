"""`async_block`: enters and leaves another context manager; a loop over it says what to write instead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from crawler.async_block import async_block

log: list[str] = []


@async_block("async with numbered(3) as value")
@asynccontextmanager
async def numbered(number: int) -> AsyncIterator[int]:
    try:
        yield number
    except KeyError:
        log.append("a KeyError")


async def test_a_block_gets_the_value_and_its_errors_reach_the_manager():
    async with numbered(3) as value:
        assert value == 3
        raise KeyError
    assert log == ["a KeyError"]
    with pytest.raises(ValueError, match="^own$"):
        async with numbered(3):
            raise ValueError("own")


async def test_a_loop_without_a_block_says_what_to_write():
    with pytest.raises(TypeError, match="^open it before you loop over it: async with numbered.3. as value$"):
        async for _ in numbered(3):
            pass
