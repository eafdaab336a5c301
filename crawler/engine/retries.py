"""`RetryPolicy`: whether and when a request is sent again. A `lifespan` may replace it (`crawl.retries`)."""

from __future__ import annotations

import math
import random
from typing import Final

from crawler.errors import BadStatus, FetchError, RequestError
from crawler.http.retry_safety import is_idempotent, was_processed
from crawler.limits.backoff import backoff
from crawler.limits.headers.refusal_status import UNAVAILABLE
from crawler.messages import Request, Retry
from crawler.settings import Settings

__all__ = ["RetryPolicy"]

MAX_REFUSALS: Final = 20
"""Refusals of one request that use up no attempt."""
MAX_SILENT_REFUSALS: Final = 5
"""The same for responses with status 503 that state no wait: the page may be broken."""
MAX_UNAVAILABLE: Final = 65.0
"""Seconds for which a server that answers everything with such a response is taken to be starting, or to keep a limit:
few of these limits refuse for longer than a minute. It is halved after each wait in vain."""
MAX_SEVERAL_UNAVAILABLE: Final = 240.0
"""The same if several pages are left, and none was served in between: less probably, all of them are broken."""
MAX_CHAIN_UNAVAILABLE: Final = 660.0
"""The same in a chain of pages, until one proves to be broken: the others are lost with the first one that fails."""
MORE_PATIENCE: Final = 5.0
"""Factor by which this time of a page is longer if the one before it has failed, and nothing was served since: then a
limit is more probable."""
UNAVAILABLE_WINDOWS: Final = 2.0
"""Windows by which these times are longer for a limit that was learned from requests which were served later."""
MAX_STALE: Final = 8
"""Closed connections that use up no attempt of a request."""
MAX_ATTEMPTS: Final = 12
"""Attempts by default, at most, where requests fail at random."""
LOST_BY_CHANCE: Final = 1e-5
"""Share of the requests that may fail in all attempts although each attempt fails at random."""
MAX_WAIT: Final = 86_400.0
"""Seconds. A request fails if its server asks for a longer wait."""


class RetryPolicy:
    """Decides whether and when a request is sent again. To change it, set `crawl.retries` in a `lifespan`.

    Parameters:
        settings: `attempts` and the settings of backoff.
        chance: Source of jitter.
    """

    def __init__(self, settings: Settings, chance: random.Random | None = None) -> None:
        self.settings = settings
        self.chance = chance or random.Random()

    def goes_back(self, request: Request, error: BadStatus | FetchError, refusals: int) -> bool:
        """Return whether a refused request is sent again without using up an attempt. Its lane waits in any case.

        Parameters:
            request: The request.
            error: Its refusal: a status, or an error of HTTP/2, after which the request may have been processed.
            refusals: Number of earlier refusals of the request.
        """
        status = error.status if isinstance(error, BadStatus) else None
        if (status is None or was_processed(status, refused=True)) and not may_repeat(request):
            return False
        max_refusals = MAX_REFUSALS
        if status == UNAVAILABLE and error.retry_after is None:
            max_refusals = MAX_SILENT_REFUSALS if request.attempts is None else 0
        return refusals < max_refusals

    def may_wait(self, request: Request) -> bool:
        """Return whether a request may wait for a server that answers with status 503 and states no wait.

        It may be starting, being updated, or keep a limit; or the page is broken.
        """
        return request.attempts is None and may_repeat(request)

    def left_to_wait(
        self, seconds: float, *, in_vain: int, given_up: int, several: bool, is_chain: bool, window: float
    ) -> float:
        """Return for how many seconds such a request still waits, at most.

        Parameters:
            seconds: For how long the server has served nothing.
            in_vain: Number of earlier waits after which the page failed and others were served.
            given_up: Number of such pages since the last success; a limit refuses one after the other.
            several: Whether other requests are left that were refused as well.
            is_chain: Whether each page links to the next, and none was broken so far: all after it may be lost.
            window: Seconds of the window of the limit behind that, as far as is known; 0: none is.
        """
        alone = MAX_CHAIN_UNAVAILABLE if is_chain else MAX_UNAVAILABLE
        longest = MAX_SEVERAL_UNAVAILABLE if several else alone * MORE_PATIENCE**given_up
        patience = self.settings.outage_patience
        longest = longest if patience is None else min(longest, patience)
        return max(0.0, (longest + UNAVAILABLE_WINDOWS * window) / 2.0**in_vain - seconds)

    def goes_at_once(self, request: Request, error: RequestError | Retry, times: int) -> bool:
        """Return whether a request is sent again at once without using up an attempt.

        It is if the server had closed the kept connection that the request was sent on (RFC 9112 section 9.3.1).

        Parameters:
            request: The request.
            error: Why there was no response.
            times: Number of earlier times.
        """
        is_stale = isinstance(error, RequestError) and error.kind == "stale"
        return is_stale and times < MAX_STALE and may_repeat(request)

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
        return stated if stated <= MAX_WAIT else None


def may_repeat(request: Request) -> bool:
    """Return whether a request may be sent again although the server may have processed it.

    It may if it is idempotent, or if it has `attempts` of its own: several were asked for.
    """
    is_asked_for = request.attempts is not None and request.attempts > 1
    return is_asked_for or is_idempotent(request.method, request.headers)


def _was_rejected(error: RequestError) -> bool:
    """Return whether the server certainly did not process the request."""
    return isinstance(error, BadStatus) and not was_processed(error.status)
