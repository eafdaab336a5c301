"""How fast a site is asked, and who asks.

::

    python -m crawler run examples/polite.py -o pages.jsonl
    python -m crawler run examples/polite.py -a url=http://127.0.0.1:8000/ -s delay=0.5 -o -
"""

from __future__ import annotations

from crawler import Pace, Settings
from crawler.spiders import SiteSpider


class Archive(SiteSpider):
    """Every page of one site: its address, title, depth and number of links."""

    settings = Settings(
        user_agent="example-bot/1.0 (+https://bot.example/)",  # robots.txt addresses it as `example-bot`
        per_host=2,  # requests in flight on one host
        delay=1.0,  # seconds between two starts on one host
        jitter=0.5,  # and up to half of that in addition, at random
        pacing={  # the first glob that matches a host goes over what stands above
            "api.archive.example": Pace(rate=("10/s", "200/min"), delay=0.0),
            "*.archive.example": Pace(concurrency=1, delay=5.0),
        },
        max_pages=1000,
    )

    def __init__(self, url: str = "https://archive.example/") -> None:
        super().__init__(url)
