"""`Job`: the folder of a durable crawl. `identity`: what makes a later run the same crawl."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import attrs

from crawler.messages.checks import survives_json
from crawler.settings import Settings
from crawler.spiders import Spider

__all__ = ["Job", "identity"]

IDENTITY_SETTINGS: Final = ("obey_robots", "obey_nofollow", "max_depth", "max_redirects", "follow_refresh", "max_body")
"""Settings that decide which pages belong to a crawl. The others may change from run to run."""
NOT_ARGUMENTS: Final = frozenset({"auth", "crawl", "plugins", "position", "resumes", "settings", "state"})
"""Attributes of spiders that do not distinguish crawls, or are secret."""


@attrs.frozen
class Job:
    """A durable job. After a kill at any moment, the same crawl with the same job continues."""

    folder: Path = attrs.field(converter=Path)
    """Its folder, which is created if it does not exist."""
    override: bool = False
    """Continue even if the spider, its arguments or its settings have changed."""


def identity(spider: Spider, settings: Settings) -> dict[str, Any]:
    """Return what identifies a crawl, as JSON values: spider, arguments, and the settings in `IDENTITY_SETTINGS`."""
    arguments: dict[str, Any] = {}
    for name, value in vars(spider).items():
        if name.startswith("_") or name in NOT_ARGUMENTS:
            continue
        plain = list(value) if isinstance(value, tuple) else value
        if survives_json(plain):  # else it is not an argument from a command line
            arguments[name] = plain
    kind = type(spider)
    return {
        "spider": f"{spider.name} ({kind.__qualname__})",
        "arguments": arguments,
        "settings": {name: getattr(settings, name) for name in IDENTITY_SETTINGS},
    }
