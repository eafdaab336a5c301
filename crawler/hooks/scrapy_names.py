"""`misused_names`: names of Scrapy that have no effect here, and their equivalents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["misused_names"]

EQUIVALENTS: Final = {
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
    """Yield a message for each name of Scrapy that a class of the user defines.

    Parameters:
        kind: A spider or plugin class.
    """
    for name, meant in EQUIVALENTS.items():
        owner = next((base for base in kind.__mro__ if name in vars(base)), None)
        if owner is not None and owner.__module__.partition(".")[0] != "crawler":
            yield f"{kind.__name__}.{name} has a meaning in Scrapy only (did you mean {meant}?)"
