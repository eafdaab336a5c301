"""Process the items of a crawl in your own program while the crawl runs.

::

    python examples/stream_items.py https://quotes.example/

The crawl sends an item when the loop asks for it, so a slow loop slows the crawl down. Leaving the block ends
the crawl.
"""

from __future__ import annotations

import sys

import trio
from quotes import Quotes

from crawler import stream


async def main(start: str, most: int = 5) -> None:
    """Print the first quotes, then end the crawl."""
    async with stream(Quotes(start_urls=[start])) as items:
        count = 0
        async for item in items:
            print(f"{item['by']}: {item['text']}")
            count += 1
            if count == most:
                break


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
