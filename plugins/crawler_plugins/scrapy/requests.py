"""`RequestTranslator`: requests of Scrapy as requests of the crawl, and back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from scrapy import version_info
from scrapy.http import Request
from scrapy.utils.misc import load_object

import crawler
from crawler_plugins.scrapy.codec import decode, encode
from crawler_plugins.scrapy.duplicates import keeps_all
from crawler_plugins.scrapy.equivalents import rendering
from crawler_plugins.scrapy.handlers import Handlers, entered_url, host_of, web_handlers
from crawler_plugins.scrapy.header_fields import header_pairs, scrapy_headers
from crawler_plugins.scrapy.private import has_default_parse

__all__ = ["REDIRECTS", "RequestTranslator", "canonical", "given_cookies", "with_depth"]

REDIRECTS: Final = (301, 302, 303, 307, 308)
ERRORS: Final = range(300, 600)
IMMUTABLE: Final = (str, int, float, bool, type(None))
MARKS_STARTS: Final = version_info >= (2, 13)
"""Whether the installed Scrapy marks the requests of the start."""
CRAWLS: Final = frozenset({"depth", "is_start_request"})
"""Keys of `meta` that the crawl keeps in another form."""


@lru_cache(maxsize=50_000)  # most links of a page are on other pages, too
def canonical(url: str) -> str | None:
    """Return a URL as the crawl has it; `None` if it has no form there."""
    try:
        return crawler.Request(entered_url(url) or url).url
    except ValueError:
        return None


class NotedSlot(str):
    """A ``download_slot`` that the project has not chosen: its spiders copy the `meta` of responses."""

    __slots__ = ()


class RequestTranslator:
    """Translates requests, and keeps in memory what of them has no form in JSON.

    Parameters:
        spider: The Scrapy spider, whose methods are callbacks.
        settings: Its `scrapy.settings.Settings`.
        is_free: Returns whether a name of a callback is not one of the crawl's own.
        headers: Header fields that each request names.
        handlers: The download handlers of the project.
    """

    def __init__(
        self,
        spider: Any,
        settings: Any,
        is_free: Callable[[str], bool],
        headers: Mapping[str, str],
        handlers: Handlers,
    ) -> None:
        self._spider = spider
        self._handlers = handlers
        self._is_free = is_free
        self._default = spider.parse if has_default_parse(spider) else None
        self._headers = list(headers.items())
        self._added = {(name.lower(), value) for name, value in self._headers} | {("cookie", "")}
        self._numbers = itertools.count(1)
        self._kept: dict[int, Any] = {}
        self._merges_cookies = settings.getbool("COOKIES_ENABLED") and not web_handlers(settings)
        self._auth = _http_auth(spider, settings)
        self.durable = False
        """Whether requests must survive JSON."""
        self.keeps_repeats = keeps_all(settings)
        """Whether the crawl filters no repeats."""
        self.unfit: dict[str, int] = {}
        """Number of requests that have no form in JSON, by reason."""

    # ---- to the crawl ------------------------------------------------------------------------------------------------

    def to_crawl(self, request: Any) -> crawler.Request:
        """Return a request of Scrapy as one of the crawl.

        Parameters:
            request: The request.

        Raises:
            ValueError: The project turns off the scheme of its URL, or HTTP cannot carry it.
            TypeError: The crawl is a job, and the request has a value without a form in JSON.
        """
        self._handlers.require(request.url)
        callback, meta = self._handler(request.callback), request.meta
        options = self._options(request, meta)
        if request.priority:
            options["priority"] = request.priority
        cookies = {} if request.cookies == options.get("cookies", {}) else request.cookies
        is_usual = not cookies and not (self.keeps_repeats and request.dont_filter)
        if is_usual and self._is_plain(request, callback):
            return crawler.Request(request.url, callback or None, **options)
        kept = self._kept_form(request, callback, self._handler(request.errback), cookies)
        is_named = callback and "#" not in kept and "c" not in kept
        return crawler.Request(
            entered_url(request.url) or request.url,
            callback if is_named else None,
            errback="lost" if request.errback is not None else None,
            meta=kept,
            **options,
        )

    def _handler(self, handler: Any) -> str | None:
        """Return the name of a method of the spider; empty for `None`, and `None` for another callable."""
        if handler is None or handler == self._default:
            return ""
        name = getattr(handler, "__name__", "")
        own = getattr(handler, "__self__", None) is self._spider and getattr(self._spider, name, None) == handler
        return name if own else None

    def _is_plain(self, request: Any, callback: str | None) -> bool:
        """Return whether a request needs nothing but what the crawl's own requests have."""
        return (
            callback is not None
            and (not callback or self._is_free(callback))
            and type(request) is Request
            and request.errback is None
            and not request.meta.keys() - CRAWLS
            and not request.cb_kwargs
            and not request.flags
            and canonical(request.url) == request.url
        )

    def _kept_form(self, request: Any, callback: str | None, errback: str | None, cookies: Any) -> dict[str, Any]:
        """Return what the crawl has no field for: in JSON, or the number under which it is kept in memory.

        Parameters:
            request: The request.
            callback: The name of its callback; empty for the default one, `None` for one without a name.
            errback: The same of its errback.
            cookies: Its cookies, if the crawl does not have them as they are.
        """
        try:
            if callback is None or errback is None:
                handler = request.callback if callback is None else request.errback
                name = getattr(handler, "__qualname__", repr(handler))
                raise TypeError(f"the callback {name} is not a method of the spider")
            if not self.durable and not (_is_immutable(request.meta) and _is_immutable(request.cb_kwargs)):
                raise TypeError("")  # the spider may share a value between requests
            form: dict[str, Any] = {
                "e": errback,
                "m": encode(_own_meta(request.meta), "meta"),
                "k": encode(request.cb_kwargs, "cb_kwargs"),
                "f": encode(request.flags, "flags"),
                "o": encode(cookies, "cookies"),
                "n": self.keeps_repeats and request.dont_filter,
            }
            page, _, fragment = request.url.partition("#")
            if canonical(page) == page:
                form["h"] = fragment
            else:
                form["u"] = request.url
            if callback and not self._is_free(callback):
                form["c"] = callback
            if type(request) is not Request:
                kind = type(request)
                form["t"] = f"{kind.__module__}.{kind.__qualname__}"
                form["x"] = {
                    name: encode(getattr(request, name), name)
                    for name in getattr(request, "attributes", ())
                    if name not in Request.attributes and hasattr(request, name)
                }
            return {name: value for name, value in form.items() if value}
        except TypeError as error:
            reason = str(error)
            if self.durable:
                message = f"{request}: {reason}: a job keeps requests as JSON; run it without --job, or change that"
                raise TypeError(message) from None
            if reason:
                self.unfit[reason] = self.unfit.get(reason, 0) + 1
            number = next(self._numbers)
            self._kept[number] = request
            return {"#": number}

    def _options(self, request: Any, meta: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the crawl has a field for."""
        options: dict[str, Any] = {}
        if request.method != "GET":
            options["method"] = request.method
        if request.body:
            options["body"] = request.body
        merges, given = self._merges_cookies and not meta.get("dont_merge_cookies"), request.headers
        fields = [pair for pair in self._headers if pair[0] not in given]
        if given:
            own = header_pairs(given)
            fields += [pair for pair in own if pair[0] != "Cookie"] if merges else own
        if meta.get("dont_merge_cookies") and "Cookie" not in given:
            fields.append(("Cookie", ""))
        if fields:
            options["headers"] = _fields(tuple(fields))
        if request.cookies and merges:
            options["cookies"] = {
                name: value for name, value, place in given_cookies(request.cookies) if value.isascii() and not place
            }
        if request.dont_filter or self.keeps_repeats:
            options["dont_filter"] = True
        if meta:
            options |= _meta_options(meta)
            if (rendered := rendering(meta)) is not None:
                options["plugins"] = {"browser": rendered}
        auth = self._auth
        if meta.get("http_user") or meta.get("http_pass"):
            auth = _Auth(meta.get("http_user", ""), meta.get("http_pass", ""), meta.get("http_auth_domain"))
        if auth is not None and "Authorization" not in request.headers and auth.fits(request.url):
            options["auth"] = auth.pair
        return options

    # ---- back --------------------------------------------------------------------------------------------------------

    def to_scrapy(self, request: crawler.Request) -> Any:
        """Return a request of the crawl as the spider made it, with its depth in `meta`."""
        kept = request.meta
        if "#" in kept:
            original = self._kept[kept["#"]]
            is_same = canonical(original.url) == request.url and original.method == request.method
            changed = {"url": request.url, "method": request.method, "body": request.body}
            found = original if is_same else original.replace(**changed)
        else:
            name = kept.get("c") or request.callback
            kind: Any = Request if "t" not in kept else load_object(kept["t"])
            found = kind(
                _url_of(request),
                callback=getattr(self._spider, name) if name else None,
                errback=getattr(self._spider, kept["e"]) if "e" in kept else None,
                method=request.method,
                body=request.body or None,
                cookies=decode(kept["o"]) if "o" in kept else request.cookies or None,
                meta=decode(kept.get("m")),
                cb_kwargs=decode(kept.get("k")),
                flags=decode(kept.get("f")),
                priority=request.priority,
                dont_filter="n" in kept if self.keeps_repeats else bool(request.dont_filter),
                **{name: decode(value) for name, value in kept.get("x", {}).items()},
            )
            own = [pair for pair in request.headers.pairs if (pair[0].lower(), pair[1]) not in self._added]
            if own:
                found.headers = scrapy_headers(own)
        found.meta["depth"] = kept.get("d", request.depth)
        if MARKS_STARTS and request.depth == 0 and "d" not in kept:
            found.meta["is_start_request"] = True
        return found

    def forget(self, requests: Iterable[crawler.Request]) -> None:
        """Forget the requests of Scrapy that were kept in memory for settled ones."""
        for request in requests:
            self._kept.pop(request.meta.get("#", 0), None)


@lru_cache(maxsize=256)  # the requests of a page have the same ones
def _fields(pairs: tuple[tuple[str, str], ...]) -> crawler.Headers:
    """Return header fields as the crawl has them."""
    return crawler.Headers(list(pairs))


def _url_of(request: crawler.Request) -> str:
    """Return the URL of a request as the spider has written it, unless it was replaced."""
    kept = request.meta
    if "u" in kept and canonical(kept["u"]) == request.url:
        written: str = kept["u"]
        return written
    return f"{request.url}#{kept['h']}" if "h" in kept else request.url


def with_depth(request: crawler.Request, depth: int) -> crawler.Request:
    """Return a request of the crawl that keeps the depth which it has in Scrapy."""
    return request.replace(meta=request.meta | {"d": depth})


def _own_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `meta` without what the crawl has noted in it."""
    is_noted = isinstance(meta.get("download_slot"), NotedSlot)
    return {key: value for key, value in meta.items() if key != "depth" and not (is_noted and key == "download_slot")}


def _meta_options(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a request that keys of its `meta` stand for."""
    options: dict[str, Any] = {}
    accepted: list[int] = []
    if meta.get("handle_httpstatus_all"):
        accepted += ERRORS
    elif "handle_httpstatus_list" in meta:
        accepted += [status for status in ERRORS if status in meta["handle_httpstatus_list"]]
    if accepted:
        options["accept_status"] = sorted({*accepted, *REDIRECTS})
    if meta.get("dont_retry"):
        options["attempts"] = 1
    elif "max_retry_times" in meta:
        options["attempts"] = 1 + int(meta["max_retry_times"])
    if meta.get("proxy"):
        options["proxy"] = str(meta["proxy"])
    if meta.get("download_timeout"):
        options["timeout"] = float(meta["download_timeout"])
    if meta.get("download_maxsize"):
        options["max_body"] = int(meta["download_maxsize"])
    if meta.get("cookiejar") is not None:
        options["session"] = str(meta["cookiejar"])
    if meta.get("dont_obey_robotstxt"):
        options["ignore_robots"] = True
    slot = meta.get("download_slot")
    if slot and not isinstance(slot, NotedSlot):
        options["lane"] = str(slot)
    return options


def given_cookies(cookies: Any) -> Iterable[tuple[str, str, str]]:
    """Yield the names, values and places of the cookies of a request, which Scrapy takes as a dict or as a list.

    A place is what follows them in a ``Set-Cookie`` line, such as ``; path=/``; empty for the request itself.
    """
    for cookie in cookies if isinstance(cookies, list) else [{"name": n, "value": v} for n, v in cookies.items()]:
        if cookie["value"] is not None:
            value = _text(cookie["value"]).partition(";")[0]  # as a Set-Cookie line has it
            places = [f"; {kind}={cookie[kind]}" for kind in ("path", "domain") if cookie.get(kind)]
            secure = "; secure" if cookie.get("secure") else ""
            yield _text(cookie["name"]), value, f"{''.join(places)}{secure}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _is_immutable(values: Mapping[str, Any]) -> bool:
    return all(isinstance(value, IMMUTABLE) for value in values.values())


class _Auth:
    """User and password of the spider, for the hosts of a domain."""

    def __init__(self, user: str, password: str, domain: str | None) -> None:
        self.pair = (user, password)
        self._domain = domain

    def fits(self, url: str) -> bool:
        """Return whether requests for a URL carry them."""
        if self._domain is None:
            return True
        host = host_of(url)
        return host == self._domain or host.endswith("." + self._domain)


def _http_auth(spider: Any, settings: Any) -> _Auth | None:
    user = getattr(spider, "http_user", "") or settings.get("HTTPAUTH_USER") or ""
    password = getattr(spider, "http_pass", "") or settings.get("HTTPAUTH_PASS") or ""
    if not user and not password:
        return None
    return _Auth(user, password, getattr(spider, "http_auth_domain", None) or settings.get("HTTPAUTH_DOMAIN"))
