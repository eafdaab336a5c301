"""`PROJECTS`: the projects with extensions of Scrapy, each a module in `projects`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

__all__ = ["BROKEN", "PROJECTS", "Project"]

BROWSERS: Final = {r'\["user-agent", "(?!Scrapy)[^"]+"\]': '["user-agent", "of a browser"]'}
"""The user agents of browsers, which are chosen at random."""


@attrs.frozen
class Project:
    """A project with one extension."""

    name: str
    """Of its module, and of its spider."""
    package: str
    """What it shows."""
    proof: str
    """A regular expression for what Scrapy's outcome, as JSON, has thanks to the package."""
    services: tuple[str, ...] = ()
    """What it needs beside the site."""
    scrapy: str = "2.19"
    """The newest version of Scrapy that it runs with: 2.19 or 2.11."""
    runs: int = 1
    """How many times it is run in the same folder."""
    exits: tuple[int, ...] = ()
    """The exit codes here, if they are not those of Scrapy: a crawl whose pages gave nothing is a problem."""
    varies: Mapping[str, str] = attrs.field(factory=dict)
    """What differs from run to run with Scrapy, too: regular expressions, and what is compared instead."""


PROJECTS: Final = (
    Project("user_agents", "scrapy-user-agents", "of a browser", varies=BROWSERS),
    Project("random_useragent", "scrapy-random-useragent", "of a browser", varies=BROWSERS),
    Project("fake_useragent", "scrapy-fake-useragent", "of a browser", scrapy="2.11", varies=BROWSERS),
    Project("rotating_proxies", "scrapy-rotating-proxies", "http://shop.test/item/1"),
    Project("proxies", "scrapy-proxies", "http://shop.test/item/1"),
    Project("deltafetch", "scrapy-deltafetch", '"deltafetch/skipped": 4', scrapy="2.11", runs=2, exits=(0, 4)),
    Project("crawl_once", "scrapy-crawl-once", '"crawl_once/ignored": 4', scrapy="2.11", runs=2),
    Project("jsonschema_items", "scrapy-jsonschema", '"jsonschema/errors/price": 2'),
    Project("poet", "scrapy-poet", '"name": "Item 1"'),
    Project("fieldstats", "scrapy-fieldstats", '"price": "80.0%"'),
    Project("querycleaner", "scrapy-querycleaner", r'stock\?n=1"', scrapy="2.11"),
    Project("inline_requests", "scrapy-inline-requests", '"stock": 10'),
    Project("xlsx", "scrapy-xlsx", "Item 4", scrapy="2.11", varies={r"(created|modified)[^>]*>[^<]*<": r"\1<"}),
)
"""The projects."""

BROKEN: Final = {
    "scrapy-magicfields": ("scrapy_magicfields", "cannot import name 'BaseItem'"),
    "scrapy-splitvariants": ("scrapy_splitvariants", "cannot import name 'DictItem'"),
}
"""Packages that cannot be used with any version of Scrapy that runs here: what cannot be imported, and why."""
