"""`texts_of`, `install`: selectors of what a query finds, made in less than a quarter of the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Final

from scrapy import Selector

__all__ = ["install", "texts_of"]

LIST: Final[Any] = Selector.selectorlist_cls
TYPE: Final = "html"
TYPES: Final = frozenset({"html", "xml"})
"""Types of which a selector is whatever it selects."""
FOUND: Final = {"_expr", "namespaces", "root", "type"}
"""The arguments for something that a query has found."""
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


def install() -> None:
    """Let the selectors of elements be made quickly as well. Further calls have no effect."""
    kind: Any = Selector
    if kind.__init__.__module__ != __name__ and _selector is _quick_selector:
        kind.__init__ = _quickly_made(kind, kind.__init__)


def _quickly_made(kind: Any, make: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that makes selectors of what a query has found without the checks of others.

    Parameters:
        kind: The class of selectors. Its subclasses have their own ways.
        make: Its constructor.
    """

    @wraps(make)
    def __init__(self: Any, *args: Any, **kw: Any) -> None:  # noqa: N807 - it replaces one
        if args or kw.keys() != FOUND or type(self) is not kind or kw["type"] not in TYPES:
            make(self, *args, **kw)
        else:
            _set_fields(self, **kw)

    __init__.__module__ = __name__
    return __init__


def _set_fields(made: Any, root: Any, type: Any, _expr: Any, namespaces: Any = None) -> None:  # noqa: A002 - its name
    """Give a selector the fields that its constructor would set."""
    made.root = root
    made.type = type
    made.response = None
    made.namespaces = NAMESPACES.copy()
    if namespaces is not None:
        made.namespaces.update(namespaces)
    made._expr = _expr  # noqa: SLF001
    made._huge_tree = True  # noqa: SLF001
    made._text = None  # noqa: SLF001


def _quick_selector(text: str, query: str) -> Any:
    made: Any = object.__new__(Selector)
    _set_fields(made, text, TYPE, query)
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
