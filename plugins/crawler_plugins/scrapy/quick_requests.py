"""`install`: requests of Scrapy are made in less than half of the time, one for each link of a page as a rule.

A URL is made safe once, not for each link to it, and a request that only follows a link is not converted: its parts
are what they are given as. Scrapy counts its living objects in `scrapy.utils.trackref`, for its telnet console, which
is not there: here it counts none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final

from scrapy.http import request
from scrapy.utils.trackref import object_ref
from w3lib.url import safe_url_string

__all__ = ["FRAGMENT", "PLAIN_URL", "install", "safe_url"]

_SEGMENT: Final = r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*"
_PORT: Final = "(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?"
PLAIN_URL: Final = re.compile(rf"https?://[a-z0-9.-]+{_PORT}(?:/(?:{_SEGMENT}/)*(?:{_SEGMENT})?)?", re.ASCII)
"""A URL that `safe_url_string` and `urljoin` leave as it is."""
FRAGMENT: Final = re.compile(r"[A-Za-z0-9_.~:/?@!$&'()*+,;=-]+")  # a set of single characters is the fastest
"""A fragment that `safe_url_string` leaves as it is."""


MAX_SAFE: Final = 50_000
"""URLs that are remembered."""
_safe: set[str] = set()
"""URLs that requests were made of, and that stay as they are."""


def install() -> None:
    """Let requests be made quickly. Further calls have no effect."""
    if request.safe_url_string is safe_url_string:
        request.safe_url_string = safe_url
        kind: Any = request.Request
        kind._set_url = _quick(kind._set_url)  # noqa: SLF001 - each URL passes it
        object_ref.__new__ = _uncounted
        made = _quickly_made(kind, kind.__init__)
        if _makes_the_same(kind, made):
            kind.__init__ = made


def _quick(set_url: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    """Return a method that sets the URL of a request, which is checked and made safe once."""

    def _set_url(self: Any, url: str) -> None:
        if type(url) is str and url in _safe:
            self._url = url
            return
        set_url(self, url)
        if self._url == url == safe_url(url):  # a verbatim one may be another
            _remember(url)

    return _set_url


def _quickly_made(kind: Any, make: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that makes requests which follow a link without the conversions of others.

    Parameters:
        kind: The class of requests. Its subclasses have their own ways.
        make: Its constructor.
    """

    @wraps(make)
    def __init__(  # noqa: N807 - it replaces one
        self: Any,
        url: Any,
        callback: Any = None,
        method: Any = "GET",
        headers: Any = None,
        body: Any = None,
        cookies: Any = None,
        meta: Any = None,
        encoding: Any = "utf-8",
        priority: Any = 0,
        dont_filter: Any = False,
        errback: Any = None,
        flags: Any = None,
        cb_kwargs: Any = None,
    ) -> None:
        if (
            type(url) is not str
            or (url not in _safe and not _stays(url))
            or type(self) is not kind
            or headers
            or body
            or cookies
            or flags
            or method != "GET"
            or type(priority) is not int
            or not (callback is None or callable(callback))
            or not (errback is None or callable(errback))
        ):
            make(
                self, url, callback, method, headers, body, cookies, meta, encoding, priority, dont_filter, errback,
                flags, cb_kwargs,
            )  # fmt: skip
            return
        self._encoding = encoding
        self.method = "GET"
        self._meta = dict(meta) if meta else None
        self._url = url
        self._body = b""
        self.priority = priority
        self.callback = callback
        self.errback = errback
        self._cookies = None
        self._headers = None
        self.dont_filter = dont_filter
        self._cb_kwargs = dict(cb_kwargs) if cb_kwargs else None
        self._flags = None

    return __init__


def _stays(url: str) -> bool:
    """Return whether a request has a URL as it is given: its fragment, too, if its page is known to stay."""
    page, sign, fragment = url.partition("#")
    if not (page in _safe or PLAIN_URL.fullmatch(page)) or (sign and not FRAGMENT.fullmatch(fragment)):
        return False
    if not sign:
        _remember(page)
    return True


def _remember(url: str) -> None:
    """Remember a URL that stays as it is."""
    if len(_safe) >= MAX_SAFE:
        _safe.clear()
    _safe.add(url)


def _makes_the_same(kind: Any, made: Callable[..., None]) -> bool:
    """Return whether a constructor gives a request the parts that the installed Scrapy gives it."""
    theirs, ours = kind("http://example.com/"), object.__new__(kind)
    try:
        made(ours, theirs.url)
    except AttributeError:  # before Scrapy 2.14, some parts are no fields but properties
        return False
    return _parts(theirs) == _parts(ours)


def _parts(made: Any) -> dict[str, Any]:
    """Return the values of the fields of an object."""
    names = {name for base in type(made).__mro__ for name in getattr(base, "__slots__", ()) if name != "__weakref__"}
    return dict(getattr(made, "__dict__", {})) | {name: getattr(made, name) for name in names if hasattr(made, name)}


def _uncounted(kind: type[object], *_: Any, **__: Any) -> Any:
    """Return a new object."""
    return object.__new__(kind)


@lru_cache(maxsize=20_000)
def safe_url(url: str, encoding: str = "utf-8") -> str:
    """Return what `safe_url_string` returns."""
    page, _, fragment = url.partition("#")
    if fragment and FRAGMENT.fullmatch(fragment):
        return f"{_safe_page(page, encoding)}#{fragment}"
    return _safe_page(url, encoding)


@lru_cache(maxsize=20_000)
def _safe_page(url: str, encoding: str) -> str:
    if PLAIN_URL.fullmatch(url):
        return url
    safe: str = safe_url_string(url, encoding)
    return safe
