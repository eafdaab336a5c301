"""`RetryPolicy`: whether and when a request is sent again. A `lifespan` may replace it (`crawl.control.retries`)."""

from __future__ import annotations

import math
import random
from collections.abc import Container
from typing import Final, Protocol

from crawler.decision.facts import MAX_FREE
from crawler.errors import BadStatus, FetchError, RequestError
from crawler.http.retry_safety import is_idempotent, was_processed
from crawler.limits.backoff import Jitter, backoff
from crawler.limits.headers.refusal_status import UNAVAILABLE
from crawler.messages import Request, Retry

__all__ = ["RetryPolicy"]

MAX_ATTEMPTS: Final = 12
"""Attempts by default, at most, where requests fail at random."""
LOST_BY_CHANCE: Final = 1e-5
"""Share of the requests that may fail in all attempts although each attempt fails at random."""
MAX_WAIT: Final = 86_400.0
"""Seconds. A request fails if its server asks for a longer wait."""


class RetrySettings(Protocol):
    """What a policy reads of `Settings`, or of the arguments of a client."""

    @property
    def attempts(self) -> int: ...
    @property
    def given(self) -> Container[str]: ...
    @property
    def backoff_base(self) -> float: ...
    @property
    def backoff_max(self) -> float: ...
    @property
    def backoff_jitter(self) -> Jitter: ...


class RetryPolicy:
    """Decides whether and when a request is sent again. To change it, set `crawl.control.retries` in a `lifespan`.

    Parameters:
        settings: `attempts` and the settings of backoff.
        chance: Source of jitter.
    """

    longest: float = MAX_WAIT
    """Seconds. A request fails if its server asks for a longer wait after a failure."""

    def __init__(self, settings: RetrySettings, chance: random.Random | None = None) -> None:
        self.settings = settings
        self.chance = chance or random.Random()

    def goes_back(self, request: Request, error: BadStatus | FetchError, refusals: int) -> bool:
        """Return whether a refused request is sent again without using up an attempt. Its lane waits in any case.

        A 503 that states no wait counts as a failure of a request that has `attempts` of its own.

        Parameters:
            request: The request.
            error: Its refusal: a status, or an error of HTTP/2, after which the request may have been processed.
            refusals: Number of earlier refusals of the request while its lane served others.
        """
        status = error.status if isinstance(error, BadStatus) else None
        is_safe = may_repeat(request) or not (status is None or was_processed(status, refused=True))
        is_failure = status == UNAVAILABLE and error.retry_after is None and request.attempts is not None
        return is_safe and not is_failure and refusals < MAX_FREE["refused"]

    def counted_attempts(self, request: Request, attempts: int, failed_share: float) -> int:
        """Return how many of its attempts count against a request.

        If other requests of its lane fail as well, by broken connections, timeouts, refusals or statuses of overloaded
        servers, a failure says little about the page. By default a request then gets enough attempts for
        one in a hundred thousand to fail in all of them by chance, at most `MAX_ATTEMPTS`.
        `attempts` of the request or of the settings, if given, is kept.

        Parameters:
            request: The request.
            attempts: Number of attempts so far, at least 1.
            failed_share: Share of the latest requests of its lane that failed.
        """
        usual = self.settings.attempts
        if failed_share <= 0.0 or not self.allows_for_chance(request):
            return attempts
        allowed = min(MAX_ATTEMPTS, math.ceil(math.log(LOST_BY_CHANCE) / math.log(failed_share)))
        return attempts if allowed <= usual else max(1, attempts * usual // allowed)

    def allows_for_chance(self, request: Request) -> bool:
        """Return whether a request gets more attempts where others fail as well: their number was not asked for."""
        return request.attempts is None and "attempts" not in self.settings.given

    def pause(self, failures: int) -> float:
        """Return the seconds before the next attempt of a request that has failed `failures` times, at least once."""
        settings = self.settings
        return backoff(
            failures,
            settings.backoff_jitter,
            base=settings.backoff_base,
            cap=settings.backoff_max,
            random=self.chance,
        )

    def wait(self, request: Request, attempts: int, error: RequestError | Retry) -> float | None:
        """Return the seconds until the next attempt. `None` means that the request has failed.

        Parameters:
            request: The request.
            attempts: Number of attempts so far.
            error: Why the last one had no definitive response.
        """
        if attempts >= (request.attempts or self.settings.attempts):
            return None
        if isinstance(error, Retry):
            stated = error.after
        elif error.retryable and (may_repeat(request) or _was_rejected(error)):
            stated = error.retry_after
        else:
            return None
        if stated is None:
            return self.pause(attempts)
        return stated if stated <= self.longest else None


def may_repeat(request: Request) -> bool:
    """Return whether a request may be sent again although the server may have processed it.

    It may if it is idempotent, or if it has `attempts` of its own: several were asked for.
    """
    is_asked_for = request.attempts is not None and request.attempts > 1
    return is_asked_for or is_idempotent(request.method, request.headers)


def _was_rejected(error: RequestError) -> bool:
    """Return whether the server certainly did not process the request."""
    return isinstance(error, BadStatus) and not was_processed(error.status)
