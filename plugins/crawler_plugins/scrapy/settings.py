"""`crawl_settings`: the settings of Scrapy as settings of the crawl."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from crawler import ConfigError, Pace, Settings
from crawler_plugins.scrapy.components import component_paths, path_of
from crawler_plugins.scrapy.redis_job import uses_scrapy_redis
from crawler_plugins.scrapy.setting_names import IGNORED

__all__ = ["crawl_settings", "has_retries", "ignored_settings", "is_given", "request_headers", "wrong_settings"]

COMPONENTS: Final = ("SPIDER_MIDDLEWARES", "ITEM_PIPELINES", "EXTENSIONS")
"""Settings of components that `crawl_settings` does not read."""
NUMBERS: Final = ("DEPTH_LIMIT", "DEPTH_PRIORITY", "REDIRECT_MAX_TIMES", "REDIRECT_PRIORITY_ADJUST", "RETRY_TIMES")
"""Settings that parts of the bridge or of Scrapy read as numbers when the crawl is set up."""
NOT_DEFAULTS: Final = frozenset({"connection", "content-length", "host", "proxy-authorization", "transfer-encoding"})
"""Header fields that the crawl does not take as defaults. `request_headers` returns those that requests may have."""
MIDDLEWARES: Final = "scrapy.downloadermiddlewares."
SHARED: Final = "a job in the Redis of REDIS_URL takes the place of the queues of scrapy-redis; --job names another"
log = logging.getLogger("crawler.plugins.scrapy")


def ignored_settings(settings: Any) -> Iterator[tuple[str, str]]:
    """Yield the settings of the project or the spider that have no effect, with the reason.

    Parameters:
        settings: A `scrapy.settings.Settings`.
    """
    for name, reason in sorted(IGNORED.items()):
        if (settings.getpriority(name) or 0) > 0 and name not in ("TWISTED_REACTOR", "TELNETCONSOLE_ENABLED"):
            yield name, SHARED if uses_scrapy_redis(settings, name) else reason


def wrong_settings(settings: Any) -> Iterator[str]:
    """Yield why settings cannot be used, one after the other.

    Parameters:
        settings: A `scrapy.settings.Settings` with everything merged.
    """
    reads: list[Callable[[Any], object]] = [crawl_settings]
    reads += [partial(component_paths, name=name) for name in COMPONENTS]
    for read in reads:
        try:
            read(settings)
        except (ConfigError, ValueError, TypeError) as error:
            yield str(error)


def is_given(settings: Any, name: str) -> bool:
    """Return whether a setting was given by the project, an add-on, the spider or the command line."""
    return (settings.getpriority(name) or 0) > 0


def crawl_settings(settings: Any, user_agent: str | None = None) -> Settings:
    """Return the settings of the crawl for those of Scrapy.

    Parameters:
        settings: A `scrapy.settings.Settings` with everything merged.
        user_agent: The attribute of the spider, which takes precedence. `None`: it has none.

    Raises:
        ConfigError: A value is out of range, or not one of its setting.
    """
    settings = _Named(settings)
    for name in NUMBERS:
        settings.getint(name)
    _check_level(settings.get("LOG_LEVEL"))
    get = settings.getfloat
    deadline = get("DOWNLOAD_TIMEOUT") or 180.0
    taken: dict[str, Any] = {
        "workers": max(1, settings.getint("CONCURRENT_REQUESTS")),
        "delay": get("DOWNLOAD_DELAY"),
        "obey_robots": settings.getbool("ROBOTSTXT_OBEY"),
        "request_deadline": deadline,
        "grace": deadline,  # a crawl that is stopped waits for its requests in flight
        "max_body": settings.getint("DOWNLOAD_MAXSIZE") or 2**40,
        "attempts": 1 + (settings.getint("RETRY_TIMES") if has_retries(settings) else 0),
        "max_url_length": settings.getint("URLLENGTH_LIMIT") or None,
        "outage_patience": 0.0,  # an errback is called after RETRY_TIMES, also for a host that cannot be reached
        "traps": False,
        "proxy_env": settings.getbool("HTTPPROXY_ENABLED", True),
        "cookies": settings.getbool("COOKIES_ENABLED", True),
        "headers": _default_headers(settings),
        "pacing": _slots(settings),
    }
    if settings.getbool("RANDOMIZE_DOWNLOAD_DELAY") and taken["delay"]:
        taken["jitter"] = min(1.0, settings.getfloat("DOWNLOAD_DELAY_JITTER", 0.5))
    if not settings.getbool("DOWNLOAD_FAIL_ON_DATALOSS", True):
        taken["incomplete"] = "keep"
    if is_given(settings, "DOWNLOAD_VERIFY_CERTIFICATES"):
        taken["tls_verify"] = settings.getbool("DOWNLOAD_VERIFY_CERTIFICATES")
    agent = user_agent or _user_agent(settings)
    if agent:
        taken["user_agent"] = agent
    if is_given(settings, "SCRAPER_SLOT_MAX_ACTIVE_SIZE"):
        taken["max_active_size"] = max(1, settings.getint("SCRAPER_SLOT_MAX_ACTIVE_SIZE"))
    return Settings(**taken, **_concurrency(settings))


def _check_level(level: Any) -> None:
    """Raise `ConfigError` unless the logging module knows a level."""
    if isinstance(level, str) and not level.isdecimal() and level not in logging.getLevelNamesMapping():
        raise ConfigError(f"setting LOG_LEVEL: {level!r} is no level: DEBUG, INFO, WARNING, ERROR or CRITICAL")


class _Named:
    """Settings that name a setting whose value is not one of its type.

    Parameters:
        settings: A `scrapy.settings.Settings`.
    """

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def __getattr__(self, method: str) -> Any:
        read = getattr(self._settings, method)

        def named(name: str, *default: Any) -> Any:
            try:
                return read(name, *default)
            except (ValueError, TypeError) as error:
                raise ConfigError(f"setting {name}: {error}") from error

        return named


def _concurrency(settings: Any) -> dict[str, Any]:
    """Return how many requests of a host may be in flight. By default a host starts with one."""
    if settings.getbool("AUTOTHROTTLE_ENABLED"):
        target = math.ceil(settings.getfloat("AUTOTHROTTLE_TARGET_CONCURRENCY"))
        return {
            "slow_start": True,
            "per_host": max(1, target),
            "backoff_max": settings.getfloat("AUTOTHROTTLE_MAX_DELAY"),
        }
    for name in ("CONCURRENT_REQUESTS_PER_IP", "CONCURRENT_REQUESTS_PER_DOMAIN"):
        if is_given(settings, name) and settings.getint(name):
            return {"per_host": max(1, settings.getint(name))}
    return {}


def _slots(settings: Any) -> dict[str, Pace]:
    """Return the paces of hosts in ``DOWNLOAD_SLOTS``."""
    paces: dict[str, Pace] = {}
    for slot, options in (settings.getdict("DOWNLOAD_SLOTS") or {}).items():
        given: dict[str, Any] = {}
        if options.get("concurrency"):
            given["concurrency"] = int(options["concurrency"])
        if options.get("delay") is not None:
            given["delay"] = float(options["delay"])
            usual = 0.5 if options.get("randomize_delay", True) else 0.0
            given["jitter"] = min(1.0, float(options.get("jitter", usual)))
        paces[slot] = Pace(**given)
    return paces


def _fields(settings: Any) -> Mapping[str, str]:
    """Return the default header fields with a value."""
    if not _is_active(settings, "defaultheaders.DefaultHeadersMiddleware"):
        return {}
    given = settings.getdict("DEFAULT_REQUEST_HEADERS") or {}
    return {str(name): str(value) for name, value in given.items() if value is not None}


def _default_headers(settings: Any) -> dict[str, str]:
    fields = _fields(settings)
    has_accept = any(name.lower() == "accept" for name in fields)
    kept = {
        name: value
        for name, value in fields.items()
        if name.lower() not in NOT_DEFAULTS | {"user-agent"} and value.isascii()
    }
    kept = kept if has_accept else kept | {"Accept": ""}
    decodes = settings.getbool("COMPRESSION_ENABLED", True)
    decodes = decodes and _is_active(settings, "httpcompression.HttpCompressionMiddleware")
    return (
        kept if decodes or any(name.lower() == "accept-encoding" for name in kept) else kept | {"Accept-Encoding": ""}
    )


def _user_agent(settings: Any) -> str:
    """Return the user agent of the crawl."""
    own = [value for name, value in _fields(settings).items() if name.lower() == "user-agent"]
    return str(own[0] if own else settings.get("USER_AGENT") or "").strip()


def request_headers(settings: Any) -> dict[str, str]:
    """Return the fields that each request has to name itself, in the form of the crawl.

    They are ``Host``, fields that are not ASCII, which Scrapy sends in UTF-8, and a ``User-Agent`` that is not sent.
    """
    fields = {
        name: value.encode().decode("latin-1")
        for name, value in _fields(settings).items()
        if name.lower() == "host" or (name.lower() not in NOT_DEFAULTS | {"user-agent"} and not value.isascii())
    }
    return fields if _is_active(settings, "useragent.UserAgentMiddleware") else fields | {"User-Agent": ""}


def has_retries(settings: Any) -> bool:
    """Return whether `RetryMiddleware` is active: the project has neither switched it off nor replaced it."""
    return bool(settings.getbool("RETRY_ENABLED")) and _is_active(settings, "retry.RetryMiddleware")


def _is_active(settings: Any, name: str) -> bool:
    """Return whether a downloader middleware of Scrapy is not switched off."""
    return f"{MIDDLEWARES}{name}" in map(path_of, component_paths(settings, "DOWNLOADER_MIDDLEWARES"))
