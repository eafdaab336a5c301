"""What a crawl of the corpus did, in one form for both engines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from integration.scrapy.site import Site

__all__ = ["PROJECT", "in_folder", "outcome"]

PROJECT: Final = Path(__file__).parent / "project"
STATS: Final = re.compile(
    r"corpus/|depth/|item_|response_received_count|finish_reason|spider_exceptions/|httperror/|offsite/|retry/"
    r"|dupefilter/|downloader/(?!.*bytes)|file_count|file_status|request_depth|robotstxt/"
)
"""Statistics that are compared. The others are times, sizes, and those of parts that the crawl has of its own."""
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d+.:-]+\d")


def in_folder(settings: Any, folder: Path) -> Any:
    """Return settings with the path of a folder in place of ``{folder}``."""
    if isinstance(settings, str):
        return settings.replace("{folder}", str(folder))
    if isinstance(settings, dict):
        return {in_folder(key, folder): in_folder(value, folder) for key, value in settings.items()}
    return settings


def outcome(site: Site, crawler: Any, folder: Path) -> dict[str, Any]:
    """Return what a crawl did. Lists are sorted, unless the spider has the attribute `in_order`.

    Parts and statistics that the attribute `leaves_out` of the spider names are left out.

    Parameters:
        site: The site that was crawled.
        crawler: The Scrapy crawler.
        folder: The folder with its files.
    """
    recorder = crawler.recorder
    left_out = getattr(crawler.spidercls, "leaves_out", ())
    counted = sorted(crawler.stats.get_stats().items())
    stats = {name: value for name, value in counted if STATS.match(name) and not name.startswith(left_out or ("\0",))}
    found = {
        "requests": site.calls,
        "items": recorder.items,
        "dropped": recorder.dropped,
        "errors": recorder.errors,
        "notes": recorder.notes,
        "stats": stats,
        "files": {
            TIME.sub("TIME", str(path.relative_to(folder))): path.read_bytes().decode("latin-1")
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "cache" not in path.parts
        },
    }
    found = json.loads(json.dumps(found))
    if not getattr(crawler.spidercls, "in_order", False):
        for name in ("requests", "items", "dropped", "errors", "notes"):
            found[name].sort(key=json.dumps)
    return {name: value for name, value in found.items() if value and name not in left_out}
