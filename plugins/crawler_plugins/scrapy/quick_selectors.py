"""`texts_of`: selectors of texts, made in less than a quarter of the time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from scrapy import Selector

__all__ = ["texts_of"]

LIST: Final[Any] = Selector.selectorlist_cls
TYPE: Final = "html"
NAMESPACES: Final[dict[str, str]] = dict(Selector._default_namespaces)  # noqa: SLF001 - each selector has a copy


class _Texts(LIST):
    """A list of selectors of texts."""

    def getall(self) -> list[Any]:
        """Return the text of each selector."""
        return [one.root if type(one.root) is str else one.get() for one in self]

    def get(self, default: Any = None) -> Any:
        """Return the text of the first selector, or a default if there is none."""
        for one in self:
            return one.root if type(one.root) is str else one.get()
        return default

    extract, extract_first = getall, get


_Texts.__name__ = _Texts.__qualname__ = LIST.__name__


def texts_of(texts: Iterable[str], query: str) -> Any:
    """Return the list of selectors that a query gives.

    Parameters:
        texts: What it finds.
        query: The query, as an XPath expression.
    """
    return _Texts([_selector(text, query) for text in texts])


def _quick_selector(text: str, query: str) -> Any:
    """Return the selector of a text, with the fields that its constructor would set."""
    made: Any = object.__new__(Selector)
    made.root = text
    made.type = TYPE
    made.response = None
    made.namespaces = NAMESPACES.copy()
    made._expr = query  # noqa: SLF001
    made._huge_tree = True  # noqa: SLF001
    made._text = None  # noqa: SLF001
    return made


def _plain_selector(text: str, query: str) -> Any:
    return Selector(root=text, type=TYPE, _expr=query)


def _fields(made: Any) -> dict[str, Any]:
    """Return the values of the fields of a selector."""
    names = {name for base in type(made).__mro__ for name in getattr(base, "__slots__", ()) if name != "__weakref__"}
    return dict(getattr(made, "__dict__", {})) | {name: getattr(made, name) for name in names if hasattr(made, name)}


_selector: Final = (
    _quick_selector if _fields(_plain_selector("a", "b")) == _fields(_quick_selector("a", "b")) else _plain_selector
)
"""Depends on the installed version: the fields may be others."""
