"""The code of users seen from outside: what blocks the event loop, does not return, or keeps a crawl from stopping."""

from __future__ import annotations

from crawler.watchdog.tasks import describe_step, describe_tasks
from crawler.watchdog.watchdog import Watchdog

__all__ = ["Watchdog", "describe_step", "describe_tasks"]
