"""Use the items of a crawl in a program of your own, as they come.

::

    python examples/stream_items.py https://quotes.example/

The next item is sent when it is asked for, so a slow reader slows the crawl. Leaving the block ends the crawl.
"""

from __future__ import annotations

import sys

import trio
from quotes import Quotes

from crawler import stream


async def main(start: str, most: int = 5) -> None:
    """Prints a few quotes, then has enough."""
    async with stream(Quotes(start_urls=[start])) as items:
        count = 0
        async for item in items:
            print(f"{item['by']}: {item['text']}")
            count += 1
            if count == most:
                break


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
