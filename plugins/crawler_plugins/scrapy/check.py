"""`check_project`: which spiders of a Scrapy project run here, which of them durably, and which cannot."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from scrapy.crawler import Crawler

from crawler_plugins.scrapy.duplicates import own_filter
from crawler_plugins.scrapy.durability import not_durable
from crawler_plugins.scrapy.feeds import feed_refusals
from crawler_plugins.scrapy.project import Project
from crawler_plugins.scrapy.refusals import missing_arguments, refusals, spider_refusals
from crawler_plugins.scrapy.settings import ignored_settings, wrong_settings

__all__ = ["Checked", "check_project"]


@attrs.frozen
class Checked:
    """The findings of `check_project` about one spider, module or setting."""

    name: str
    """Name of the spider, of a module that cannot be imported, or of a setting."""
    verdict: str
    """``runs``, ``not durable``, ``cannot``, or ``no effect`` for a setting."""
    reasons: tuple[str, ...] = ()
    """Why, and what to use instead."""


def check_project(project: Path) -> Iterator[Checked]:
    """Yield a verdict for each spider, then one for each setting of the project without effect.

    The modules of the project are imported, but no spider is created and no component runs.

    Parameters:
        project: The folder with its ``scrapy.cfg``.

    Raises:
        ConfigError: There is no project, or its settings cannot be imported.
    """
    found = Project(project)
    for name in found.spiders:
        yield _checked(name, found.spider_class(name), found.settings)
    for module, why in found.failed_modules.items():
        yield Checked(module, "cannot", (f"cannot be imported: {why}",))
    for name, reason in ignored_settings(found.settings):
        yield Checked(name, "no effect", (reason,))


def _checked(name: str, kind: Any, settings: Any) -> Checked:
    if reasons := tuple(spider_refusals(kind)):
        return Checked(name, "cannot", reasons)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Scrapy deprecates runs here
            merged = Crawler(kind, settings.copy()).settings
    except Exception as error:
        return Checked(name, "cannot", (f"its settings raise {type(error).__name__}: {error}",))
    if reasons := tuple(refusals(merged, kind)) or (*wrong_settings(merged), *feed_refusals(merged)):
        return Checked(name, "cannot", reasons)
    own = own_filter(merged)
    lost = tuple(dict.fromkeys([own] * bool(own) + list(not_durable(kind))))
    needed = " ".join(f"-a {argument}=VALUE" for argument in missing_arguments(kind))
    return Checked(name, "not durable" if lost else "runs", lost or ((f"with {needed}",) if needed else ()))
