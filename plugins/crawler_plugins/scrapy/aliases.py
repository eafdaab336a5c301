"""Names that Scrapy has removed, for the projects that still import them.

`install` adds to each module the names that it no longer has, and lets removed modules be imported from where their
names are now. Names that the installed Scrapy has are left as they are.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pkgutil import iter_modules
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
MIDDLEWARES: Final = ("downloadermiddleware", "spidermiddleware")
"""Removed packages, whose modules have kept their names."""
GONE: Final = ("scrapy.contrib", "scrapy.xlib")
"""Beginnings of modules that no version has that runs here."""


def install() -> None:
    """Make the removed names available in this process. Further calls have no effect."""
    for name in _removed_modules():
        if name not in sys.modules:
            _add_module(name)
    for module, names in _missing_names().items():
        found: Any = importlib.import_module(module)
        for place, value in names.items():
            owner, _, name = place.rpartition(".")
            target = getattr(found, owner) if owner else found
            if not hasattr(target, name):
                setattr(target, name, value)


class _Removed(ModuleType):
    """A removed module, which gets the names of those that replace it when one of them is read."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":  # the import system asks for some
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        for source in _sources(self.__name__):
            found = vars(importlib.import_module(source))
            vars(self).update({key: value for key, value in found.items() if not key.startswith("__")})
        vars(self).update(_extra_names(self.__name__))
        return getattr(self, name)


def _add_module(name: str) -> None:
    """Let a module be imported, unless the installed Scrapy has it."""
    if not name.startswith(GONE) and find_spec(name) is not None:
        return
    made: Any = _Removed(name)
    made.__spec__, made.__path__ = ModuleSpec(name, None, is_package=True), []
    sys.modules[name] = made
    parent, _, last = name.rpartition(".")
    if parent in sys.modules and last not in vars(sys.modules[parent]):
        setattr(sys.modules[parent], last, made)


def _removed_modules() -> Iterator[str]:
    """Yield the names of the removed modules, packages first."""
    yield from MODULES
    for package in MIDDLEWARES:
        present = importlib.import_module(f"scrapy.{package}s")
        yield from (f"scrapy.contrib.{package}.{name}" for _, name, _ in iter_modules(present.__path__))


def _sources(name: str) -> tuple[str, ...]:
    """Return the modules that have the names of a removed one."""
    *_, package, last = name.split(".")
    return MODULES.get(name, (f"scrapy.{package}s.{last}",))


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
