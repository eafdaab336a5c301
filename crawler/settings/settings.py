"""`Settings`: everything a user can set, in one frozen object that remembers which fields were given."""

from __future__ import annotations

import functools
import os
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import attrs
import msgspec
from msgspec import Meta

from crawler.environment import resolve, resolve_credentials, resolve_values
from crawler.errors import ConfigError
from crawler.limits.backoff import Jitter
from crawler.limits.pace import Pace, first_match
from crawler.other_names import here, other_name
from crawler.settings.headers import default_fields, merge_layers
from crawler.settings.proxies import routes_of
from crawler.settings.texts import WORDS, is_utf8, requirement
from crawler.suggest import did_you_mean, either

__all__ = ["Settings", "paces_of"]

Seconds = Annotated[float, Meta(ge=0)]
Wait = Annotated[float, Meta(ge=0, le=86_400)]
Timeout = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
WallKind = Literal["all", "challenge", "login", "consent", "javascript", "parked", "soft_404"]
Texts = tuple[Annotated[str, Meta(min_length=1)], ...]
PRINTABLE = r"^[!-~][ -~]*\Z"
SECRET = frozenset({"headers", "proxies"})
"""Settings that may hold passwords or keys. Messages do not show their values."""
CONVERTED = {
    "headers": '{"Accept-Language": "de"}',
    "pacing": '{"*.example.com": {"rate": "60/min"}}',
    "proxies": '["http://127.0.0.1:3128"]',
}
"""Settings whose values have a converter of their own, with an example in JSON."""
SECONDS = frozenset({
    "backoff_base", "backoff_max", "connect_timeout", "delay", "follow_refresh", "grace", "inline_wait", "max_seconds",
    "outage_patience", "quota_patience", "request_deadline",
})  # fmt: skip
BYTES = frozenset({"max_body", "max_body_memory", "max_headers"})
UNITS = dict.fromkeys(SECONDS, "seconds") | dict.fromkeys(BYTES, "bytes")
"""Units of settings, for messages."""


def _listed(value: Any) -> Any:
    """Return a single string as a tuple of one."""
    return (value,) if isinstance(value, str) else value


def _path(value: Any) -> Any:
    """Return a path as text."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def paces_of(value: Any) -> dict[str, Pace]:
    """Convert the setting `pacing` to a mapping of globs to paces."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"setting pacing: must be a mapping of globs to Pace, not {value!r}")
    return {glob: _pace(glob, pace) for glob, pace in value.items()}


def _pace(glob: Any, value: Any) -> Pace:
    if not isinstance(glob, str):
        raise ConfigError(f"setting pacing: a glob must be text, not {glob!r}")
    if isinstance(value, Pace):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(f"setting pacing: {glob}: must be a Pace or a mapping of its fields, not {value!r}")
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
    """The settings of a crawl. `base | over` overrides the fields of `base` that were given to `over`.

    Layers, lowest first: defaults, spider, settings file, environment, command line or caller.

    Raises:
        ConfigError: A name is unknown, or a value has the wrong type or is out of range.
    """

    user_agent: Annotated[str, Meta(pattern=PRINTABLE)] = "trio-crawler/0.1"
    """Value of the ``User-Agent`` header. The default names the program but no page, since only its user can answer for
    a crawl: identify yourself, as in ``MyBot/1.0 (+https://my.site/bot)``. The product token, the part before the first
    space or slash, selects the group of robots.txt. The token of ``Mozilla/5.0 (compatible; ExampleBot/1.0)`` is
    ``ExampleBot``."""
    workers: Annotated[int, Meta(ge=1, le=10_000)] = 32
    """Maximum number of requests in flight, over all lanes together."""
    processes: Annotated[int, Meta(ge=1, le=256)] | Literal["auto"] = 1
    """Processes that run the callbacks of the spider. 1 means that the crawl is one process; with more, another one
    decides and stores. ``auto`` means one for each core that the crawl may use."""
    per_host: Count = 8
    """Maximum number of requests in flight on one lane (scheme, host and port)."""
    slow_start: bool | None = None
    """Whether a lane starts with one request at a time and adds more while the server keeps up, up to `per_host`.
    `None` means yes, unless `per_host` or the `Pace` of the host was given: then that many are sent at once after the
    first response, or after half a second."""
    delay: Wait = 0.0
    """Seconds between the starts of two requests on one lane."""
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Random addition to the delay, as a share of it: 0 to 1."""
    pacing: dict[str, Pace] = attrs.field(factory=dict, converter=paces_of)
    """Host glob (``"*.example.com"``, ``"example.com:8080"``) to `Pace`. The first glob that matches counts."""
    headers: dict[str, str | dict[str, str]] = attrs.field(factory=dict, converter=default_fields, repr=False)
    """Headers of every request, in this order, such as ``{"Accept-Language": "de"}``. They replace the default
    ``Accept`` and ``Accept-Encoding``, as the headers of a request do. An empty value removes a header. Headers with
    secret names, such as ``X-Api-Key``, go to the origins of start pages only. A mapping in place of a value belongs to
    a glob of hosts: ``{"*.example.com": {"X-Api-Key": "env:API_KEY"}}``. The first glob that matches counts."""
    cookies: bool = True
    """Whether cookies of responses are kept and sent back. Cookies of requests and `headers` are sent in any case."""
    cross_origin_headers: Texts = attrs.field(default=(), converter=_listed)
    """Names of headers of a request that a redirect may carry to another origin, in addition to those that describe the
    body or say what is accepted."""
    proxies: dict[str, tuple[str, ...]] = attrs.field(factory=dict, converter=routes_of, repr=False)
    """A proxy, a list of proxies used in turn, or a mapping of host globs to either. A proxy is an ``http``, ``https``,
    ``socks5`` or ``socks5h`` URL, or ``"direct"``. The first glob that matches counts; a host that matches none goes by
    `proxy_env`."""
    proxy_env: bool = True
    """Whether to use ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy`` of the environment."""
    obey_robots: bool = True
    """Whether to fetch and obey robots.txt (RFC 9309)."""
    obey_nofollow: bool = False
    """Whether `follow_all` skips links with ``rel=nofollow``, ``ugc`` or ``sponsored``, and all links of a page whose
    ``X-Robots-Tag`` or ``<meta name=robots>`` says ``nofollow``."""
    thorough: bool = True
    """Whether a `SiteSpider`, which crawls a URL given on the command line, follows everything that leads to a page
    without scripts: ``area``, ``frame``, ``iframe``, ``link``, refreshes, ``Link`` header fields, and GET forms
    without a required field that is empty. `False` means ``<a href>`` only."""
    srcset: bool = False
    """Whether a `SiteSpider` also follows images, audio and video: all of `Response.media`, with each candidate of
    ``srcset``."""
    connect_timeout: Timeout = 10.0
    """Seconds to establish a connection, TLS handshake included."""
    request_deadline: Timeout = 60.0
    """Seconds for one whole exchange, from the DNS look-up to the last byte of the body."""
    max_body: Count = 32 * 1024 * 1024
    """Maximum size of one decoded body, in bytes. A larger body fails with `BodyTooLarge` and is not read further."""
    max_active_size: Count = 80 * 1024 * 1024
    """Approximate limit of bytes in memory for bodies larger than 1 MiB, over all lanes together. Further responses are
    not read, and no request starts, until a page is done. A single body may be larger."""
    max_headers: Count = 256 * 1024
    """Maximum size of all header lines of one response, in bytes."""
    accept_walls: tuple[WallKind, ...] = attrs.field(default=(), converter=_listed)
    """Walls that reach callbacks: ``challenge``, ``login``, ``consent``, ``javascript``, ``parked``, or
    ``all``, which also turns their detection off. Any other wall ends its request with `Walled`, is counted as
    ``wall.challenge`` and so on, and is no page. For one request: ``plugins={"walls": False}``."""
    max_redirects: Annotated[int, Meta(ge=0)] = 10
    """Maximum number of redirects in one chain."""
    follow_refresh: Wait | None = None
    """Seconds: a page that refreshes to another URL (``Refresh`` header or ``<meta http-equiv=refresh>``) within this
    time counts as a redirect. `None` means never."""
    max_depth: Annotated[int, Meta(ge=0)] | None = None
    """Maximum number of links between a start page and a page. `None` means no limit."""
    include: Texts = attrs.field(default=(), converter=_listed)
    """Patterns of the URLs that links may lead to: ``/blog/*``, ``https://example.com/*``, ``re:/[0-9]+$``. Empty means
    any. A start page need not match."""
    exclude: Texts = attrs.field(default=(), converter=_listed)
    """Patterns of URLs that are never fetched."""
    skip_extensions: Texts = attrs.field(default=(), converter=_listed)
    """File extensions of links that are not fetched, such as ``pdf``. ``media`` stands for images, audio, video and
    fonts; ``archives`` for compressed files, packages and programs."""
    skip_logout: bool | None = None
    """Whether links that log out are skipped, by words of their paths, queries, texts and ``rel``. `None` means yes if
    the spider has a `login`, or `headers` a ``Cookie``. `exclude` skips others."""
    max_url_length: Count | None = 4096
    """Maximum length of the URL of a link, in characters. `None` means no limit."""
    traps: bool = True
    """Whether to skip links that look like a crawler trap: repeated path segments or query pairs, a query of more than
    100 parts, or one page under many session ids."""
    max_per_template: Count | None = None
    """Maximum number of URLs of one host that differ only in numbers, such as the days of a calendar. `None` means no
    limit. The count restarts when a job is resumed."""
    dedup_content: bool = False
    """Whether to skip a page whose body equals that of another page: its callback is not called. Empty bodies, sitemaps
    and requests with `dont_filter` are never skipped."""
    max_pages: Count | None = None
    """Stop after this many pages."""
    max_items: Count | None = None
    """Stop after this many items. All items of the page that reaches the limit are kept."""
    max_seconds: Seconds | None = None
    """Stop after this many seconds."""
    max_errors: Count | None = None
    """Stop after this many failed requests (exit code 3)."""
    problem_share: Share = 0.1
    """Share of the pages of a callback above which the crawl reports them as lost (exit code 4): ten pages at least
    that were refused, walls, empty, or redirected to known pages. With 1, it reports none."""
    attempts: Count = 3
    """Maximum number of attempts per request, including the first."""
    backoff_base: Wait = 0.5
    """Longest wait before the second attempt, in seconds. It doubles with each further attempt; `backoff_jitter` draws
    the wait at random below it."""
    backoff_max: Wait = 30.0
    """Longest wait between two attempts, in seconds."""
    backoff_jitter: Jitter = "equal"
    """Range of the random wait: ``full`` from zero to the longest, ``equal`` from half of it, ``decorrelated`` from
    `backoff_base` to three times the previous wait."""
    incomplete: Literal["fail", "keep"] = "fail"
    """The end of a page whose body was cut in each attempt: it fails, or the part that came is handled as a page with
    `Response.complete` false. Bodies that are written to files fail in both cases."""
    outage_patience: Seconds | None = 600.0
    """Seconds for which a host that has answered before may be unreachable until its requests fail. Until then they
    wait, and lose no attempts. `None` means no limit; 0 that each failed connection is an attempt."""
    quota_patience: Seconds | None = None
    """Seconds that a crawl with nothing else to do waits for limits of servers. Then it stops (exit code 3), and a job
    can be resumed later. `None` means as long as the servers say, even a month."""
    inline_wait: Seconds = 5.0
    """Seconds that `crawl.fetch` in a handler may wait for its lane. A page that must wait longer is retried later."""
    grace: Seconds = 10.0
    """Seconds that requests in flight may take to finish after a stop."""
    durability: Literal["process", "power"] = "process"
    """What a durable job survives: ``process`` a killed process, ``power`` also a power failure of the machine. A crawl
    without a job survives neither."""
    private_network: bool | None = None
    """Whether pages may lead to loopback, private, link-local and other networks that are not the public internet.
    `None` means only to networks that a start page is on; `False` forbids them to start pages too."""
    tls_verify: bool | str = attrs.field(default=True, converter=_path)
    """Whether to verify TLS certificates, or the path of a file with the authorities to trust, in the format PEM; a
    folder must be prepared by ``openssl rehash``. `True` trusts the file that ``SSL_CERT_FILE``, ``CURL_CA_BUNDLE`` or
    ``REQUESTS_CA_BUNDLE`` names in the environment, else those of certifi."""
    http3: bool = False
    """Whether to try HTTP/3 first."""
    sink_lag: Count = 10_000
    """Maximum lag of a sink, in items, before the crawl waits for it."""

    _given: frozenset[str] = attrs.field(init=False, eq=False, repr=False)

    if not typing.TYPE_CHECKING:  # hides the signature of __init__ from type checkers

        def __new__(cls, **given: Any) -> Self:
            """Remember which fields are given."""
            for name in given:
                check_name(name)
            self = object.__new__(cls)
            object.__setattr__(self, "_given", frozenset(given))
            return self

    def __attrs_post_init__(self) -> None:
        for name in self._given - CONVERTED.keys():
            try:
                value = msgspec.convert(getattr(self, name), _types()[name])
            except msgspec.ValidationError as error:
                raise ConfigError(f"setting {name}: {_required(name, error, repr(getattr(self, name)))}") from None
            object.__setattr__(self, name, value)

    @classmethod
    def from_strings(cls, pairs: Mapping[str, str]) -> Self:
        """Return settings that are given as text, on a command line or in the environment.

        A mapping is written as JSON, and so is a list of more than one string. ``env:NAME`` stands for the value of an
        environment variable.

        Raises:
            ConfigError: A name is unknown, or a text does not parse as the type of its setting.
        """
        values: dict[str, Any] = {}
        for name, given in pairs.items():
            check_name(name)
            text = resolve(given, f"setting {name}")
            if not is_utf8(text):
                raise ConfigError(f"setting {name}: not UTF-8")
            try:
                values[name] = _parsed(name, text)
            except (msgspec.ValidationError, msgspec.DecodeError) as error:
                shown = "" if name in SECRET else repr(text)
                hint = "" if isinstance(error, msgspec.ValidationError) else _json_hint(name)
                raise ConfigError(f"setting {name}: {_required(name, error, shown)}{hint}") from None
        return cls(**values)

    def resolved(self) -> Settings:
        """Return the settings with the values of environment variables in place of ``env:NAME``.

        Raises:
            ConfigError: A variable is not set, or its value is not one of its setting.
        """
        return Settings(**{name: _resolved(name, value) for name, value in self.given.items()})

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
            values["headers"] = merge_layers(self.headers, over.headers)
        return Settings(**values)

    def pace(self, name: str) -> Pace:
        """Return the pace of a lane or budget, with every field set.

        Parameters:
            name: Name of the lane or budget; for a lane, its host will do, with the port unless it is the default.
        """
        pace = first_match(self.pacing, name)
        slowly: bool | Literal["first"] | None = self.slow_start
        if slowly is None:
            slowly = True if (pace is None or pace.concurrency is None) and "per_host" not in self._given else "first"
        usual = _usual_pace(self.per_host, self.delay, self.jitter, slowly)
        return usual if pace is None else pace.over(usual)

    def route(self, authority: str) -> tuple[str, ...]:
        """Return the proxies that a host uses in turn; empty if the setting `proxies` names none.

        Parameters:
            authority: Host, with its port unless it is the default.
        """
        return first_match(self.proxies, authority) or ()


@functools.lru_cache(maxsize=64)  # a crawl of many hosts asks for each of them
def _usual_pace(concurrency: int, delay: float, jitter: float, slow_start: bool | Literal["first"]) -> Pace:
    return Pace(concurrency=concurrency, delay=delay, jitter=jitter, slow_start=slow_start)


def _parsed(name: str, text: str) -> Any:
    """Return the value of a setting that is given as text."""
    if name in CONVERTED:
        is_url = name == "proxies" and not text.startswith(("[", "{"))
        return text if is_url else msgspec.json.decode(text)
    hint = _types()[name]
    if typing.get_origin(hint) is tuple:
        return msgspec.json.decode(text) if text.startswith("[") else text
    kinds = (hint, *typing.get_args(hint))
    if type(None) in kinds and text.lower() == "none":
        return None
    if bool in kinds:
        text = WORDS.get(text.lower(), text)
        if text.lower() in ("true", "false"):
            hint = bool  # else msgspec prefers text where both are possible
    return msgspec.convert(text, hint, strict=False)


def _resolved(name: str, value: Any) -> Any:
    """Return the value of a setting without references to the environment."""
    if name == "headers":
        return _resolved_headers(value)
    return resolve_values(value, f"setting {name}")


def _resolved_headers(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: resolve_credentials(value, f"setting headers: {name}")
        if isinstance(value, str)
        else _resolved_headers(value)
        for name, value in fields.items()
    }


NAMES = tuple(field.name for field in attrs.fields(Settings) if not field.name.startswith("_"))
"""Names of all settings."""


def _other(name: str) -> str:
    """Return what has the effect of a setting of another program, to end a message; empty if that is not known."""
    other = other_name("setting", name)
    return f" (did you mean {other}?)" if other in NAMES else here("setting", name)


def check_name(name: str) -> None:
    """Raise `ConfigError` if there is no such setting."""
    if name not in NAMES:
        raise ConfigError(f"no such setting: {name}{_other(name) or did_you_mean(name, NAMES)}")


@functools.cache
def _types() -> dict[str, Any]:
    return typing.get_type_hints(Settings, include_extras=True)


def _json_hint(name: str) -> str:
    """Return what to write in place of malformed JSON, to end a message."""
    example = CONVERTED.get(name, '["one", "two"]')
    return f" (write JSON, such as {example})"


def _required(name: str, error: Exception, shown: str) -> str:
    """Return what a setting must be: one of its choices if it has any, else what msgspec says in plain English."""
    choices = typing.get_args(_types()[name]) if name not in CONVERTED else ()
    literals = [word for part in choices if typing.get_origin(part) is Literal for word in typing.get_args(part)]
    if choices and all(isinstance(choice, str) for choice in choices):
        required = either(choices)
    elif literals and ("enum" in str(error) or "|" in str(error)):
        required = either((*(() if ... in choices else ("a whole number",)), *literals))
    elif "`str` matching regex" in str(error):  # user_agent has the only one
        required = "text of printable ASCII that does not begin with a space"
    else:
        return requirement(error, shown, UNITS.get(name, ""))
    return f"must be {required}, not {shown}"
