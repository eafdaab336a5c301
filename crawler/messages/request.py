"""`Request`: one request, frozen and JSON-serialisable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar

import attrs
import msgspec

from crawler import urls
from crawler.headers import Headers
from crawler.messages import checks, encoding, handlers
from crawler.messages.handlers import Handler
from crawler.messages.stored_request import StoredRequest
from crawler.redaction import redact

__all__ = ["Request"]

R = TypeVar("R", bound="Request")

NO_FIELDS: Final = Headers()
NO_VALUES: Final[Mapping[str, Any]] = MappingProxyType({})


class _OwnMapping:
    """A mapping that a request gets when it is first read, since spiders and plugins may fill it.

    `__getattr__` would do the same, but with it, reading any other attribute takes twice as long.
    """

    def __init__(self, kind: type[dict[str, Any]]) -> None:
        self._kind = kind

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, request: Request | None, _owner: type | None = None) -> Any:
        return self if request is None else request.__dict__.setdefault(self._name, self._kind())


def _own_mapping(kind: type[dict[str, Any]] = dict) -> Any:
    """Return an `_OwnMapping`, to which the declared type of the attribute does not apply."""
    return _OwnMapping(kind)


class _Draft:
    """The attributes of a request while it is made: those of a `Request` cannot be set."""

    __slots__ = ("__dict__", "__weakref__", "callback", "depth", "url")

    url: str
    callback: str | None
    depth: int


class Request(_Draft):
    """One request: what to fetch, how, and which callback gets the response.

    A request is frozen, and each of its values survives a round trip through JSON. Values that would not are rejected
    when the request is made, with the name of the argument.

    Parameters:
        url: Absolute web URL. It is stored in canonical form, without its fragment; a user and password in it become
            `auth`.
        callback: Method of the spider that gets the `Response`, or the method's name. Default: `Spider.parse`.
        errback: Method that gets the `Failure` if the callback is not reached, or the method's name.
        method: HTTP method.
        params: Query parameters to add to the URL. A list of values repeats the name.
        headers: Header fields. They replace those of the settings; an empty value removes a field. A character of a
            value is a byte, as in `Response.headers`: a value in UTF-8 is written ``"…".encode().decode("latin-1")``.
        body: Bytes, or text that is sent as UTF-8. Give only one of `body`, `json` and `data`.
        json: A value that is sent as JSON.
        data: Form fields, sent URL-encoded. A list of values repeats the name.
        cookies: Names and values, sent in addition to the cookies of the session. They replace those of the same name
            and are not stored. A ``Cookie`` field in `headers` replaces all of them.
        session: Name of the cookie session. Requests of different sessions share no cookies.
        auth: User and password (RFC 7617), or a scheme and credentials in one string, such as ``"Bearer TOKEN"``
            (RFC 6750). Redirects to another origin do not get it.
        proxy: URL of a proxy (``http``, ``https``, ``socks5`` or ``socks5h``), or ``"direct"``. Default:
            `Settings.proxies`.
        meta: JSON values for your own use. They are `Response.meta` later. A key that is an option in Scrapy or
            Crawlee, such as ``proxy``, is refused: options are arguments here.
        cb_kwargs: Keyword arguments of the callback. They are stored as JSON and converted back by the callback's
            annotations.
        priority: Requests with a higher priority start first on their lane. Default: 0.
        dont_filter: Whether to fetch the request even if the crawl has seen the same request already.
        ignore_robots: Whether to fetch the request even if robots.txt forbids it, for pages that their owner has
            allowed. Its delays are kept, and redirects to another origin obey the one there.
        lane: Name of the lane whose limits apply. Default: scheme, host and port of the URL.
        quotas: Cost in budgets that lanes share, by budget name: ``{"key:A": 2}``. The request starts when its lane and
            all these budgets allow it.
        accept_status: HTTP statuses that reach the callback, in addition to 200–299.
        timeout: Seconds for the whole exchange. Default: `Settings.request_deadline`.
        attempts: Maximum number of attempts. Default: `Settings.attempts`. With more than 1, a method that
            is not idempotent, such as POST, is also repeated.
        max_body: Maximum size of the decoded body, in bytes. Default: `Settings.max_body`.
        plugins: Options by plugin name; ``False`` disables the plugin for this request.

    Raises:
        ValueError: The URL, the method, a header field, a cookie or a number is invalid, or a key of `meta` is an
            option of another program.
        TypeError: An argument has the wrong type, does not survive JSON, or does not fit the callback's signature.
    """

    __slots__ = ()

    url: str
    callback: str | None
    depth: int
    """Links between a start page and this request. A start page has depth 0."""

    # These defaults are shared by all requests. A request keeps the values that differ in its `__dict__`.
    errback: str | None = None
    method: str = "GET"
    headers: Headers = NO_FIELDS
    body: bytes = b""
    cookies: dict[str, str] = _own_mapping()
    session: str = ""
    auth: tuple[str, str] | str | None = None
    proxy: str | None = None
    meta: dict[str, Any] = _own_mapping(checks.Meta)
    cb_kwargs: dict[str, Any] = _own_mapping()
    priority: int = 0
    dont_filter: bool = False
    ignore_robots: bool = False
    lane: str | None = None
    quotas: dict[str, float] = _own_mapping()
    accept_status: tuple[int, ...] = ()
    timeout: float | None = None
    attempts: int | None = None
    max_body: int | None = None
    plugins: dict[str, Any] = _own_mapping()
    redirects: tuple[str, ...] = ()
    """The URLs that redirected to this one, first to last."""

    def __init__(  # noqa: C901, PLR0912, PLR0915 - an argument that is not given costs one comparison
        self,
        url: str,
        callback: Handler = None,
        *,
        errback: Handler = None,
        method: str = "GET",
        params: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
        headers: Mapping[str, str | None] | Iterable[tuple[str, str | None]] | None = None,
        body: bytes | str | None = None,
        json: Any = None,
        data: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
        cookies: Mapping[str, str] | None = None,
        session: str = "",
        auth: tuple[str, str] | str | None = None,
        proxy: str | None = None,
        meta: Mapping[str, Any] | None = None,
        cb_kwargs: Mapping[str, Any] | None = None,
        priority: int = 0,
        dont_filter: bool = False,
        ignore_robots: bool = False,
        lane: str | None = None,
        quotas: Mapping[str, float] | None = None,
        accept_status: Iterable[int] | None = None,
        timeout: float | None = None,
        attempts: int | None = None,
        max_body: int | None = None,
        plugins: Mapping[str, Any] | None = None,
    ) -> None:
        url = urls.normalize(url if type(url) is str else checks.require_type(str, "url", url))
        if "@" in url:
            url, userinfo = urls.split_userinfo(url)
            auth = checks.userinfo_auth(userinfo) if auth is None else auth
        if params is not None:
            query = encoding.encode_params(params)
            url = (
                urls.normalize(url + ("" if url.endswith(("?", "&")) else "&" if "?" in url else "?") + query)
                if query
                else url
            )
        fields = NO_FIELDS if headers is None else checks.parse_headers(headers)
        content = b""
        if body is not None or json is not None or data is not None:
            content, content_type = encoding.encode_body(body, json, data)
            if content_type and "content-type" not in fields:
                fields = Headers((*fields.pairs, ("Content-Type", content_type)))
        _set_url(self, url)
        _set_callback(self, None if callback is None else handlers.handler_name("callback", callback, cb_kwargs))
        _set_depth(self, 0)
        own: dict[str, Any] = {}
        if errback is not None:
            own["errback"] = handlers.handler_name("errback", errback, None)
        if method != "GET":
            own["method"] = checks.parse_method(method)
        if fields is not NO_FIELDS:
            own["headers"] = fields
        if content:
            own["body"] = content
        if cookies is not None:
            own["cookies"] = checks.parse_cookies(cookies)
        if session != "":
            own["session"] = checks.require_text("session", session)
        if auth is not None:
            own["auth"] = checks.parse_auth(auth)
        if proxy:
            own["proxy"] = checks.parse_proxy(proxy)
        if meta is not None:
            own["meta"] = checks.parse_meta(meta)
        if cb_kwargs is not None:
            own["cb_kwargs"] = handlers.encode_cb_kwargs(cb_kwargs, callback)
        if type(priority) is not int or priority != 0:
            own["priority"] = checks.require_int("priority", priority, 1 - 2**63)
        if dont_filter:
            own["dont_filter"] = checks.require_type(bool, "dont_filter", dont_filter)
        if ignore_robots:
            own["ignore_robots"] = checks.require_type(bool, "ignore_robots", ignore_robots)
        if lane:
            own["lane"] = checks.require_text("lane", lane)
        if quotas is not None:
            own["quotas"] = checks.parse_quotas(quotas)
        if accept_status is not None:
            own["accept_status"] = checks.parse_statuses(accept_status)
        if timeout is not None:
            own["timeout"] = checks.require_positive("timeout", timeout)
        if attempts is not None:
            own["attempts"] = checks.require_int("attempts", attempts, least=1)
        if max_body is not None:
            own["max_body"] = checks.require_int("max_body", max_body, least=1)
        if plugins is not None:
            own["plugins"] = checks.json_dict("plugins", plugins)
        if own:
            self.__dict__.update(own)

    def __setattr__(self, name: str, value: object) -> None:
        raise attrs.exceptions.FrozenInstanceError

    def __delattr__(self, name: str) -> None:
        raise attrs.exceptions.FrozenInstanceError

    @property
    def key(self) -> str:
        """The identity by which the crawl recognises repeats.

        It is the URL; for other requests than a GET without a body, also the method and a digest of the body.
        """
        if self.method == "GET" and not self.body:
            return self.url
        digest = hashlib.blake2b(self.body, digest_size=16).hexdigest() if self.body else ""
        return f"{self.method} {self.url} {digest}"

    def replace(self, **changes: Any) -> Request:
        """Return a copy with some arguments changed. `depth` and `redirects` are kept, and can be changed, too.

        If the new URL has another origin, `auth` is dropped unless given. `json` and `data` set the ``Content-Type``.

        Raises:
            ValueError: See `Request`.
            TypeError: See `Request`.
        """
        kept: dict[str, Any] = {"url": self.url, "callback": self.callback} | self.__dict__
        kept.pop("redirects", None)
        if {"json", "data"} & changes.keys():
            kept.pop("body", None)
            kept["headers"] = [pair for pair in self.headers.pairs if pair[0].lower() != "content-type"]
        depth, redirects = changes.pop("depth", self.depth), changes.pop("redirects", self.redirects)
        if "auth" not in changes and urls.origin(urls.normalize(changes.get("url", self.url))) != urls.origin(self.url):
            kept.pop("auth", None)
        return set_position(Request(**(kept | changes)), depth, redirects)

    def to_json(self) -> bytes:
        """Return the request as JSON, without the fields that have their default.

        Raises:
            TypeError: One of its mappings was given a value since that JSON does not have.
        """
        fields: dict[str, Any] = {"url": self.url, "callback": self.callback, "depth": self.depth} | self.__dict__
        if "headers" in fields:
            fields["headers"] = self.headers.pairs
        try:
            return msgspec.json.encode({name: fields[name] for name in _FIELDS if fields.get(name)})
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"{self!r} cannot be stored: {self.unstorable() or error}") from error

    def unstorable(self) -> str:
        """Return which value of its mappings JSON does not have, and its type; empty if each can be stored.

        The constructor refuses such values; this finds those that were put in later.
        """
        for name in _MAPPINGS:
            mapping = self.__dict__.get(name)
            if mapping and not checks.is_json(mapping):
                key, value = next((key, value) for key, value in mapping.items() if not checks.is_json({key: value}))
                return f"{name}[{key!r}] is of type {type(value).__name__}, which JSON does not have"
        return ""

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Return the request that `to_json` wrote."""
        fields = msgspec.json.decode(data, type=StoredRequest)
        stored = {name: value for name in _OPTIONS if (value := getattr(fields, name))}
        if "headers" in stored:
            stored["headers"] = Headers(stored["headers"])
        if "meta" in stored:
            stored["meta"] = checks.Meta(stored["meta"])
        if fields.method == "GET":
            del stored["method"]
        return _new(cls, fields.url, fields.callback, fields.depth, stored)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    def __hash__(self) -> int:
        return hash(self.key)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_json, (self.to_json(),)

    @property
    def shown_url(self) -> str:
        """The URL without secrets, for logs and files."""
        return redact(self.url)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.shown_url}>"


_FIELDS: Final = tuple(Request.__annotations__)
_MAPPINGS: Final = ("meta", "cb_kwargs")
"""The fields that spiders and plugins may change in place."""
_OPTIONS: Final = tuple(name for name in _FIELDS if name not in ("url", "callback", "depth"))
_set_url: Final = Request.url.__set__  # type: ignore[attr-defined]
_set_callback: Final = Request.callback.__set__  # type: ignore[union-attr]
_set_depth: Final = Request.depth.__set__  # type: ignore[attr-defined]


def _new(cls: type[R], url: str, callback: str | None, depth: int, options: Mapping[str, Any] | None = None) -> R:
    """Return a request whose values are known to be valid. `options` holds those that differ from their default."""
    request = object.__new__(cls)
    _set_url(request, url)
    _set_callback(request, callback)
    _set_depth(request, depth)
    if options:
        request.__dict__.update(options)
    return request


def plain_get(url: str, callback: str | None, depth: int) -> Request:
    """Return a GET request whose other fields have their defaults, without checks. Most links become such a request."""
    request: Any = _Draft()
    request.url = url
    request.callback = callback
    request.depth = depth
    request.__class__ = Request  # frozen from here on; the descriptors of its slots take twice as long
    return request  # type: ignore[no-any-return]


def has_options(request: Request) -> bool:
    """Return whether a request has more than a URL, a callback, a depth and a priority."""
    own = request.__dict__
    return bool(own) and any(value for name, value in own.items() if name != "priority")


def is_start_page(request: Request) -> bool:
    """Return whether a request is for a start page itself, not for the target of its redirect."""
    return request.depth == 0 and not request.redirects


def mapping_of(request: Request, name: str) -> Mapping[str, Any]:
    """Return the mapping of that name, such as ``quotas``, or an empty one, without adding it to the request.

    Reading the attribute adds it, so that spiders and plugins can fill it.
    """
    values: Mapping[str, Any] = request.__dict__.get(name, NO_VALUES)
    return values


def set_position(request: Request, depth: int, redirects: tuple[str, ...] = ()) -> Request:
    """Set the depth and redirects of a request that was just made, in place, and return it."""
    _set_depth(request, depth)
    if redirects or request.redirects:
        request.__dict__["redirects"] = redirects
    return request


def copy_unchecked(request: Request, **fields: Any) -> Request:
    """Return a copy with some fields set to values that are known to be valid.

    `Request.replace` checks its arguments; this function does not.
    """
    values = {"url": request.url, "callback": request.callback, "depth": request.depth} | request.__dict__ | fields
    return _new(Request, values.pop("url"), values.pop("callback"), values.pop("depth"), values)
