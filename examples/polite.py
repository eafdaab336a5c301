"""Set the user agent and the request rate of a crawl.

::

    python -m crawler run examples/polite.py -o pages.jsonl
    python -m crawler run examples/polite.py -a url=http://127.0.0.1:8000/ -s delay=0.5 -o -
"""

from __future__ import annotations

from crawler import Pace, Settings
from crawler.spiders import SiteSpider


class Archive(SiteSpider):
    """Pages of one site: URL, title, depth and number of links."""

    settings = Settings(
        user_agent="example-bot/1.0 (+https://bot.example/)",  # robots.txt calls it `example-bot`
        per_host=2,  # at most two requests in flight on one host
        delay=1.0,  # seconds between the starts of two requests on one host
        jitter=0.5,  # plus a random share of the delay, up to one half
        pacing={  # the first glob that matches a host overrides the values above
            "api.archive.example": Pace(rate=("10/s", "200/min"), delay=0.0),
            "*.archive.example": Pace(concurrency=1, delay=5.0),
        },
        max_pages=1000,
    )

    def __init__(self, url: str = "https://archive.example/") -> None:
        super().__init__(url)
