"""`decide`: what follows from an attempt: a page, a redirect, a retry, a failure or a refusal.

Rule: a refused request goes back without using up an attempt, at most five times (`MAX_FREE`) while its lane serves
others. If the lane no longer serves anything, it waits as a whole; `crawler.limits.refusal_budget` says for how long.
Then its requests fail.

Pure: no event loop, no I/O, and `now` is an argument. Pages, inline fetches, robots.txt files and clients are decided
here alike; where they differ, `Facts.sender` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeGuard

from msgspec import Struct, field

from crawler.decision.decisions import Again, Decision, Fail, Follow, Page, Refuse
from crawler.decision.retry_policy import MAX_WAIT, RetryPolicy, may_repeat
from crawler.errors import (
    BadRedirect,
    BadStatus,
    FetchError,
    HookError,
    LoggedOut,
    Refused,
    RequestError,
    Walled,
    WouldExceedDeadline,
)
from crawler.http.redirects import redirect_request, refresh_request
from crawler.http.retry_safety import is_transient
from crawler.limits.headers.retry_after import parse_retry_after
from crawler.messages import Drop, Request, Response, Retry
from crawler.messages.request import copy_unchecked, mapping_of
from crawler.outages.failed_attempt import given_up_error
from crawler.walls.soft_404 import LookAlikes
from crawler.walls.suspicion import NEAR, KnownPages

if TYPE_CHECKING:
    from crawler.decision.facts import Facts
    from crawler.frontier import StartTicket
    from crawler.limits.refusal_budget import Refusal
    from crawler.outages.failed_attempt import Outage
    from crawler.walls.wall import Wall

__all__ = ["Policy", "bad_status", "decide"]

MIN_PUT_OFF: Final = 1.0
"""Seconds for which a request is put off at least that a `fetch` hook does not send: a hook that is wrong about the
time keeps no worker busy."""
KEPT: Final = 2
"""Refusals after which a request keeps its place if its server states the waits. If it does not, one does."""
WALLS: Final = {
    "challenge": "a challenge of {} came in place of the page",
    "login": "a login form of {} came in place of the page",
    "consent": "a form of {} that asks for consent came in place of the page",
    "javascript": "the page has no content without JavaScript (the plugin browser runs it)",
    "parked": "the domain is parked by {}",
    "soft_404": "{} answers any path that does not exist with this page",
}
"""What has happened, by the kind of the wall and its vendor."""
BEFORE_PAGES: Final = ("answer", "fetch")
"""Hooks whose exceptions call the errback: no callback had the page."""


class Policy(Struct, eq=False):
    """The rules for responses, from settings and spider."""

    retries: RetryPolicy
    """Whether and when a request is sent again."""
    accept_status: frozenset[int] = frozenset()
    """Statuses that reach a callback, in addition to 200–299. Those of a request take precedence."""
    max_redirects: int = 10
    """Maximum number of redirects in one chain."""
    follow_refresh: float | None = None
    """Longest delay of a refresh that is followed, in seconds. `None` means that no refresh is followed."""
    portable: frozenset[str] = frozenset()
    """Names of header fields that a redirect may carry to another origin, in lower case."""
    refused_walls: frozenset[str] = frozenset()
    """Kinds of walls that are no pages."""
    keeps_incomplete: bool = False
    """Whether a page that was cut in each attempt is handled as far as it came."""
    known: KnownPages = field(default_factory=KnownPages)
    """The good pages so far."""
    alike: LookAlikes = field(default_factory=LookAlikes)
    """Those that look alike."""

    def accepts(self, response: Response) -> bool:
        """Return whether a response reaches its callback."""
        status = response.status
        own = response.request.accept_status
        return 200 <= status < 300 or status in own or (not own and status in self.accept_status)

    def is_plain_page(self, response: Response, ticket: StartTicket) -> bool:
        """Return whether a response is a page, and nothing else has to be known to decide that. Most responses are."""
        if not 200 <= response.status < 300 or self.follow_refresh is not None:
            return False
        return ticket.permit.refused_by is None and (response._wall is None or self.wall(response) is None)  # noqa: SLF001

    def wall(self, response: Response) -> Wall | None:
        """Return the wall that came in place of a page, unless its status or kind is accepted."""
        if response._wall is None or not self.refused_walls:  # noqa: SLF001 - not for users
            return None
        if response._wall is False and response.status == 200 and not response.request.redirects:  # noqa: SLF001
            self._look(response)
        if (wall := response.wall) is None or wall.kind not in self.refused_walls:
            return None
        is_asked_for = response.status >= 400 and self.accepts(response)
        return None if is_asked_for or mapping_of(response.request, "plugins").get("walls") is False else wall

    def _look(self, response: Response) -> None:
        """Look for a wall in a page that no redirect led to, unless there are good ones like it."""
        spare = self.known.spare(response.body)
        if spare >= 0:
            response._wall = None  # noqa: SLF001
            if spare > NEAR:
                return
        elif response.wall is None:
            self.known.add(response.body)
        else:
            return
        may_be_soft = response.request.depth > 0 and response.is_html and "soft_404" in self.refused_walls
        if may_be_soft and self.alike.is_soft_404(response.url, response.body):
            from crawler.walls.wall import Wall  # noqa: PLC0415 - few sites need it

            response._wall = Wall("soft_404")  # noqa: SLF001

    def redirect(self, response: Response) -> Request | None:
        """Return the request that a redirect asks for, or raise `BadRedirect`; `None` for any other response."""
        return redirect_request(response, max_redirects=self.max_redirects, portable=self.portable)

    def refresh(self, response: Response) -> Request | None:
        """Return the request that a page asks for by a refresh, if it is to be followed."""
        if self.follow_refresh is None or not 200 <= response.status < 300:
            return None
        return refresh_request(
            response, max_delay=self.follow_refresh, max_redirects=self.max_redirects, portable=self.portable
        )


def decide(  # noqa: PLR0911 - a line for each kind of result
    result: Response | Request | Retry | Drop | RequestError, facts: Facts, policy: Policy, now: float
) -> Decision:
    """Return the decision about a request after an attempt, or instead of one, at `now` (seconds since the epoch)."""
    match result:
        case Response():
            wall = policy.wall(result)
            return _decide_response(result, facts, policy, now) if wall is None else _refuse_wall(wall, result.request)
        case Request():
            return Follow(copy_unchecked(result, depth=facts.request.depth))
        case Drop():
            return Refuse(result.reason, is_success=result.is_success)
        case Refused() if facts.sender == "page":
            return _decide_refused(result)
        case WouldExceedDeadline():  # as often as it says: the request has lost no attempt
            return Again("waits", max(MIN_PUT_OFF, result.retry_at - now))
        case LoggedOut(renewed=True):
            return Again("waits")
        case LoggedOut(retryable=True) if facts.may_go_free("logged_out"):
            return Again("logged_out")
        case LoggedOut():
            return Fail(result)
        case HookError() if facts.sender == "page":
            return _decide_raised(result, facts, now)
    if not facts.is_sent:
        return Fail(_as_error(result, facts.request))
    decision = _retry(result, facts, policy.retries)
    part = result.partial if isinstance(result, FetchError) and facts.sender != "robots" else None
    if policy.keeps_incomplete and isinstance(decision, Fail) and part is not None and policy.accepts(part):
        return Page(part)
    return decision


def _decide_response(response: Response, facts: Facts, policy: Policy, now: float) -> Decision:
    is_refusal = facts.refusal is not None
    error = bad_status(response, now)
    if facts.sender == "inline":  # it gets any definitive status, and after the last attempt any status
        is_final = response.status in facts.request.accept_status or not (error.retryable or is_refusal)
        decision = None if is_final else _retry(error, facts, policy.retries)
        return decision if isinstance(decision, Again) else Page(response)
    is_success = 200 <= response.status < 300
    if policy.accepts(response) and not (is_success and is_refusal):  # else its body is an error
        target = policy.refresh(response)
        return Page(response) if target is None else Follow(target)
    if not is_refusal:
        try:
            target = policy.redirect(response)
        except BadRedirect as bad:
            return _retry(bad, facts, policy.retries)
        if target is not None:
            return Follow(target)
    if error.retryable or is_refusal:
        return _retry(error, facts, policy.retries)
    return Fail(error, counted=error.status >= 500)


def _decide_refused(error: Refused) -> Fail | Refuse:
    """Return the decision about a request that was not sent. Without its robots.txt it fails: it may be allowed."""
    if error.by == "quota":
        return Fail(error)
    if error.by == "robots" and isinstance(error.__cause__, BadStatus):
        return Fail(error, filtered_by=error.by)
    return Refuse(error.by, error)


def _decide_raised(error: HookError, facts: Facts, now: float) -> Again | Fail:
    """Return the decision about a page whose callback or hooks raised: perhaps only an inline fetch had to wait."""
    at = _wait_until(error.__cause__)
    if at is not None and facts.may_go_free("put_off"):
        return Again("put_off", at - now)
    return Fail(error, calls_errback=error.hook in BEFORE_PAGES and not error.is_callback)


def _retry(error: RequestError | Retry, facts: Facts, retries: RetryPolicy) -> Again | Fail:
    """Return when a request is sent again after an attempt without a definitive response, or that it has failed."""
    request, is_robots = facts.request, facts.sender == "robots"
    if facts.refusal is not None and not is_robots and _is_refusal(error):
        if facts.refusal.is_stalled:
            return Fail(error)
        if (back := _go_back(error, facts.refusal, facts, retries)) is not None:
            return back
    outage = _outage_of(error, facts)
    if outage is not None and (waits := _wait_for_host(error, outage, facts)) is not None:
        return waits
    if not is_robots and _is_stale(error) and facts.may_go_free("stale") and may_repeat(request):
        return Again("stale")
    attempts = facts.attempts
    if not is_robots:  # each attempt of that file would take a start from a page
        attempts = retries.counted_attempts(request, attempts, facts.failed_share)
    wait = retries.wait(request, attempts, error)
    if wait is None:
        return Fail(_as_error(error, request))
    return Again("attempt", wait if outage is None or is_robots else max(wait, outage.wait))


def _go_back(error: BadStatus | FetchError, refusal: Refusal, facts: Facts, retries: RetryPolicy) -> Again | None:
    """Return when a refused request is sent again; `None`: that uses up an attempt.

    It keeps its place until it is refused again. Then others are tried first, since only its page may be broken.
    """
    times = facts.free.count("refused")
    if not retries.goes_back(facts.request, error, times):
        return None
    earlier, wait = times + facts.free.count("held"), error.retry_after
    is_behind = earlier >= KEPT
    if facts.sender != "client":  # whose requests are rather in the order in which their callers want them
        is_behind |= (earlier > 0 and refusal.has_served) or (wait is None and not refusal.serves_others)
    if refusal.lane_waits:
        wait = None
    elif wait is None and (earlier or refusal.has_others):  # else the limits learn at once whether they are to blame
        wait = retries.pause(retries.counted_attempts(facts.request, earlier + 1, facts.failed_share))
    return Again("refused" if refusal.serves_others else "held", wait, is_behind)


def _wait_for_host(error: RequestError | Retry, outage: Outage, facts: Facts) -> Again | Fail | None:
    """Return when a request is sent again whose host may be down; `None`: that uses up an attempt."""
    if facts.sender == "robots":  # if the host is given up, its pages fail before they need the file
        stated = 0.0 if isinstance(error, Retry) else error.retry_after or 0.0
        waits = outage.is_open and not outage.gives_up and stated <= MAX_WAIT
        return Again("waits", max(outage.wait, stated)) if waits else None
    if outage.gives_up and isinstance(error, FetchError):
        return Fail(given_up_error(error, outage.down_for, facts.request))
    if outage.is_open:
        return Again("waits", outage.wait)
    if outage.counts:
        return None
    return Again("unreachable", outage.wait) if facts.may_go_free("unreachable") else None


def bad_status(response: Response, now: float) -> BadStatus:
    """Return the error of a response that no callback gets; a date in ``Retry-After`` counts from `now` (epoch)."""
    status = response.status
    error = BadStatus(
        f"status {status}",
        status=status,
        request=response.request,
        retry_after=parse_retry_after(response.headers.get("retry-after"), now=now),
    )
    error.retryable = is_transient(status)
    return error


def _refuse_wall(wall: Wall, request: Request) -> Fail:
    """Return the decision about a request that has met a wall: no further attempt gets past it."""
    what = WALLS[wall.kind].format(wall.vendor or "the site")
    error = Walled(f"{what}; accept_walls takes it as a page", kind=wall.kind, request=request)
    return Fail(error, counted=False, filtered_by=f"wall.{wall.kind}")


def _is_refusal(error: RequestError | Retry) -> TypeGuard[BadStatus | FetchError]:
    """Return whether an error may be that of a refusal: a plugin may have wanted something else meanwhile."""
    return isinstance(error, BadStatus) or (isinstance(error, FetchError) and error.is_refusal)


def _is_stale(error: RequestError | Retry) -> bool:
    """Return whether the server had closed the kept connection of the request (RFC 9112 section 9.3.1)."""
    return isinstance(error, RequestError) and error.kind == "stale"


def _outage_of(error: RequestError | Retry, facts: Facts) -> Outage | None:
    """Return what an error shows about an outage; `None` if nothing."""
    if isinstance(error, FetchError):
        return error.outage
    return facts.outage if isinstance(error, BadStatus) else None


def _as_error(error: RequestError | Retry, request: Request) -> RequestError:
    """Return the error of a request that has no attempt left for the retry that a plugin wants."""
    if isinstance(error, Retry):
        return FetchError(f"no attempt is left for a retry: {error.reason}", request=request)
    return error


def _wait_until(error: BaseException | None) -> float | None:
    """Return when the inline fetch may start, in epoch seconds; `None` if there are other errors."""
    if isinstance(error, WouldExceedDeadline):
        return error.retry_at
    if isinstance(error, ExceptionGroup):
        times = [_wait_until(inner) for inner in error.exceptions]
        return None if None in times else max(time for time in times if time is not None)
    return None
