"""Statistics that extensions of Scrapy with timers set, for projects in which they do not run."""

from __future__ import annotations

import resource
import sys
from typing import Any, Final

from scrapy.extensions.logstats import LogStats

__all__ = ["note_memory", "note_rates"]

MINUTE: Final = 60.0


def note_memory(stats: Any, name: str) -> None:
    """Set a statistic to the peak of the memory of the process, in bytes, unless it has a value.

    Parameters:
        stats: The statistics of Scrapy.
        name: The name of the statistic.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if stats.get_value(name) is None:
        stats.set_value(name, peak)


def note_rates(stats: Any, spider: Any) -> None:
    """Set the pages and items per minute, as versions of Scrapy do that have these statistics.

    Parameters:
        stats: The statistics of Scrapy, with the times of start and end.
        spider: The spider.
    """
    rates = getattr(LogStats(stats, MINUTE), "calculate_final_stats", None)
    if rates is not None:
        for name, rate in zip(("responses_per_minute", "items_per_minute"), rates(spider), strict=True):
            stats.set_value(name, rate)
