"""Everything a user can set, in one frozen object that remembers which fields were given."""

from __future__ import annotations

import fnmatch
import functools
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

import attrs
import msgspec
from msgspec import Meta

from crawler.errors import ConfigError
from crawler.limits.backoff import Jitter
from crawler.limits.pace import Pace
from crawler.settings.headers import default_fields, merged
from crawler.settings.proxies import routes_of
from crawler.settings.texts import WORDS, is_utf8, plain
from crawler.suggest import did_you_mean

__all__ = ["Settings"]

T = TypeVar("T")
Seconds = Annotated[float, Meta(ge=0)]
Wait = Annotated[float, Meta(ge=0, le=86_400)]
Timeout = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Texts = tuple[Annotated[str, Meta(min_length=1)], ...]
PRINTABLE = r"^[!-~][ -~]*\Z"
SECRET = frozenset({"headers", "proxies"})
"""Settings that may hold passwords and keys, and are not shown."""
CONVERTED = frozenset({"headers", "pacing", "proxies"})
"""Settings whose values are checked and brought to one form by functions of their own."""


def _listed(value: Any) -> Any:
    """One text is a list of one."""
    return (value,) if isinstance(value, str) else value


def _pacing(value: Mapping[str, Any]) -> dict[str, Pace]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"setting pacing: a mapping of globs to Pace, not {value!r}")
    return {glob: _pace(glob, pace) for glob, pace in value.items()}


def _pace(glob: Any, value: Any) -> Pace:
    if not isinstance(glob, str):
        raise ConfigError(f"setting pacing: a glob must be text, not {glob!r}")
    if isinstance(value, Pace):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(f"setting pacing: {glob}: not a pace: {value!r}")
    known = [field.name for field in attrs.fields(Pace)]
    for name in value:
        if name not in known:
            raise ConfigError(f"setting pacing: {glob}: no such field: {name}{did_you_mean(name, known)}")
    try:
        return Pace(**value)
    except ValueError as error:
        raise ConfigError(f"setting pacing: {glob}: {error}") from None


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of a crawl. `base | over` takes from `over` only what was given to it.

    Layers: defaults < spider < settings file < environment < caller or command line.

    Raises:
        ConfigError: an unknown name or a value of the wrong kind or range.
    """

    user_agent: Annotated[str, Meta(pattern=PRINTABLE)] = "trio-crawler/0.1 (+https://example.com/bot)"
    """The ``User-Agent`` field; its part before the first space or slash is the token that robots.txt addresses.
    Of ``Mozilla/5.0 (compatible; ExampleBot/1.0)`` that is ``ExampleBot``."""
    workers: Annotated[int, Meta(ge=1, le=10_000)] = 32
    """Requests in flight over all lanes."""
    per_domain: Count = 8
    """Requests in flight on one lane (scheme, host and port), at most."""
    slow_start: bool | None = None
    """Whether the first request of a lane goes alone and more follow as the server keeps up, until `per_domain`.
    `None`: where nobody said how many may go at once."""
    delay: Wait = 0.0
    """Seconds between two starts on one lane."""
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Share of the delay that is added to it at random, 0 to 1."""
    pacing: dict[str, Pace] = attrs.field(factory=dict, converter=_pacing)
    """Glob of hosts (``"*.example.com"``, ``"example.com:8080"``) to `Pace`; the first glob that matches counts."""
    headers: dict[str, str] = attrs.field(factory=dict, converter=default_fields, repr=False)
    """Fields that every request carries, in this order: name to value, such as ``{"Accept-Language": "de"}``. They and
    those of a request take the place of ``Accept`` and ``Accept-Encoding``; an empty value leaves a field out."""
    proxies: dict[str, tuple[str, ...]] = attrs.field(factory=dict, converter=routes_of, repr=False)
    """One proxy, a list that is used in turn, or glob of hosts to either: ``http``, ``https``, ``socks5``, ``socks5h``
    URLs, or ``"direct"``. The first glob that matches counts; what matches none goes as `proxy_env` says."""
    proxy_env: bool = True
    """Whether the environment is asked for a proxy: ``http_proxy``, ``https_proxy``, ``all_proxy``, ``no_proxy``."""
    obey_robots: bool = True
    """Whether robots.txt (RFC 9309) is fetched and obeyed."""
    obey_nofollow: bool = False
    """Whether `follow_all` leaves out links with ``rel=nofollow``, ``ugc`` or ``sponsored``, and all links of a page
    whose ``X-Robots-Tag`` or ``<meta name=robots>`` says ``nofollow``."""
    srcset: bool = False
    """Whether a `SiteSpider`, which is what a URL on the command line means, follows pictures, sounds and films too:
    what `Response.media` finds, with each candidate of ``srcset``."""
    connect_timeout: Timeout = 10.0
    """Seconds until a connection, with its TLS handshake, must stand."""
    request_deadline: Timeout = 60.0
    """Seconds for one whole exchange, name look-up to last byte."""
    max_body: Count = 32 * 1024 * 1024
    """Bytes of one decoded body; a larger one fails as `BodyTooLarge`, and is not read further."""
    max_headers: Count = 256 * 1024
    """Bytes of all header lines of one answer."""
    max_redirects: Annotated[int, Meta(ge=0)] = 10
    """Redirects in one chain."""
    follow_refresh: Wait | None = None
    """Seconds: a page that refreshes to another one (``Refresh`` header or ``<meta http-equiv=refresh>``) after no
    longer than this is taken as a redirect. `None`: never."""
    max_depth: Annotated[int, Meta(ge=0)] | None = None
    """Links from a start page; `None`: no limit."""
    include: Texts = attrs.field(default=(), converter=_listed)
    """Patterns of the URLs that links may lead to: ``/blog/*``, ``https://example.com/*``, ``re:/[0-9]+$``; empty: any.
    A start page need not match."""
    exclude: Texts = attrs.field(default=(), converter=_listed)
    """Patterns of the URLs that are never fetched."""
    skip_extensions: Texts = attrs.field(default=(), converter=_listed)
    """File extensions of links that are not fetched (``pdf``); ``media`` are images, sound, video and fonts,
    ``archives`` compressed files, packages and programs."""
    max_url_length: Count | None = 4096
    """Characters of a URL that a link leads to; `None`: any number."""
    traps: bool = True
    """Whether links are left out that look like a site without end: path segments, or pairs of a query, that come again
    and again, a query of more than 100 parts, and one page under many sessions."""
    max_per_template: Count | None = None
    """URLs of one host that differ in numbers only, as the days of a calendar do; `None`: any number. A job that is
    continued counts anew."""
    dedup_content: bool = False
    """Whether a page whose body was that of another page is left out: its callback is not called. Empty bodies,
    sitemaps and requests with `dont_filter` count as new."""
    max_pages: Count | None = None
    """Stop after this many pages."""
    max_items: Count | None = None
    """Stop after this many items; those of the page that reached it are all kept."""
    max_seconds: Seconds | None = None
    """Stop after this many seconds."""
    max_errors: Count | None = None
    """Stop after this many failed requests (exit code 3)."""
    attempts: Count = 3
    """Attempts for one request, the first included."""
    backoff_base: Wait = 0.5
    """Seconds: the longest wait before the second attempt; doubled for each further one, drawn at random up to it."""
    backoff_max: Wait = 30.0
    """Seconds: the longest wait between two attempts."""
    backoff_jitter: Jitter = "full"
    """How chance spreads these waits: ``full`` from nothing to the longest, ``equal`` from its half, ``decorrelated``
    from `backoff_base` to three times the wait before."""
    inline_wait: Seconds = 5.0
    """Seconds that a handler's own `crawl.fetch` may wait for its lane; longer, and the page is put back until then."""
    grace: Seconds = 10.0
    """Seconds that what is in flight is given to end after a stop."""
    durability: Literal["process", "power"] = "process"
    """What a durable job survives: ``process`` the end of the process, ``power`` that of the machine too. A crawl that
    is kept in memory survives neither."""
    private_network: bool | None = None
    """Whether pages may lead to loopback, private, link-local and other networks that are not the public internet.
    `None`: to those that a start page is on; `False`: a start page may not be there either."""
    tls_verify: bool = True
    """Whether certificates are verified."""
    http3: bool = False
    """Whether HTTP/3 is tried first."""
    sink_lag: Count = 10_000
    """Items that a sink may be behind before the crawl waits for it."""

    _given: frozenset[str] = attrs.field(init=False, eq=False, repr=False)

    if not typing.TYPE_CHECKING:  # hides the signature of __init__ from type checkers

        def __new__(cls, **given: Any) -> Self:
            """Remembers which fields are given."""
            for name in given:
                if name not in NAMES:
                    raise ConfigError(f"no such setting: {name}{did_you_mean(name, NAMES)}")
            self = object.__new__(cls)
            object.__setattr__(self, "_given", frozenset(given))
            return self

    def __attrs_post_init__(self) -> None:
        for name in self._given - CONVERTED:
            try:
                value = msgspec.convert(getattr(self, name), _types()[name])
            except msgspec.ValidationError as error:
                raise ConfigError(f"setting {name}: {_expected(name, error)}, got {getattr(self, name)!r}") from None
            object.__setattr__(self, name, value)

    @classmethod
    def from_strings(cls, pairs: Mapping[str, str]) -> Self:
        """Settings from text, as a command line or an environment has them.

        Mappings are written as JSON, and so is a list of more than one text.

        Raises:
            ConfigError: an unknown name, or text that cannot be read as the setting's type.
        """
        values: dict[str, Any] = {}
        for name, text in pairs.items():
            if name not in NAMES:
                raise ConfigError(f"no such setting: {name}{did_you_mean(name, NAMES)}")
            if not is_utf8(text):
                raise ConfigError(f"setting {name}: not UTF-8")
            try:
                if name in CONVERTED:
                    bare = name == "proxies" and not text.startswith(("[", "{"))  # one URL, as it is
                    values[name] = text if bare else msgspec.json.decode(text)
                elif typing.get_origin(_types()[name]) is tuple:
                    values[name] = msgspec.json.decode(text) if text.startswith("[") else text
                else:
                    hint = _types()[name]
                    nothing = text.lower() == "none" and type(None) in typing.get_args(hint)
                    word = WORDS.get(text.lower(), text) if bool in (hint, *typing.get_args(hint)) else text
                    values[name] = None if nothing else msgspec.convert(word, hint, strict=False)
            except (msgspec.ValidationError, msgspec.DecodeError) as error:
                got = "" if name in SECRET else f", got {text!r}"
                raise ConfigError(f"setting {name}: {_expected(name, error)}{got}") from None
        return cls(**values)

    @property
    def given(self) -> dict[str, Any]:
        """The fields that were given, by name."""
        return {name: getattr(self, name) for name in sorted(self._given)}

    def __or__(self, over: Settings) -> Settings:
        if not isinstance(over, Settings):
            return NotImplemented
        values = self.given | over.given
        if "pacing" in self._given and "pacing" in over._given:
            values["pacing"] = over.pacing | {g: p for g, p in self.pacing.items() if g not in over.pacing}
        if "proxies" in self._given and "proxies" in over._given:
            values["proxies"] = over.proxies | {g: p for g, p in self.proxies.items() if g not in over.proxies}
        if "headers" in self._given and "headers" in over._given:
            values["headers"] = merged(self.headers, over.headers)
        return Settings(**values)

    def pace(self, authority: str) -> Pace:
        """The pace of one lane, every field filled in.

        Parameters:
            authority: host, or host and port, of the lane.
        """
        pace = _first(self.pacing, authority) or Pace()
        slowly = self.slow_start
        if slowly is None:
            slowly = pace.concurrency is None and "per_domain" not in self._given
        usual = Pace(concurrency=self.per_domain, delay=self.delay, jitter=self.jitter, slow_start=slowly)
        return pace.over(usual)

    def route(self, authority: str) -> tuple[str, ...]:
        """The proxies that a host is reached by in turn; empty: nothing is said.

        Parameters:
            authority: host, or host and port.
        """
        return _first(self.proxies, authority) or ()


def _first(globs: Mapping[str, T], authority: str) -> T | None:
    """What the first glob that matches a host, or host and port, stands for."""
    authority = authority.lower()
    host = authority if authority.endswith("]") else authority.rpartition(":")[0] or authority
    return next((value for glob, value in globs.items() if _matches(glob.lower(), authority, host)), None)


def _matches(glob: str, authority: str, host: str) -> bool:
    # Taken for a pattern, the brackets of an IPv6 address would stand for one of its characters.
    return glob in (authority, host) or fnmatch.fnmatchcase(authority, glob) or fnmatch.fnmatchcase(host, glob)


NAMES = tuple(field.name for field in attrs.fields(Settings) if not field.name.startswith("_"))


@functools.cache
def _types() -> dict[str, Any]:
    return typing.get_type_hints(Settings, include_extras=True)


def _expected(name: str, error: Exception) -> str:
    """What a setting takes: its choices if it has some, else msgspec's words."""
    choices = typing.get_args(_types()[name]) if name not in CONVERTED else ()
    if choices and all(isinstance(choice, str) for choice in choices):
        return f"expected {' or '.join(choices)}"
    text = plain(error)
    return "expected str of printable ASCII, no space first" if "regex" in text else text  # user_agent has the only one
