"""`Job`: where a durable crawl is kept, and what makes it the same crawl when it is continued."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import attrs

from crawler.messages.checks import survives_json
from crawler.settings import Settings
from crawler.spiders import Spider

__all__ = ["Job", "identity"]

MEANING: Final = ("obey_robots", "obey_nofollow", "max_depth", "max_redirects", "follow_refresh", "max_body")
"""Settings that decide what belongs to a crawl; the others may change from run to run."""
NO_ARGUMENTS: Final = frozenset({"auth", "crawl", "plugins", "position", "resumes", "settings", "state"})
"""Attributes of spiders that do not tell one crawl from another, or are secret."""


@attrs.frozen
class Job:
    """A durable job: killed at any moment, the same crawl with the same job goes on."""

    folder: Path = attrs.field(converter=Path)
    """Where it is kept; made if it is missing."""
    override: bool = False
    """Go on although spider, arguments or settings are not those that it began with."""


def identity(spider: Spider, settings: Settings) -> dict[str, Any]:
    """What a crawl is, as JSON values: its spider, the arguments of it, and the settings that change its meaning."""
    arguments: dict[str, Any] = {}
    for name, value in vars(spider).items():
        if name.startswith("_") or name in NO_ARGUMENTS:
            continue
        plain = list(value) if isinstance(value, tuple) else value
        if survives_json(plain):  # else it is an object of the spider's own, no argument
            arguments[name] = plain
    kind = type(spider)
    return {
        "spider": f"{spider.name} ({kind.__qualname__})",
        "arguments": arguments,
        "settings": {name: getattr(settings, name) for name in MEANING},
    }
