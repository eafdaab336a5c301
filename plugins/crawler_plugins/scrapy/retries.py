"""`Retries`: the statuses after which requests are sent again, as ``RETRY_HTTP_CODES`` says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from scrapy.utils.misc import load_object

import crawler
from crawler_plugins.scrapy.handlers import ORIGIN
from crawler_plugins.scrapy.settings import has_retries

__all__ = ["Retries", "StatusRetryPolicy", "is_for_robots"]

log = logging.getLogger("scrapy.downloadermiddlewares.retry")

UNAVAILABLE: Final = 503
LIMITS: Final = frozenset({429, UNAVAILABLE})
"""Statuses by which a server says that it gets too many requests; 503 if it says until when."""


class Retries:
    """Decides which responses are followed by another attempt.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
    """

    def __init__(self, scrapy: Any) -> None:
        settings = scrapy.settings
        self._scrapy = scrapy
        self._level = _level_of(settings.get("RETRY_GIVE_UP_LOG_LEVEL", "ERROR"))
        try:
            self.codes = frozenset(int(code) for code in settings.getlist("RETRY_HTTP_CODES"))
        except (ValueError, TypeError) as error:
            raise crawler.ConfigError(f"setting RETRY_HTTP_CODES: {error}") from error
        self.are_on = has_retries(settings)
        """Whether requests are sent again as Scrapy's own middleware does."""
        if not self.are_on:
            self.codes = frozenset()
        self._times = settings.getint("RETRY_TIMES")
        try:
            self._exceptions = tuple(load_object(name) for name in settings.getlist("RETRY_EXCEPTIONS"))
        except (ImportError, NameError, ValueError, TypeError) as error:
            raise crawler.ConfigError(f"setting RETRY_EXCEPTIONS: {error}") from error
        self.counted = 0
        """Number of retries in the statistics of Scrapy."""

    def repeats(self, error: Exception) -> bool:
        """Return whether a request is sent again after an exception, as Scrapy raises it."""
        return bool(self.codes) and isinstance(error, self._exceptions)

    def has_attempts(self, request: crawler.Request, attempt: int) -> bool:
        """Return whether a request may be sent again after an attempt."""
        allowed = request.attempts if request.attempts is not None else 1 + self._times
        return bool(self.codes) and attempt < allowed

    def repeat(self, request: crawler.Request, failed: int, reason: str, kind: str = "") -> None:
        """Log and count that a request is sent again, as Scrapy's own middleware does.

        Parameters:
            request: The request.
            failed: How many attempts have failed.
            reason: Why the last one has, in the log.
            kind: The same in the statistics. Default: `reason`.
        """
        self.counted += 1
        log.debug("Retrying %s (failed %d times): %s", _shown(request), failed, reason, extra=self._about)
        self._scrapy.stats.inc_value("retry/count")
        self._scrapy.stats.inc_value(f"retry/reason_count/{kind or reason}")

    def give_up(self, request: crawler.Request, failed: int, reason: str) -> None:
        """Log and count that a request is not sent again. Parameters are those of `repeat`."""
        message = "Gave up retrying %s (failed %d times): %s"
        log.log(self._level, message, _shown(request), failed, reason, extra=self._about)
        self._scrapy.stats.inc_value("retry/max_reached")

    @property
    def _about(self) -> dict[str, Any]:
        return {"spider": self._scrapy.spider}

    @staticmethod
    def is_up_to_the_crawl(response: crawler.Response, is_accepted: Callable[[int], bool]) -> bool:
        """Return whether the crawl has to send a request again: its server says that it gets too many.

        Parameters:
            response: The response.
            is_accepted: Returns whether a status reaches the callback.
        """
        status = response.status
        if status not in LIMITS or status in response.request.accept_status or is_accepted(status):
            return False
        return status != UNAVAILABLE or "retry-after" in response.headers


class StatusRetryPolicy(crawler.RetryPolicy):
    """The policy of the crawl, without retries of statuses: `Retries` decides about those, except of a robots.txt.

    Parameters:
        settings: Those of the crawl.
        are_on: Whether requests are sent again after other failures.
    """

    def __init__(self, settings: crawler.Settings, *, are_on: bool = True) -> None:
        super().__init__(settings)
        self._are_on = are_on

    def wait(self, request: crawler.Request, attempts: int, error: Any) -> float | None:
        """Return the seconds until the next attempt; `None` if there is none."""
        is_left = isinstance(error, crawler.BadStatus) or not (self._are_on or isinstance(error, crawler.Retry))
        if is_left and not is_for_robots(request):
            return None
        return super().wait(request, attempts, error)

    def goes_back(self, request: crawler.Request, error: Any, refusals: int) -> bool:
        """Return whether a refused request is sent again without using up an attempt."""
        is_silent = error.status == UNAVAILABLE and error.retry_after is None
        return not is_silent and super().goes_back(request, error, refusals)


def _level_of(given: Any) -> int:
    """Return a level of the log by its name or number.

    Raises:
        ConfigError: There is none of that name.
    """
    known = logging.getLevelNamesMapping()
    if not isinstance(given, int) and given not in known:
        raise crawler.ConfigError(f"setting RETRY_GIVE_UP_LOG_LEVEL: no level {given!r}: use one of {', '.join(known)}")
    return given if isinstance(given, int) else known[given]


def _shown(request: crawler.Request) -> str:
    return f"<{request.method} {request.url.removeprefix(ORIGIN)}>"


def is_for_robots(request: crawler.Request) -> bool:
    """Return whether the crawl itself has made a request, for a robots.txt."""
    return request.url.endswith("/robots.txt") and not (request.callback or request.meta)
