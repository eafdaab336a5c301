"""`decide` and its companions: one table of results and the decisions about their requests."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from crawler import (
    BadRedirect,
    BadStatus,
    BodyTooLarge,
    BrokenExchange,
    ConnectFailed,
    Drop,
    HookError,
    Refused,
    Request,
    RequestError,
    Response,
    Retry,
    RetryPolicy,
    Settings,
    WouldExceedDeadline,
)
from crawler.engine.decide import (
    MAX_PUT_OFFS,
    Policy,
    bad_status,
    decide,
    decide_inline,
    decide_page_error,
    decide_robots_error,
    fail_by_quota,
    refuse_by_robots,
    retry_or_fail,
)
from crawler.engine.decision import Again, Decision, Fail, Follow, Page, Refuse
from crawler.engine.history import History
from crawler.http.robots import DISALLOW_ALL, Robots
from crawler.limits.trouble import Outage

NOW = 1_800_000_000.0
URL = "https://site.test/page"


class Steady(RetryPolicy):
    """Backoff without jitter."""

    def pause(self, failures: int) -> float:
        return min(30.0, 4.0 * 2 ** (failures - 1))


POLICY = Policy(Steady(Settings(attempts=3)), frozenset({418}), max_redirects=2, follow_refresh=5.0)
CIRCLE = ("https://site.test/b", "https://site.test/a")


def response(status: int, body: str = "", url: str = URL, **fields: Any) -> Response:
    headers = {name.replace("_", "-"): value for name, value in fields.items()} | {"Content-Type": "text/html"}
    return Response(url, status, headers, body, request=Request(url))


def history(request: Request | None = None, **known: Any) -> History:
    return History(request=request or Request(URL), **{"attempts": 1} | known)


def stale() -> BrokenExchange:
    error = BrokenExchange("closed")
    error.kind = "stale"
    return error


def calm() -> BrokenExchange:
    error = BrokenExchange("HTTP/2 stream 1 reset by server (error 0xb ENHANCE_YOUR_CALM)")
    error.kind = "enhance_your_calm"
    return error


def outline(decision: Decision) -> Any:
    """A decision in the short form of the table."""
    match decision:
        case Page():
            return "page"
        case Follow(request):
            return "follow", request.method, request.url
        case Again(counts, wait):
            return counts, wait
        case Fail(error):
            return "fail" if decision.counted else "definitive", error.reason
        case Refuse(by):
            return "refuse", by


RATE_LIMITED = {"was_rate_limited": True}
UNSERVED = RATE_LIMITED | {"refusals": 2, "unserved_for": 10.0, "is_refused_with_all": True}
TABLE: list[tuple[str, Any, dict[str, Any], Any]] = [
    # name, result, what else is known, decision
    ("success", response(200), {}, "page"),
    ("no content", response(204), {}, "page"),
    ("accepted by the spider", response(418), {}, "page"),
    ("not modified", response(304), {}, ("definitive", "status_304")),
    ("missing", response(404), {}, ("definitive", "status_404")),
    ("forbidden", response(403), {}, ("definitive", "status_403")),
    ("redirect", response(302, location="/b"), {}, ("follow", "GET", "https://site.test/b")),
    ("redirect without a target", response(302), {}, ("definitive", "status_302")),
    ("redirect to no web URL", response(302, location="mailto:a@b.test"), {}, ("fail", "bad_redirect")),
    ("refresh", response(200, refresh="5; url=/b"), {}, ("follow", "GET", "https://site.test/b")),
    ("late refresh", response(200, refresh="6; url=/b"), {}, "page"),
    ("refresh of an error", response(404, refresh="0; url=/b"), {}, ("definitive", "status_404")),
    ("server error", response(500), {}, ("attempts", 4.0)),
    ("second server error", response(500), {"attempts": 2}, ("attempts", 8.0)),
    ("last server error", response(500), {"attempts": 3}, ("fail", "status_500")),
    ("server error with a time", response(500, retry_after="7"), {}, ("attempts", 7.0)),
    ("server error with a long time", response(500, retry_after="90000"), {}, ("fail", "status_500")),
    ("timeout of the server", response(408), {}, ("attempts", 4.0)),
    ("too many requests", response(429), RATE_LIMITED, ("refusals", None)),
    ("too many requests, often", response(429), RATE_LIMITED | {"refusals": 19}, ("refusals", None)),
    ("too many requests, too often", response(429), RATE_LIMITED | {"refusals": 20}, ("attempts", 4.0)),
    ("too many requests, too often, last", response(429), RATE_LIMITED | {"refusals": 20, "attempts": 3},
     ("fail", "status_429")),
    ("too many requests for a long time", response(429), RATE_LIMITED | {"is_stalled": True}, ("attempts", 4.0)),
    ("unavailable with a time", response(503, retry_after="7"), RATE_LIMITED | {"stated_wait": 7.0},
     ("refusals", None)),
    ("too many at once, with a time", response(429, retry_after="7"), RATE_LIMITED, ("refusals", 7.0)),
    ("unavailable without a word", response(503), RATE_LIMITED, ("refusals", 4.0)),
    ("unavailable without a word, again", response(503), RATE_LIMITED | {"refusals": 1}, ("refusals", 8.0)),
    ("unavailable without a word, too often", response(503), RATE_LIMITED | {"refusals": 5}, ("attempts", 4.0)),
    ("unavailable without a word, for the last time", response(503), RATE_LIMITED | {"refusals": 5, "attempts": 3},
     ("fail", "status_503")),
    ("unavailable while the server serves nothing", response(503),
     RATE_LIMITED | {"refusals": 5, "attempts": 3, "unserved_for": 55.0, "has_untried": True}, ("refusals", 10.0)),
    ("unavailable while the server serves nothing for long", response(503),
     RATE_LIMITED | {"refusals": 5, "attempts": 3, "unserved_for": 65.0, "has_untried": True}, ("fail", "status_503")),
    ("unavailable alone", response(503), UNSERVED | {"unserved_for": 64.0}, ("refusals", 1.0)),
    ("unavailable alone, while its lane waits", response(503), UNSERVED | {"lane_waits": 3.0}, ("refusals", None)),
    ("unavailable alone, while its lane waits for long", response(503), UNSERVED | {"lane_waits": 80.0},
     ("refusals", 55.0)),
    ("unavailable alone, for too long", response(503), UNSERVED | {"unserved_for": 65.0}, ("fail", "status_503")),
    ("unavailable alone, for too long, twice", response(503), UNSERVED | {"unserved_for": 65.0, "refusals": 1},
     ("refusals", 8.0)),
    ("unavailable alone, after a wait in vain", response(503), UNSERVED | {"unserved_for": 33.0, "waits_in_vain": 1},
     ("fail", "status_503")),
    ("unavailable alone, after another one that failed", response(503),
     UNSERVED | {"unserved_for": 300.0, "given_up": 1}, ("refusals", 16.0)),
    ("unavailable, as all others that are left", response(503),
     UNSERVED | {"unserved_for": 200.0, "has_others": True}, ("refusals", 16.0)),
    ("unavailable, while others are served", response(503),
     UNSERVED | {"unserved_for": 65.0, "has_others": True, "is_passed": True}, ("fail", "status_503")),
    ("unavailable because of a limit", response(503), RATE_LIMITED | {"refusals": 19, "window": 60.0},
     ("refusals", None)),
    ("unavailable because of a limit, too often", response(503), RATE_LIMITED | {"refusals": 20, "window": 60.0},
     ("attempts", 4.0)),
    ("unavailable because of a limit, alone", response(503), UNSERVED | {"unserved_for": 180.0, "window": 60.0},
     ("refusals", None)),
    ("unavailable because of a limit, alone, for too long", response(503),
     UNSERVED | {"unserved_for": 185.0, "window": 60.0}, ("fail", "status_503")),
    ("a refusal with status 200", response(200), RATE_LIMITED, ("refusals", None)),
    ("a refusal with status 403", response(403), RATE_LIMITED, ("refusals", None)),
    ("a refusal with status 302", response(302, location="/b"), RATE_LIMITED, ("refusals", None)),
    ("a refusal by HTTP/2", calm(), RATE_LIMITED, ("refusals", None)),
    ("a refusal by HTTP/2, often", calm(), RATE_LIMITED | {"refusals": 19}, ("refusals", None)),
    ("a refusal by HTTP/2, too often", calm(), RATE_LIMITED | {"refusals": 20}, ("attempts", 4.0)),
    ("a refused POST by HTTP/2", calm(), RATE_LIMITED | {"request": Request(URL, method="POST")},
     ("fail", "broken_exchange")),
    ("no connection", ConnectFailed("refused"), {}, ("attempts", 4.0)),
    ("no connection, last attempt", ConnectFailed("refused"), {"attempts": 3}, ("fail", "connect_failed")),
    ("closed connection", stale(), {}, ("stale", None)),
    ("closed connection, last attempt", stale(), {"attempts": 3}, ("stale", None)),
    ("closed connection, too often", stale(), {"stale": 8}, ("attempts", 4.0)),
    ("too large", BodyTooLarge("large"), {}, ("fail", "body_too_large")),
    ("hook that raised", HookError("x", plugin="p", hook="fetch"), {}, ("fail", "hook_error")),
    ("private network", Refused("private", by="network"), {}, ("refuse", "network")),
    ("refused by a hook", Refused("no", by="scope"), {}, ("refuse", "scope")),
    ("dropped by a hook", Drop("unwanted"), {}, ("refuse", "unwanted")),
    ("retry of a hook", Retry("captcha"), {}, ("attempts", 4.0)),
    ("retry of a hook with a time", Retry("captcha", after=60.0), {}, ("attempts", 60.0)),
    ("retry of a hook, last attempt", Retry("captcha"), {"attempts": 3}, ("fail", "fetch_error")),
]  # fmt: skip


@pytest.mark.parametrize(("result", "known", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_decision_about_a_request(result: Any, known: dict[str, Any], expected: Any) -> None:
    assert outline(decide(result, history(**known), POLICY, NOW)) == expected


def test_the_request_decides_before_the_spider_which_statuses_are_pages() -> None:
    found = Response(URL, 404, {}, request=Request(URL, accept_status=[404]))
    assert decide(found, history(found.request), POLICY, NOW) == Page(found)
    teapot = Response(URL, 418, {}, request=Request(URL, accept_status=[404]))
    assert outline(decide(teapot, history(teapot.request), POLICY, NOW)) == ("definitive", "status_418")
    redirect = Response(URL, 302, {"Location": "/b"}, request=Request(URL, accept_status=[302]))
    assert decide(redirect, history(redirect.request), POLICY, NOW) == Page(redirect)


def test_a_refresh_is_a_page_where_none_is_followed() -> None:
    policy = msgspec.structs.replace(POLICY, follow_refresh=None)
    assert outline(decide(response(200, refresh="0; url=/b"), history(), policy, NOW)) == "page"


def test_a_page_does_not_wait_ever_longer_while_others_are_unavailable_too() -> None:
    policy = msgspec.structs.replace(POLICY, retries=Steady(Settings()))
    known = RATE_LIMITED | {"refusals": 4, "failed_share": 0.2}
    assert decide(response(503), history(**known), policy, NOW) == Again("refusals", 4.0)
    assert decide(response(503), history(**known | {"failed_share": 0.0}), policy, NOW) == Again("refusals", 30.0)


@pytest.mark.parametrize(("location", "reason"), [("/c", "too_many_redirects"), ("/a", "redirect_loop")])
def test_a_chain_of_redirects_that_is_too_long_fails(location: str, reason: str) -> None:
    request = Request(URL)
    object.__setattr__(request, "redirects", CIRCLE)
    found = Response(URL, 302, {"Location": location}, request=request)
    decision = decide(found, history(request), POLICY, NOW)
    assert isinstance(decision, Fail)
    assert isinstance(decision.error, BadRedirect)
    assert decision.error.reason == reason


def test_a_post_is_sent_again_only_if_the_server_has_not_processed_it() -> None:
    request = Request(URL, method="POST")
    assert isinstance(decide(ConnectFailed("refused"), history(request), POLICY, NOW), Fail)
    assert isinstance(decide(stale(), history(request), POLICY, NOW), Fail)
    for status in (500, 502, 504):
        assert isinstance(decide(Response(URL, status, {}, request=request), history(request), POLICY, NOW), Fail)
    early = Response(URL, 425, {}, request=request)
    assert decide(early, history(request), POLICY, NOW) == Again("attempts", 4.0)
    limited = history(request, **RATE_LIMITED)
    assert isinstance(decide(Response(URL, 503, {}, request=request), limited, POLICY, NOW), Fail)
    for status in (429, 509, 529):
        assert decide(Response(URL, status, {}, request=request), limited, POLICY, NOW) == Again("refusals", None)


@pytest.mark.parametrize("status", [501, 505])
def test_an_unsupported_request_is_not_sent_again_and_has_failed(status: int) -> None:
    decision = decide(response(status), history(), POLICY, NOW)
    assert isinstance(decision, Fail)
    assert (decision.error.reason, decision.counted) == (f"status_{status}", True)


def test_attempts_of_a_request_go_before_those_of_the_settings() -> None:
    assert isinstance(decide(response(500), history(Request(URL, attempts=1)), POLICY, NOW), Fail)
    assert decide(response(500), history(Request(URL, attempts=9), attempts=8), POLICY, NOW) == Again("attempts", 30.0)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (response(200), "page"),
        (response(302, location="/b"), "page"),  # followed by the caller
        (response(404), "page"),
        (response(500), ("attempts", 4.0)),
        (response(429, retry_after="7"), ("attempts", 7.0)),
        (stale(), ("stale", None)),
        (ConnectFailed("refused"), ("attempts", 4.0)),
        (Refused("private", by="network"), ("fail", "refused")),
        (Retry("captcha", after=1.0), ("attempts", 1.0)),
    ],
)
def test_the_decision_about_an_inline_fetch(result: Any, expected: Any) -> None:
    assert outline(decide_inline(result, history(), POLICY.retries, NOW)) == expected


@pytest.mark.parametrize(
    ("result", "known", "expected"),
    [
        (response(502), {"outage": Outage(7.0)}, ("unreachable", 7.0)),
        (response(502), {"outage": Outage(7.0, is_open=False, counts=True)}, ("attempts", 7.0)),
        (response(502), {"outage": Outage(7.0, is_open=False, counts=True), "attempts": 3}, "page"),
        (response(429), {"was_rate_limited": True, "attempts": 3}, ("refusals", None)),
        (response(403), {"was_rate_limited": True, "attempts": 3}, ("refusals", None)),
        (response(503), {"was_rate_limited": True, "attempts": 3}, ("refusals", 4.0)),
        (response(503), {"was_rate_limited": True, "attempts": 3, "refusals": 5}, "page"),
        (response(429), {"was_rate_limited": True, "attempts": 3, "is_stalled": True}, "page"),
        (Retry("captcha", after=1.0), {"outage": Outage(7.0)}, ("attempts", 1.0)),
    ],
)
def test_an_inline_fetch_is_retried_as_a_page_is(result: Any, known: dict[str, Any], expected: Any) -> None:
    assert outline(decide_inline(result, history(**known), POLICY.retries, NOW)) == expected
    if expected != "page":
        assert outline(decide(result, history(**known), POLICY, NOW)) == expected


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_an_inline_fetch_gets_a_status_that_it_accepts_at_once(status: int) -> None:
    request = Request("https://site.test/", accept_status=[status])
    result = Response(url=request.url, status=status, request=request)
    for refused in (False, True):
        known = History(request=request, attempts=1, was_rate_limited=refused)
        assert decide_inline(result, known, POLICY.retries, NOW) == Page(result)


def test_pages_and_inline_fetches_get_more_attempts_while_requests_fail_at_random() -> None:
    policy = Policy(Steady(Settings()))
    result = response(500)
    for attempts in (3, 9):
        known = history(attempts=attempts, failed_share=0.3)
        again = Again("attempts", 4.0 if attempts == 3 else 8.0)
        assert decide(result, known, policy, NOW) == again
        assert decide_inline(result, known, policy.retries, NOW) == again
    known = history(attempts=10, failed_share=0.3)
    assert isinstance(decide(result, known, policy, NOW), Fail)
    assert decide_inline(result, known, policy.retries, NOW) == Page(result)


def test_a_robots_txt_keeps_its_attempts_while_only_the_gateway_of_its_host_answers() -> None:
    error, retries = bad_status(response(502), NOW), POLICY.retries
    again = Again("unreachable", 7.0)
    assert decide_robots_error(error, history(outage=Outage(7.0), attempts=3), retries, NOW) == again
    error.retry_after = 60.0
    assert decide_robots_error(error, history(outage=Outage(7.0)), retries, NOW) == Again("unreachable", 60.0)
    given_up = Outage(0.0, gives_up=True)
    assert decide_robots_error(error, history(outage=given_up, attempts=3), retries, NOW) == Fail(error)
    in_doubt = Outage(7.0, is_open=False, counts=True)
    assert decide_robots_error(error, history(outage=in_doubt, attempts=3), retries, NOW) == Fail(error)


def test_an_inline_fetch_gets_the_response_to_its_last_attempt() -> None:
    assert outline(decide_inline(response(500), history(attempts=3), POLICY.retries, NOW)) == "page"
    error = ConnectFailed("refused")
    assert decide_inline(error, history(attempts=3), POLICY.retries, NOW) == Fail(error)


@pytest.mark.parametrize(
    ("error", "attempts", "expected"),
    [
        (bad_status(response(503), NOW), 1, ("attempts", 4.0)),
        (bad_status(response(503), NOW), 3, ("fail", "status_503")),
        (stale(), 1, ("attempts", 4.0)),
        (Refused("private", by="network"), 1, ("fail", "refused")),
        (RequestError("odd"), 1, ("fail", "request_error")),
    ],
)
def test_the_decision_about_a_robots_txt_that_was_not_fetched(
    error: RequestError, attempts: int, expected: Any
) -> None:
    assert outline(decide_robots_error(error, history(attempts=attempts), POLICY.retries, NOW)) == expected


# ---- pages -----------------------------------------------------------------------------------------------------------


def late(seconds: float) -> WouldExceedDeadline:
    return WouldExceedDeadline("later", retry_at=NOW + seconds, scope="https://api.test")


def raised(cause: BaseException | None) -> HookError:
    error = HookError("x", plugin="spider", hook="parse")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "wait"),
    [
        (late(60.0), 60.0),
        (ExceptionGroup("two", [late(60.0), late(90.0)]), 90.0),
        (ExceptionGroup("nested", [ExceptionGroup("one", [late(5.0)])]), 5.0),
        (ExceptionGroup("mixed", [late(60.0), ValueError("x")]), None),
        (ValueError("x"), None),
        (None, None),
    ],
)
def test_a_page_is_put_off_if_only_an_inline_fetch_has_to_wait(cause: BaseException | None, wait: float | None) -> None:
    error = raised(cause)
    expected = Fail(error, calls_errback=False) if wait is None else Again("put_offs", wait)
    assert decide_page_error(error, history(), NOW) == expected


def test_a_page_is_put_off_twenty_times_at_most() -> None:
    error = raised(late(60.0))
    assert decide_page_error(error, history(put_offs=MAX_PUT_OFFS - 1), NOW) == Again("put_offs", 60.0)
    assert decide_page_error(error, history(put_offs=MAX_PUT_OFFS), NOW) == Fail(error, calls_errback=False)


def test_a_retry_by_a_callback_uses_up_an_attempt() -> None:
    assert retry_or_fail(Retry("captcha"), history(**RATE_LIMITED), POLICY.retries) == Again("attempts", 4.0)


# ---- requests that are not sent --------------------------------------------------------------------------------------


def without(error: RequestError) -> Robots:
    return msgspec.structs.replace(DISALLOW_ALL, error=error)


def test_the_decision_about_a_request_that_robots_txt_forbids() -> None:
    request = Request(URL)
    forbidden = Robots.from_response(200, b"User-agent: *\nDisallow: /", "bot", URL)
    assert forbidden is not None
    assert outline(refuse_by_robots(request, forbidden)) == ("refuse", "robots")
    assert outline(refuse_by_robots(request, without(Refused("private", by="network")))) == ("refuse", "network")
    no_connection = ConnectFailed("refused")
    assert refuse_by_robots(request, without(no_connection)) == Fail(no_connection)
    broken = refuse_by_robots(request, without(BadStatus("status 503", status=503)))
    assert isinstance(broken, Fail)
    assert (broken.error.reason, broken.filtered_by, broken.counted) == ("refused", "robots", True)


def test_a_lane_that_refuses_everything_fails_its_requests() -> None:
    decision = fail_by_quota(Request(URL), "https://site.test")
    assert isinstance(decision.error, Refused)
    assert (decision.error.by, decision.counted, decision.filtered_by) == ("quota", True, "")


@pytest.mark.parametrize(
    ("status", "header", "retryable", "retry_after"),
    [
        (404, None, False, None),
        (408, None, True, None),
        (425, None, True, None),
        (429, "7", True, 7.0),
        (500, "soon", True, None),
        (503, "Fri, 15 Jan 2027 08:00:30 GMT", True, 30.0),
        (599, None, True, None),
    ],
)
def test_the_error_of_a_status(status: int, header: str | None, retryable: bool, retry_after: float | None) -> None:
    fields = {} if header is None else {"retry_after": header}
    error = bad_status(response(status, **fields), NOW)
    assert (error.status, error.retryable, error.retry_after) == (status, retryable, retry_after)
    assert error.request is not None


def test_a_request_that_a_fetch_hook_cannot_send_yet_is_put_off_as_often_as_it_wants() -> None:
    assert decide(late(60.0), history(), POLICY, NOW) == Again("nothing", 60.0)
    assert decide(late(60.0), history(put_offs=1000), POLICY, NOW) == Again("nothing", 60.0)
    assert decide(late(-5.0), history(), POLICY, NOW) == Again("nothing", 1.0)
    assert decide_robots_error(late(60.0), history(attempts=9), POLICY.retries, NOW) == Again("nothing", 60.0)
