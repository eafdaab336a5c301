"""`decide`: turns the result of an attempt into a decision: a page, a redirect, a retry, a failure or a refusal.

Pure: no event loop, no I/O, and `now` is an argument. The worker carries out what is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from crawler.engine.decision import Again, Decision, Fail, Follow, Page, Refuse
from crawler.engine.retries import MAX_WAIT, RetryPolicy
from crawler.errors import BadRedirect, BadStatus, FetchError, HookError, Refused, RequestError, WouldExceedDeadline
from crawler.frontier.lane import MAX_REFUSALS_AT_FRONT
from crawler.frontier.reachability import given_up_error
from crawler.http.redirects import redirect_request, refresh_request
from crawler.http.retry_safety import is_transient
from crawler.limits.headers.refusal_status import UNAVAILABLE
from crawler.limits.headers.retry_after import parse_retry_after
from crawler.messages import Drop, Request, Response, Retry
from crawler.messages.request import copy_unchecked

if TYPE_CHECKING:
    from crawler.engine.history import History
    from crawler.frontier import StartTicket
    from crawler.http.robots import Robots
    from crawler.limits.trouble import Outage

__all__ = [
    "Policy", "bad_status", "decide", "decide_inline", "decide_page_error", "decide_robots_error", "fail_by_quota",
    "refuse_by_robots", "retry_or_fail",
]  # fmt: skip

MAX_PUT_OFFS: Final = 20
"""How often a page is put off because an inline fetch in its callback has to wait; then it fails."""
MIN_PUT_OFF: Final = 1.0
"""Seconds for which a request is put off at least that a `fetch` hook does not send."""

MAX_UNREACHABLE: Final = 20
"""How often a request is sent again because of a failed connection to a host that answers other requests."""

BEHIND: Final = 1.0
"""Seconds by which a request is delayed so that another one of its lane is sent first."""
REFUSALS_BY_LIMIT: Final = 4
"""Responses with status 503 that state no wait, of a server with a known limit, that count as one of a broken page."""
MAX_ALONE: Final = 3600.0
"""Seconds. The last request of a lane fails if its limits, which nothing else tests, would hold it back for longer than
the server states."""
MAX_ALONE_UNKNOWN: Final = 250.0
"""The same for a server that has served nothing yet."""


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

    def accepts(self, response: Response) -> bool:
        """Return whether a response reaches its callback."""
        status = response.status
        own = response.request.accept_status
        return 200 <= status < 300 or status in own or (not own and status in self.accept_status)

    def is_plain_page(self, response: Response, ticket: StartTicket) -> bool:
        """Return whether a response is a page, and nothing else has to be known to decide that. Most responses are."""
        return 200 <= response.status < 300 and self.follow_refresh is None and ticket.permit.refused_by is None

    def redirect(self, response: Response) -> Request | None:
        """Return the request that a redirect asks for; `None` for any other response.

        Raises:
            BadRedirect: The target is not an http or https URL, or the chain is too long.
        """
        return redirect_request(response, max_redirects=self.max_redirects, portable=self.portable)

    def refresh(self, response: Response) -> Request | None:
        """Return the request that a page asks for by a refresh, if it is to be followed."""
        if self.follow_refresh is None or not 200 <= response.status < 300:
            return None
        return refresh_request(
            response, max_delay=self.follow_refresh, max_redirects=self.max_redirects, portable=self.portable
        )


def decide(
    result: Response | Request | Retry | Drop | RequestError, history: History, policy: Policy, now: float
) -> Decision:
    """Return the decision about a request after an attempt.

    Parameters:
        result: Result of its last attempt.
        history: Other facts about it.
        policy: The rules in force.
        now: Seconds since the epoch.
    """
    if isinstance(result, Response):
        return _decide_response(result, history, policy, now)
    if isinstance(result, Request):
        return Follow(copy_unchecked(result, depth=history.request.depth))
    if isinstance(result, Drop):
        return Refuse(result.reason, is_success=result.is_success)
    if isinstance(result, Refused):
        return Refuse(result.by, result)
    if isinstance(result, WouldExceedDeadline):
        return _put_off(result, now)
    return retry_or_fail(result, history, policy.retries)


def _decide_response(response: Response, history: History, policy: Policy, now: float) -> Decision:
    is_success = 200 <= response.status < 300
    if policy.accepts(response) and not (is_success and history.was_rate_limited):  # else its body is an error
        target = policy.refresh(response)
        return Page(response) if target is None else Follow(target)
    if not history.was_rate_limited:
        try:
            target = policy.redirect(response)
        except BadRedirect as bad:
            return retry_or_fail(bad, history, policy.retries)
        if target is not None:
            return Follow(target)
    error = bad_status(response, now)
    if error.retryable or history.was_rate_limited:
        return retry_or_fail(error, history, policy.retries)
    return Fail(error, counted=error.status >= 500)


def decide_inline(
    result: Response | Retry | RequestError, history: History, retries: RetryPolicy, now: float
) -> Page | Again | Fail:
    """Return the decision about an inline fetch after an attempt. Parameters are those of `decide`.

    Its caller gets every definitive status and those that the request accepts, and after the last attempt any status.
    """
    if not isinstance(result, Response):
        return retry_or_fail(result, history, retries)
    error = bad_status(result, now)
    is_accepted = result.status in history.request.accept_status
    is_final = is_accepted or not (error.retryable or history.was_rate_limited)
    decision = None if is_final else retry_or_fail(error, history, retries)
    return decision if isinstance(decision, Again) else Page(result)


def retry_or_fail(error: RequestError | Retry, history: History, retries: RetryPolicy) -> Again | Fail:
    """Return when a request is sent again after an attempt without a definitive response, or that it has failed.

    Parameters:
        error: Why there was no such response.
        history: Other facts about the request.
        retries: The policy in force.
    """
    request = history.request
    asks_again = history.was_rate_limited and not history.is_stalled
    if asks_again and (isinstance(error, BadStatus) or (isinstance(error, FetchError) and error.is_refusal)):
        back = _back(error, history, retries)
        if back is not None:
            return back
    outage = _outage_of(error, history)
    if outage is not None:
        if outage.gives_up and isinstance(error, FetchError):
            return Fail(given_up_error(error, outage.down_for, request))
        if not outage.counts and (outage.is_open or history.unreachable < MAX_UNREACHABLE):
            return Again("unreachable", outage.wait)
    if retries.goes_at_once(request, error, history.stale):
        return Again("stale")
    counted = retries.counted_attempts(request, history.attempts, history.failed_share)
    wait = retries.wait(request, counted, error)
    if wait is None:
        is_left_alone = history.unserved_for > 0.0 and not history.has_untried
        return _wait_for_start(error, history, retries) or Fail(_as_error(error, request), ends_wait=is_left_alone)
    return Again("attempts", wait if outage is None else max(wait, outage.wait))


def _wait_for_start(error: RequestError | Retry, history: History, retries: RetryPolicy) -> Again | None:
    """Return when a request that has no attempt left is sent again because its server may be starting."""
    if history.is_passed or not (_is_silent(error) and history.unserved_for and retries.may_wait(history.request)):
        return None
    left = _left_to_wait(history, retries)
    return _wait_at_most(left, retries.pause(history.refusals + 1), history) if left else None


def _back(error: BadStatus | FetchError, history: History, retries: RetryPolicy) -> Again | Fail | None:
    """Return when a refused request is sent again, or that it has failed; `None`: that uses up an attempt.

    Its lane waits, too, unless too many requests were in flight.
    """
    request, refusals = history.request, history.refusals
    if history.is_refused_alone:
        return Fail(error, ends_wait=True)
    is_silent = _is_silent(error)
    is_by_limit = is_silent and history.window > 0.0
    if is_silent and history.unserved_for and not history.has_untried and retries.may_wait(request):
        left = _left_to_wait(history, retries)
        if not (left and is_by_limit):
            return _wait_or_fail(error, left, history, retries)
    counted = (refusals // REFUSALS_BY_LIMIT if is_by_limit else refusals) * 2**history.waits_in_vain
    goes_back = retries.goes_back(request, error, counted)
    if is_silent and not is_by_limit:  # other pages of the lane show whether the server or only this page is in trouble
        times = retries.counted_attempts(request, refusals + 1, history.failed_share)
        return Again("refusals", retries.pause(times)) if goes_back else None
    if history.is_refused_with_all and refusals >= MAX_REFUSALS_AT_FRONT:
        if history.has_others:
            return Again("refusals" if goes_back else "nothing", history.lane_waits + BEHIND)
        if history.lane_waits > history.stated_wait + (MAX_ALONE if history.has_served else MAX_ALONE_UNKNOWN):
            return Fail(error)
    own_wait = None if history.stated_wait else error.retry_after  # others need not wait: too many were in flight
    return Again("refusals", own_wait) if goes_back else None


def _wait_or_fail(error: BadStatus | FetchError, left: float, history: History, retries: RetryPolicy) -> Again | Fail:
    """Return when a request is sent again of a server that has refused all that are left, or that it has failed."""
    refusals = history.refusals + 1
    if left:
        return _wait_at_most(left, retries.pause(refusals), history)
    if refusals < retries.settings.attempts:
        return Again("refusals", retries.pause(refusals), ends_wait=True)
    return Fail(error, ends_wait=True)


def _left_to_wait(history: History, retries: RetryPolicy) -> float:
    """Return for how many seconds a request may wait for a server that answers with status 503 and states no wait."""
    return retries.left_to_wait(
        history.unserved_for,
        in_vain=history.waits_in_vain,
        given_up=history.given_up,
        several=history.has_others and not history.is_passed,
        is_chain=history.is_chain,
        window=history.window,
    )


def _wait_at_most(left: float, pause: float, history: History) -> Again:
    """Return that a request is sent again after a pause, or after `left` seconds if that is earlier.

    If no other one waits, its lane tells when, unless that would be too late for a last attempt.
    """
    if history.has_others:
        return Again("refusals", min(left, pause))
    if history.lane_waits > left:
        return Again("refusals", left, ends_wait=True)
    return Again("refusals", None if history.lane_waits else min(left, pause))


def decide_robots_error(error: RequestError, history: History, retries: RetryPolicy, now: float) -> Again | Fail:
    """Return when a robots.txt is asked for again, or that it cannot be fetched. Parameters as of `decide_page_error`.

    Its lane waits in the meantime, so neither refusals nor closed connections are retries of their own kind, and it
    gets no more attempts where requests fail at random: each takes a start from a page. If the host is given up, its
    pages fail before they need the file.
    """
    outage = _outage_of(error, history)
    stated = error.retry_after or 0.0
    if outage is not None and outage.is_open and not outage.gives_up and stated <= MAX_WAIT:
        return Again("unreachable", max(outage.wait, stated))
    if isinstance(error, WouldExceedDeadline):
        return _put_off(error, now)
    wait = retries.wait(history.request, history.attempts, error) if error.retryable else None
    return Again("attempts", wait) if wait is not None else Fail(error)


def decide_page_error(error: HookError, history: History, now: float) -> Again | Fail:
    """Return the decision about a page whose callback or hooks raised.

    It is put off if the only reason is an inline fetch that would have had to wait too long.

    Parameters:
        error: The error. Its cause is the exception.
        history: Other facts about the request.
        now: Seconds since the epoch.
    """
    at = _wait_until(error.__cause__)
    if at is not None and history.put_offs < MAX_PUT_OFFS:
        return Again("put_offs", at - now)
    return Fail(error, calls_errback=False)


def fail_by_quota(request: Request, lane: str) -> Fail:
    """Return the failure of a request to a lane that has refused everything for a long time."""
    return Fail(Refused(f"{lane} has refused everything for a long time", by="quota", request=request))


def refuse_by_robots(request: Request, rules: Robots) -> Fail | Refuse:
    """Return the decision about a request that robots.txt does not allow.

    It fails if the robots.txt could not be fetched, since the page may be allowed.

    Parameters:
        request: The request.
        rules: The rules of its origin.
    """
    error = rules.refusal(request)
    if not isinstance(error, Refused):
        return Fail(error)
    if error.by == "network" or rules.error is None:
        return Refuse(error.by, error)
    return Fail(error, filtered_by=error.by)


def bad_status(response: Response, now: float) -> BadStatus:
    """Return the error of a response that no callback gets.

    Parameters:
        response: A response with any status.
        now: Seconds since the epoch, from which a date in ``Retry-After`` is counted.
    """
    status = response.status
    error = BadStatus(
        f"status {status}",
        status=status,
        request=response.request,
        retry_after=parse_retry_after(response.headers.get("retry-after"), now=now),
    )
    error.retryable = is_transient(status)
    return error


def _outage_of(error: RequestError | Retry, history: History) -> Outage | None:
    """Return what an error shows about an outage; `None` if nothing."""
    if isinstance(error, FetchError):
        return error.outage
    return history.outage if isinstance(error, BadStatus) else None


def _is_silent(error: RequestError | Retry) -> bool:
    """Return whether an error is a 503 that states no wait: the server or only its page may be in trouble."""
    return isinstance(error, BadStatus) and error.status == UNAVAILABLE and error.retry_after is None


def _as_error(error: RequestError | Retry, request: Request) -> RequestError:
    """Return the error of a request that has no attempt left for the retry that a plugin wants."""
    if isinstance(error, Retry):
        return FetchError(f"no attempt is left for a retry: {error.reason}", request=request)
    return error


def _put_off(error: WouldExceedDeadline, now: float) -> Again:
    """Return when a request is due that was not sent, because a `fetch` hook or a limit has delayed it.

    The number of times is not limited: the request has lost no attempt, and the hook knows when there is room for it.
    """
    return Again("nothing", max(MIN_PUT_OFF, error.retry_at - now))


def _wait_until(error: BaseException | None) -> float | None:
    """Return when the inline fetch may start, in epoch seconds; `None` if there are other errors."""
    if isinstance(error, WouldExceedDeadline):
        return error.retry_at
    if isinstance(error, ExceptionGroup):
        times = [_wait_until(inner) for inner in error.exceptions]
        return None if None in times else max(time for time in times if time is not None)
    return None
