"""`log_to_file`: the log of a crawl in the file that ``LOG_FILE`` names, as Scrapy writes it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scrapy.utils.log import TopLevelFormatter

from crawler import ConfigError

__all__ = ["log_to_file"]


@contextmanager
def log_to_file(settings: Any) -> Iterator[None]:
    """Write the log to ``LOG_FILE`` inside of the block, if the project names one. Other handlers get what they got.

    Parameters:
        settings: A `scrapy.settings.Settings`: ``LOG_LEVEL`` and the other settings of the log have their effect there.

    Raises:
        ConfigError: The file cannot be written.
    """
    if not (place := settings.get("LOG_FILE")):
        yield
        return
    try:
        mode = "a" if settings.getbool("LOG_FILE_APPEND", True) else "w"
        handler = logging.FileHandler(place, mode, settings.get("LOG_ENCODING"))
    except (OSError, LookupError) as error:
        raise ConfigError(f"setting LOG_FILE: {place} cannot be written: {error}") from error
    handler.setFormatter(logging.Formatter(settings.get("LOG_FORMAT"), settings.get("LOG_DATEFORMAT")))
    handler.setLevel(settings.get("LOG_LEVEL"))
    if settings.getbool("LOG_SHORT_NAMES"):
        handler.addFilter(TopLevelFormatter(["scrapy"]))
    root = logging.getLogger()
    level, others = root.level, [(one, one.level) for one in root.handlers]
    root.setLevel(min(level, handler.level))
    for other, own in others:
        other.setLevel(max(own, level))
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
        root.setLevel(level)
        for other, own in others:
            other.setLevel(own)
