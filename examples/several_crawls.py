"""Several crawls at once, which share their limits: ``python several_crawls.py https://a.example/ https://b.example/``."""

import sys
from functools import partial

import trio
from quotes import Quotes

from crawler import Limits, Report, crawl


async def crawl_all(starts: list[str]) -> dict[str, Report]:
    """Run a crawl for each URL. Those of one host share its pace, its concurrency and its quota."""
    limits = Limits()
    reports: dict[str, Report] = {}

    async def one(number: int, start: str) -> None:
        output = f"quotes-{number}.jsonl"
        reports[start] = await crawl(Quotes(start_urls=[start]), outputs=[output], limits=limits, if_exists="overwrite")

    async with trio.open_nursery() as nursery:
        for number, start in enumerate(starts, 1):
            nursery.start_soon(partial(one, number, start))
    return reports


if __name__ == "__main__":
    for start, report in trio.run(crawl_all, sys.argv[1:]).items():
        print(start, report.items)
