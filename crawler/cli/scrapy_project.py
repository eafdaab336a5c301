"""``crawler run --scrapy PROJECT SPIDER``, and files with a Scrapy spider: the plugin that runs them."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crawler.content.json_values import collector_paused
from crawler.errors import ConfigError, CrawlerError
from crawler.hooks.load import entry_points_of, load_entry_point
from crawler.hooks.requirements import require
from crawler.spiders import Spider

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["EXTRA", "SCRAPY", "check_project", "prepare_import", "project_spider", "spider_of_class"]

GROUP: Final = "crawler.spiders"
"""Entry-point group of spiders that run the spiders of other frameworks."""
SCRAPY: Final = "scrapy"
DISTRIBUTION: Final = "trio-crawler"
EXTRA: Final = "trio-crawler[scrapy]"


def project_spider(project: Path, name: str, arguments: Mapping[str, str], settings: Mapping[str, str]) -> Spider:
    """Return a spider of a Scrapy project."""
    made: Spider = _bridge("--scrapy")(project, name, arguments, settings)
    return made


def spider_of_class(kind: Any, arguments: Mapping[str, str], settings: Mapping[str, str]) -> Spider:
    """Return a spider for a class of Scrapy spiders."""
    made: Spider = _bridge(kind.__name__).of_file(kind, arguments, settings)
    return made


def check_project(project: Path) -> Iterable[Any]:
    """Yield a verdict for each spider of a Scrapy project, with ``name``, ``verdict`` and ``reasons``."""
    found: Iterable[Any] = _bridge("crawler scrapy").check_project(project)
    return found


def prepare_import(path: Path) -> None:
    """Prepare the import of a file that imports Scrapy.

    Names that Scrapy has removed are restored, Twisted starts no event loop, and the modules of its project are found.
    """
    with contextlib.suppress(CrawlerError):  # the import of the file says so
        _bridge(str(path)).prepare(path)


def _bridge(what: str) -> Any:
    """Return the class of the plugin, which imports Scrapy in its own way."""
    if find_spec(SCRAPY) is None:
        require(what, {SCRAPY: EXTRA})
    found = _entry_point()
    if found is None:
        raise ConfigError(f"{what}: no plugin for Scrapy projects is installed: pip install '{EXTRA}'")
    with collector_paused():
        plugin = load_entry_point(found, "the plugin for Scrapy projects")
        gc.freeze()  # the objects of its modules live on, and need not be traversed
    return plugin


def _entry_point() -> EntryPoint | None:
    """Return the entry point of the plugin. The distribution that has it is asked first: to read all takes longer."""
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - slow, and few spiders are Scrapy's

    with contextlib.suppress(PackageNotFoundError):
        for point in distribution(DISTRIBUTION).entry_points.select(group=GROUP, name=SCRAPY):
            return point
    return entry_points_of(GROUP).get(SCRAPY)
