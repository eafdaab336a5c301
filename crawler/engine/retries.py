"""`RetryPolicy`: whether and when a request is made again. A spider or plugin may put another in its place."""

from __future__ import annotations

import random
from typing import Final

from crawler.errors import BadStatus, RequestError
from crawler.limits.backoff import backoff
from crawler.messages import Request, Retry
from crawler.settings import Settings

__all__ = ["UNAVAILABLE", "RetryPolicy", "is_transient"]

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""RFC 9110 section 9.2.2."""
TRANSIENT: Final = frozenset({408, 425, 429})
UNAVAILABLE: Final = 503
"""Said by servers that are asked too much, and by pages that are broken."""
MOST_REFUSALS: Final = 20
"""How often one request may be refused before that counts as attempts."""
MOST_SILENT: Final = 5
"""How often it may be answered with 503 and not a word on when to come again: that page may just be broken."""
MOST_STALE: Final = 8
"""How often a request may meet a kept connection that its server has closed, before that is an attempt."""
LONGEST_WAIT: Final = 86_400.0
"""Seconds: who has to be waited for longer is given up."""


def is_transient(status: int) -> bool:
    """Whether a status says nothing about the resource: try again (408, 425, 429 and 5xx)."""
    return status in TRANSIENT or status >= 500


class RetryPolicy:
    """Whether and when a request is made again. To change it, set `crawl.retries` in a `lifespan`.

    Parameters:
        settings: attempts and backoff.
        chance: where jitter comes from.
    """

    def __init__(self, settings: Settings, chance: random.Random | None = None) -> None:
        self.settings = settings
        self.chance = chance or random.Random()

    def goes_back(self, request: Request, error: BadStatus, refusals: int) -> bool:
        """Whether a request that was refused goes back without having used up an attempt: its lane waits anyway.

        Parameters:
            request: what was refused.
            error: how.
            refusals: how often it was refused before.
        """
        most = MOST_REFUSALS
        if error.status == UNAVAILABLE:
            if request.method not in IDEMPOTENT:
                return False
            if error.retry_after is None:
                most = MOST_SILENT if request.attempts is None else 0
        return refusals < most and (error.retry_after or 0.0) <= LONGEST_WAIT

    def goes_at_once(self, request: Request, error: RequestError | Retry, times: int) -> bool:
        """Whether a request goes again at once, and without having used up an attempt.

        So it does when the kept connection that it was sent on turned out to be closed (RFC 9112 section 9.3.1).

        Parameters:
            request: what was asked.
            error: why there was no answer.
            times: how often that was so before.
        """
        is_stale = isinstance(error, RequestError) and error.kind == "stale"
        return is_stale and times < MOST_STALE and request.method in IDEMPOTENT

    def pause(self, failures: int) -> float:
        """Seconds before a request that has failed so often, at least once, may go again."""
        settings = self.settings
        return backoff(
            failures,
            settings.backoff_jitter,
            base=settings.backoff_base,
            cap=settings.backoff_max,
            random=self.chance,
        )

    def wait(self, request: Request, attempts: int, error: RequestError | Retry) -> float | None:
        """Seconds until the next attempt; `None`: there is none.

        Parameters:
            request: what was asked.
            attempts: attempts made so far.
            error: why the last one was no answer.
        """
        if attempts >= (request.attempts or self.settings.attempts):
            return None
        if isinstance(error, Retry):
            stated = error.after
        elif error.retryable and (request.method in IDEMPOTENT or isinstance(error, BadStatus)):
            stated = error.retry_after
        else:
            return None
        if stated is None:
            return self.pause(attempts)
        return stated if stated <= LONGEST_WAIT else None
