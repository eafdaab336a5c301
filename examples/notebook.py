"""The items of a small crawl in one line: in a script, a notebook or an asyncio program.

::

    crawler demo --serve
    python examples/notebook.py http://127.0.0.1:8765/quotes/
"""

from __future__ import annotations

import asyncio
import sys

from quotes import Quotes

from crawler import crawl_items, run


def authors(start: str) -> list[str]:
    """Return the author of each quote."""
    items = crawl_items(Quotes(start_urls=[start]))
    return [item["by"] for item in items]


async def count(start: str) -> int:
    """Return the number of quotes, in an asyncio program: its other tasks continue while a thread crawls."""
    report = await asyncio.to_thread(run, Quotes(start_urls=[start]), outputs=["quotes.jsonl"], if_exists="overwrite")
    return report.items


if __name__ == "__main__":
    print(", ".join(authors(sys.argv[1])))
    print(asyncio.run(count(sys.argv[1])))
