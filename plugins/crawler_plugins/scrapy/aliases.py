"""Names that Scrapy has removed, for the projects that still import them.

`install` adds to each module the names that it no longer has, and lets removed modules be imported from where their
names are now. Names that the installed Scrapy has are left as they are.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

__all__ = ["MODULES", "install"]

MODULES: Final = {
    "scrapy.command": ("scrapy.commands",),
    "scrapy.conf": (),
    "scrapy.contrib": (),
    "scrapy.contrib.closespider": ("scrapy.extensions.closespider",),
    "scrapy.contrib.corestats": ("scrapy.extensions.corestats",),
    "scrapy.contrib.downloadermiddleware": ("scrapy.downloadermiddlewares",),
    "scrapy.contrib.exporter": ("scrapy.exporters",),
    "scrapy.contrib.feedexport": ("scrapy.extensions.feedexport",),
    "scrapy.contrib.httpcache": ("scrapy.extensions.httpcache",),
    "scrapy.contrib.linkextractors": ("scrapy.linkextractors",),
    "scrapy.contrib.linkextractors.lxmlhtml": ("scrapy.linkextractors.lxmlhtml",),
    "scrapy.contrib.linkextractors.sgml": ("scrapy.linkextractors",),
    "scrapy.contrib.loader": ("scrapy.loader",),
    "scrapy.contrib.loader.processor": ("itemloaders.processors",),
    "scrapy.contrib.logstats": ("scrapy.extensions.logstats",),
    "scrapy.contrib.pipeline": ("scrapy.pipelines",),
    "scrapy.contrib.pipeline.files": ("scrapy.pipelines.files",),
    "scrapy.contrib.pipeline.images": ("scrapy.pipelines.images",),
    "scrapy.contrib.pipeline.media": ("scrapy.pipelines.media",),
    "scrapy.contrib.spidermiddleware": ("scrapy.spidermiddlewares",),
    "scrapy.contrib.spiders": ("scrapy.spiders",),
    "scrapy.contrib.spiders.crawl": ("scrapy.spiders.crawl",),
    "scrapy.contrib.spiders.feed": ("scrapy.spiders.feed",),
    "scrapy.contrib.spiders.sitemap": ("scrapy.spiders.sitemap",),
    "scrapy.contrib.throttle": ("scrapy.extensions.throttle",),
    "scrapy.contrib_exp": (),
    "scrapy.dupefilter": ("scrapy.dupefilters",),
    "scrapy.linkextractor": ("scrapy.linkextractors",),
    "scrapy.linkextractors.sgml": ("scrapy.linkextractors",),
    "scrapy.loader.processors": ("itemloaders.processors",),
    "scrapy.log": ("logging",),
    "scrapy.spider": ("scrapy.spiders",),
    "scrapy.squeue": ("scrapy.squeues",),
    "scrapy.statscol": ("scrapy.statscollectors",),
    "scrapy.utils.markup": ("w3lib.html",),
    "scrapy.utils.url": ("w3lib.url",),
    "scrapy.xlib": (),
    "scrapy.xlib.pydispatch": ("pydispatch",),
}
"""Modules that Scrapy has removed, with those that have their names now."""
MIDDLEWARES: Final = {
    "scrapy.contrib.downloadermiddleware.": "scrapy.downloadermiddlewares.",
    "scrapy.contrib.spidermiddleware.": "scrapy.spidermiddlewares.",
}
"""Prefixes of removed modules, which have kept their last part."""


def install() -> None:
    """Make the removed names available in this process. Further calls have no effect."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
    for module, names in _missing_names().items():
        found: Any = importlib.import_module(module)
        for place, value in names.items():
            owner, _, name = place.rpartition(".")
            target = getattr(found, owner) if owner else found
            if not hasattr(target, name):
                setattr(target, name, value)


class _Finder(MetaPathFinder):
    """Finds the removed modules; it is asked last."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a removed module comes from; `None` for any other module."""
        if fullname in MODULES or _moved(fullname):
            return ModuleSpec(fullname, _Loader(), is_package=True)
        return None


class _Loader(Loader):
    """Fills a removed module with the names of those that replace it."""

    def exec_module(self, module: ModuleType) -> None:
        """Copy the names."""
        name = module.__name__
        for source in (_moved(name),) if _moved(name) else MODULES[name]:
            found = vars(importlib.import_module(source))
            vars(module).update({key: value for key, value in found.items() if not key.startswith("__")})
        vars(module).update(_extra_names(name))


def _moved(name: str) -> str:
    """Return where a middleware of Scrapy is now; empty for any other module."""
    for prefix, present in MIDDLEWARES.items():
        if name.startswith(prefix):
            return present + name.removeprefix(prefix)
    return ""


def _extra_names(module: str) -> dict[str, Any]:
    """Return the names of a removed module that no other module has."""
    if module.endswith(".sgml"):
        from scrapy.linkextractors import LinkExtractor  # noqa: PLC0415

        return {"SgmlLinkExtractor": LinkExtractor}
    if module == "scrapy.contrib.loader":
        from scrapy.loader import ItemLoader  # noqa: PLC0415

        return {"XPathItemLoader": ItemLoader}
    if module == "scrapy.conf":
        from scrapy.utils.project import get_project_settings  # noqa: PLC0415

        return {"settings": get_project_settings()}
    if module == "scrapy.log":
        return {"msg": _log_message, "start": lambda *_args, **_kw: None}
    return {}


def _log_message(message: object = None, _level: int | None = None, **kw: Any) -> None:
    """Log a message as ``scrapy.log.msg`` did."""
    level = kw.get("level", _level)
    logging.getLogger("scrapy").log(logging.INFO if level is None else level, "%s", message)


def _missing_names() -> dict[str, dict[str, Any]]:
    """Return by module the names that it has lost, with their values."""
    from scrapy import Selector, Spider  # noqa: PLC0415 - only for projects that are run
    from scrapy.item import Item  # noqa: PLC0415

    class XPathSelector(Selector):
        """A selector as old versions had it."""

        def __init__(self, response: Any = None, text: str | None = None, **kw: Any) -> None:
            super().__init__(response, text, **kw)

        def select(self, query: str) -> Any:
            """Select by an XPath expression."""
            return self.xpath(query)

    selectors = dict.fromkeys(("HtmlXPathSelector", "XmlXPathSelector", "XPathSelector"), XPathSelector)
    return {
        "scrapy": {"BaseSpider": Spider},
        "scrapy.spiders": {
            "BaseSpider": Spider,
            "Spider.start_requests": _start_requests,
            "Spider.make_requests_from_url": _request_for,
        },
        "scrapy.selector": {
            **selectors,
            "Selector.select": Selector.xpath,
            "SelectorList.select": Selector.selectorlist_cls.xpath,
        },
        "scrapy.item": {"BaseItem": Item, "DictItem": Item},
        "scrapy.http": {"TextResponse.body_as_unicode": lambda response: response.text},
        "scrapy.utils.url": {"canonicalize_url": importlib.import_module("w3lib.url").canonicalize_url},
    }


def _start_requests(spider: Any) -> Iterator[Any]:
    """Yield the requests of the `start` of Scrapy's own base class, for spiders that call the removed method."""
    kinds: Any = type(spider).__mro__
    owners = (kind for kind in kinds if "start" in vars(kind) and kind.__module__.startswith("scrapy."))
    produced = next(owners).start(spider)
    while True:
        try:
            produced.__anext__().send(None)
        except StopIteration as step:  # it awaits nothing
            yield step.value
        except StopAsyncIteration:
            return


def _request_for(_spider: Any, url: str) -> Any:
    """Return the start request for a URL."""
    return importlib.import_module("scrapy").Request(url, dont_filter=True)
