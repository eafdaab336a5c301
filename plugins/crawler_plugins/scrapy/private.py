"""Every private name of Scrapy and parsel that the bridge uses, and the versions in which a test finds them."""

from __future__ import annotations

import logging
from typing import Any, Final

from scrapy import Selector, Spider, version_info
from scrapy.crawler import Crawler
from scrapy.http.response.text import _url_from_selector
from scrapy.linkextractors import lxmlhtml
from scrapy.spiderloader import SpiderLoader

__all__ = [
    "SETS_ATTRIBUTES", "ModuleLoader", "allows_of", "apply_settings", "changes_no_value", "default_callback",
    "fields_of", "has_default_parse", "has_selector", "note_version", "selector_of", "url_of_selector",
]  # fmt: skip

FIRST, LAST = (2, 11), (2, 19)
"""The versions of Scrapy that the tests know."""
SETS_ATTRIBUTES: Final = hasattr(Crawler, "_apply_deprecated_spider_attr")
"""Whether Scrapy itself turns ``download_delay`` and the like of a spider into settings."""
NAMESPACES: Final[dict[str, str]] = dict(Selector._default_namespaces)  # noqa: SLF001 - each selector has a copy
url_of_selector = _url_from_selector
log = logging.getLogger("crawler.plugins.scrapy")


def note_version(version: tuple[Any, ...] = version_info) -> None:
    """Warn of a version of Scrapy that no test knows."""
    if not FIRST <= version[:2] <= LAST:
        known = " to ".join(f"{major}.{minor}" for major, minor in (FIRST, LAST))
        log.warning(
            "Scrapy %s is not known here: %s are tested; update this package, or install one of them",
            ".".join(map(str, version)), known,
        )  # fmt: skip


def apply_settings(crawler: Crawler) -> None:
    """Let a crawler make its stats, log formatter and extensions."""
    crawler._apply_settings()  # noqa: SLF001


def default_callback(spider: Any) -> Any:
    """Return what handles a page whose request names no callback."""
    return spider._parse  # noqa: SLF001


def has_default_parse(spider: Any) -> bool:
    """Return whether that is its `parse`."""
    return type(spider)._parse is Spider._parse  # noqa: SLF001


def has_selector(response: Any) -> bool:
    """Return whether the tree of lxml has been made for a response."""
    return response._cached_selector is not None  # noqa: SLF001


def allows_of(extractor: Any) -> Any:
    """Return the function that says whether a link extractor allows a link."""
    return extractor._link_allowed  # noqa: SLF001


def changes_no_value(parser: Any) -> bool:
    """Return whether the parser of a link extractor takes values as they are."""
    return parser.process_attr is getattr(lxmlhtml, "_identity", None)


def _filled_selector(text: str, query: str) -> Any:
    """Return a selector of a text that a query has found, in a fifth of the time of the constructor."""
    made: Any = object.__new__(Selector)
    made.root, made.type, made.response, made.namespaces = text, "html", None, NAMESPACES.copy()
    made._expr, made._huge_tree, made._text = query, True, None  # noqa: SLF001
    return made


def _made_selector(text: str, query: str) -> Any:
    return Selector(root=text, type="html", _expr=query)


def fields_of(made: Any) -> dict[str, Any]:
    """Return the values of the fields of an object."""
    names = {name for base in type(made).__mro__ for name in getattr(base, "__slots__", ()) if name != "__weakref__"}
    return dict(getattr(made, "__dict__", {})) | {name: getattr(made, name) for name in names if hasattr(made, name)}


_is_equal: Final = fields_of(_made_selector("a", "b")) == fields_of(_filled_selector("a", "b"))
selector_of = _filled_selector if _is_equal else _made_selector  # other versions may have other fields


class ModuleLoader(SpiderLoader):
    """A loader of spiders that leaves open how modules are found."""

    def load_modules(self) -> None:
        """Call `load_spiders` for each module."""
        raise NotImplementedError

    def load_spiders(self, module: Any) -> None:
        """Take the spiders of a module."""
        self._load_spiders(module)

    def places(self) -> dict[str, list[tuple[str, str]]]:
        """Return the module and the class of the spiders of each name."""
        found: dict[str, list[tuple[str, str]]] = self._found
        return found

    def _load_all_spiders(self) -> None:
        self.load_modules()
