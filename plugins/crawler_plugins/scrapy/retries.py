"""`Retries`: the statuses after which requests are sent again, as ``RETRY_HTTP_CODES`` says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import crawler

__all__ = ["Retries", "StatusRetryPolicy"]

BY_THE_CRAWL: Final = frozenset({408, 425, 429, *range(500, 600)} - {501, 505})
"""Statuses after which the crawl sends a request again by itself, unless they are accepted."""


class Retries:
    """Decides which responses are followed by another attempt.

    Parameters:
        settings: The `scrapy.settings.Settings`.
    """

    def __init__(self, settings: Any) -> None:
        self.codes = frozenset(int(code) for code in settings.getlist("RETRY_HTTP_CODES"))
        if not settings.getbool("RETRY_ENABLED"):
            self.codes = frozenset()
        self._times = settings.getint("RETRY_TIMES")

    def has_attempts(self, request: crawler.Request, attempt: int) -> bool:
        """Return whether a request may be sent again after an attempt."""
        allowed = request.attempts if request.attempts is not None else 1 + self._times
        return bool(self.codes) and attempt < allowed

    def after(self, response: crawler.Response, is_accepted: Callable[[int], bool]) -> crawler.Retry | None:
        """Return the retry of a response that the crawl would not retry by itself.

        Parameters:
            response: The response.
            is_accepted: Returns whether a status reaches the callback.
        """
        status, request = response.status, response.request
        if status not in self.codes or not self.has_attempts(request, response.attempt):
            return None
        if status in BY_THE_CRAWL and status not in request.accept_status and not is_accepted(status):
            return None
        return crawler.Retry(f"status {status}")


class StatusRetryPolicy(crawler.RetryPolicy):
    """The policy of the crawl, without retries of statuses that ``RETRY_HTTP_CODES`` does not list."""

    def __init__(self, settings: crawler.Settings, codes: frozenset[int]) -> None:
        super().__init__(settings)
        self._codes = codes

    def wait(self, request: crawler.Request, attempts: int, error: Any) -> float | None:
        """Return the seconds until the next attempt; `None` if there is none."""
        if isinstance(error, crawler.BadStatus) and error.status not in self._codes:
            return None
        return super().wait(request, attempts, error)
