"""`misused_names`: names of Scrapy that mean nothing here, and what is called so instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["misused_names"]

MEANT: Final = {
    "close_spider": "lifespan()",
    "closed": "lifespan()",
    "custom_settings": "settings = Settings(…)",
    "download_delay": "settings = Settings(delay=…)",
    "from_crawler": "lifespan(), where self.crawl is set",
    "handle_httpstatus_list": "accept_status",
    "http_pass": "auth",
    "http_user": "auth",
    "open_spider": "lifespan()",
    "process_item": "refine(), or persist() to keep it",
    "process_request": "admit(), or fetch() around an attempt",
    "process_response": "fetch()",
    "process_spider_output": "refine()",
    "start_requests": "start()",
}


def misused_names(kind: type) -> Iterator[str]:
    """A line for each name of Scrapy in a class of a user, which nobody will call or read.

    Parameters:
        kind: of a spider or a plugin.
    """
    for name, meant in MEANT.items():
        owner = next((base for base in kind.__mro__ if name in vars(base)), None)
        if owner is not None and owner.__module__.partition(".")[0] != "crawler":
            yield f"{kind.__name__}.{name} means something to Scrapy only (did you mean {meant}?)"
