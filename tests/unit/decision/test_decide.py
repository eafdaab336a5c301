"""`decide`: one table of results and the decisions about their requests, and where senders differ."""

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
    LoggedOut,
    Refused,
    Request,
    RequestError,
    Response,
    Retry,
    RetryPolicy,
    Settings,
    WouldExceedDeadline,
)
from crawler.decision.decide import Policy, bad_status, decide
from crawler.decision.decisions import Again, Decision, Fail, Follow, Page, Refuse
from crawler.decision.facts import MAX_FREE, Facts
from crawler.http.robots import DISALLOW_ALL, Robots
from crawler.limits.refusal_budget import Refusal
from crawler.outages.failed_attempt import Outage

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


def facts(request: Request | None = None, **known: Any) -> Facts:
    return Facts(request=request or Request(URL), **{"attempts": 1} | known)


def refusal(**known: Any) -> Refusal:
    """A refusal by a server that serves others; its lane waits, and others do, too."""
    usual = {"serves_others": True, "lane_waits": 1.0, "has_others": True, "has_served": True, "is_stalled": False}
    return Refusal(**usual | known)


def stale() -> BrokenExchange:
    error = BrokenExchange("closed")
    error.kind = "stale"
    return error


def down(outage: Outage) -> ConnectFailed:
    error = ConnectFailed("refused")
    error.outage = outage
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
        case Again(reason, wait, is_behind):
            return (reason, wait, "behind") if is_behind else (reason, wait)
        case Fail(error):
            return "fail" if decision.counted else "definitive", error.reason
        case Refuse(by):
            return "refuse", by


REFUSED: dict[str, Any] = {"refusal": refusal()}
"""Its lane waits, so that the request needs no wait of its own."""
AT_ONCE: dict[str, Any] = {"refusal": refusal(lane_waits=0.0)}
"""No limit holds others back."""
NOTHING: dict[str, Any] = {"refusal": refusal(serves_others=False)}
"""The lane no longer serves anything."""
OFTEN: dict[str, Any] = {"free": ("refused",) * 5}
"""As often as is free."""
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
    ("server error", response(500), {}, ("attempt", 4.0)),
    ("second server error", response(500), {"attempts": 2}, ("attempt", 8.0)),
    ("last server error", response(500), {"attempts": 3}, ("fail", "status_500")),
    ("server error with a time", response(500, retry_after="7"), {}, ("attempt", 7.0)),
    ("server error with a long time", response(500, retry_after="90000"), {}, ("fail", "status_500")),
    ("timeout of the server", response(408), {}, ("attempt", 4.0)),
    ("too many requests", response(429), REFUSED, ("refused", None)),
    ("too many requests, again", response(429), REFUSED | {"free": ("refused",)}, ("refused", None, "behind")),
    ("too many requests, with a time, again", response(429, retry_after="7"), REFUSED | {"free": ("refused",)},
     ("refused", None, "behind")),
    ("too many requests, too often", response(429), REFUSED | OFTEN, ("attempt", 4.0)),
    ("too many requests, too often, last", response(429), REFUSED | OFTEN | {"attempts": 3}, ("fail", "status_429")),
    ("too many at once", response(429), AT_ONCE, ("refused", 4.0)),
    ("too many at once, again", response(429), AT_ONCE | {"free": ("refused", "held")}, ("refused", 16.0, "behind")),
    ("too many at once, with a time", response(429, retry_after="7"), AT_ONCE, ("refused", 7.0)),
    ("too many at once, and no others wait", response(429),
     {"refusal": refusal(lane_waits=0.0, has_others=False)}, ("refused", None)),
    ("nothing is served", response(429), NOTHING, ("held", None, "behind")),
    ("nothing is served, with a time", response(429, retry_after="7"), NOTHING, ("held", None)),
    ("nothing was ever served, with a time, again", response(429, retry_after="7"),
     {"refusal": refusal(serves_others=False, has_served=False), "free": ("refused",)}, ("held", None)),
    ("nothing was ever served, with a time, for the third time", response(429, retry_after="7"),
     {"refusal": refusal(serves_others=False, has_served=False), "free": ("refused", "held")},
     ("held", None, "behind")),
    ("nothing is served, often", response(429), NOTHING | {"free": ("held",) * 20}, ("held", None, "behind")),
    ("nothing is served for too long", response(429), {"refusal": refusal(is_stalled=True)}, ("fail", "status_429")),
    ("unavailable with a time", response(503, retry_after="7"), REFUSED, ("refused", None)),
    ("unavailable without a word", response(503), REFUSED, ("refused", None)),
    ("unavailable without a word, only this page", response(503), AT_ONCE, ("refused", 4.0)),
    ("unavailable without a word, too often", response(503), REFUSED | OFTEN, ("attempt", 4.0)),
    ("a refusal with status 200", response(200), REFUSED, ("refused", None)),
    ("a refusal with status 403", response(403), REFUSED, ("refused", None)),
    ("a refusal with status 302", response(302, location="/b"), REFUSED, ("refused", None)),
    ("a refusal by HTTP/2", calm(), REFUSED, ("refused", None)),
    ("a refusal by HTTP/2, too often", calm(), REFUSED | OFTEN, ("attempt", 4.0)),
    ("a refused POST by HTTP/2", calm(), REFUSED | {"request": Request(URL, method="POST")},
     ("fail", "broken_exchange")),
    ("an outage", down(Outage(7.0)), {}, ("waits", 7.0)),
    ("an outage that may be that of the page", down(Outage(7.0, is_open=False)), {}, ("unreachable", 7.0)),
    ("the same, too often", down(Outage(7.0, is_open=False)), {"free": ("unreachable",) * 20}, ("attempt", 7.0)),
    ("an outage for too long", down(Outage(0.0, gives_up=True, down_for=600.0)), {}, ("fail", "connect_failed")),
    ("an outage of which the gateway tells", response(502), {"outage": Outage(7.0)}, ("waits", 7.0)),
    ("no connection", ConnectFailed("refused"), {}, ("attempt", 4.0)),
    ("no connection, last attempt", ConnectFailed("refused"), {"attempts": 3}, ("fail", "connect_failed")),
    ("closed connection", stale(), {}, ("stale", None)),
    ("closed connection, last attempt", stale(), {"attempts": 3}, ("stale", None)),
    ("closed connection, too often", stale(), {"free": ("stale",) * 8}, ("attempt", 4.0)),
    ("closed connection of a POST", stale(), {"request": Request(URL, method="POST")}, ("fail", "broken_exchange")),
    ("closed connection of a keyed POST", stale(),
     {"request": Request(URL, method="POST", headers={"Idempotency-Key": "1"})}, ("stale", None)),
    ("too large", BodyTooLarge("large"), {}, ("fail", "body_too_large")),
    ("hook that raised", HookError("x", plugin="p", hook="fetch"), {}, ("fail", "hook_error")),
    ("private network", Refused("private", by="network"), {}, ("refuse", "network")),
    ("refused by a hook", Refused("no", by="scope"), {}, ("refuse", "scope")),
    ("dropped by a hook", Drop("unwanted"), {}, ("refuse", "unwanted")),
    ("retry of a hook", Retry("captcha"), {}, ("attempt", 4.0)),
    ("retry of a hook with a time", Retry("captcha", after=60.0), {}, ("attempt", 60.0)),
    ("retry of a hook, last attempt", Retry("captcha"), {"attempts": 3}, ("fail", "fetch_error")),
]  # fmt: skip


@pytest.mark.parametrize(("result", "known", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_decision_about_a_request(result: Any, known: dict[str, Any], expected: Any) -> None:
    assert outline(decide(result, facts(**known), POLICY, NOW)) == expected


def test_the_request_decides_before_the_spider_which_statuses_are_pages() -> None:
    found = Response(URL, 404, {}, request=Request(URL, accept_status=[404]))
    assert decide(found, facts(found.request), POLICY, NOW) == Page(found)
    teapot = Response(URL, 418, {}, request=Request(URL, accept_status=[404]))
    assert outline(decide(teapot, facts(teapot.request), POLICY, NOW)) == ("definitive", "status_418")
    redirect = Response(URL, 302, {"Location": "/b"}, request=Request(URL, accept_status=[302]))
    assert decide(redirect, facts(redirect.request), POLICY, NOW) == Page(redirect)


def test_a_refresh_is_a_page_where_none_is_followed() -> None:
    policy = msgspec.structs.replace(POLICY, follow_refresh=None)
    assert outline(decide(response(200, refresh="0; url=/b"), facts(), policy, NOW)) == "page"


def test_a_page_does_not_wait_ever_longer_while_others_are_refused_at_random() -> None:
    policy = msgspec.structs.replace(POLICY, retries=Steady(Settings()))
    known = AT_ONCE | {"free": ("refused",) * 4, "failed_share": 0.2}
    assert outline(decide(response(503), facts(**known), policy, NOW)) == ("refused", 4.0, "behind")
    known["failed_share"] = 0.0
    assert outline(decide(response(503), facts(**known), policy, NOW)) == ("refused", 30.0, "behind")


@pytest.mark.parametrize(("location", "reason"), [("/c", "too_many_redirects"), ("/a", "redirect_loop")])
def test_a_chain_of_redirects_that_is_too_long_fails(location: str, reason: str) -> None:
    request = Request(URL)
    object.__setattr__(request, "redirects", CIRCLE)
    found = Response(URL, 302, {"Location": location}, request=request)
    decision = decide(found, facts(request), POLICY, NOW)
    assert isinstance(decision, Fail)
    assert isinstance(decision.error, BadRedirect)
    assert decision.error.reason == reason


def test_a_post_is_sent_again_only_if_the_server_has_not_processed_it() -> None:
    request = Request(URL, method="POST")
    assert isinstance(decide(ConnectFailed("refused"), facts(request), POLICY, NOW), Fail)
    assert isinstance(decide(stale(), facts(request), POLICY, NOW), Fail)
    for status in (500, 502, 504):
        assert isinstance(decide(Response(URL, status, {}, request=request), facts(request), POLICY, NOW), Fail)
    early = Response(URL, 425, {}, request=request)
    assert decide(early, facts(request), POLICY, NOW) == Again("attempt", 4.0)
    limited = facts(request, **REFUSED)
    assert isinstance(decide(Response(URL, 503, {}, request=request), limited, POLICY, NOW), Fail)
    for status in (429, 509, 529):
        assert decide(Response(URL, status, {}, request=request), limited, POLICY, NOW) == Again("refused", None)


@pytest.mark.parametrize("status", [501, 505])
def test_an_unsupported_request_is_not_sent_again_and_has_failed(status: int) -> None:
    decision = decide(response(status), facts(), POLICY, NOW)
    assert isinstance(decision, Fail)
    assert (decision.error.reason, decision.counted) == (f"status_{status}", True)


def test_attempts_of_a_request_go_before_those_of_the_settings() -> None:
    assert isinstance(decide(response(500), facts(Request(URL, attempts=1)), POLICY, NOW), Fail)
    assert decide(response(500), facts(Request(URL, attempts=9), attempts=8), POLICY, NOW) == Again("attempt", 30.0)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (response(200), "page"),
        (response(302, location="/b"), "page"),  # followed by the caller
        (response(404), "page"),
        (response(500), ("attempt", 4.0)),
        (response(429, retry_after="7"), ("attempt", 7.0)),
        (stale(), ("stale", None)),
        (ConnectFailed("refused"), ("attempt", 4.0)),
        (Refused("private", by="network"), ("fail", "refused")),
        (Retry("captcha", after=1.0), ("attempt", 1.0)),
    ],
)
def test_the_decision_about_an_inline_fetch(result: Any, expected: Any) -> None:
    assert outline(decide(result, facts(sender="inline"), POLICY, NOW)) == expected


@pytest.mark.parametrize(
    ("result", "known", "expected"),
    [
        (response(502), {"outage": Outage(7.0)}, ("waits", 7.0)),
        (response(502), {"attempts": 3}, "page"),
        (response(429), REFUSED | {"attempts": 3}, ("refused", None)),
        (response(403), REFUSED | {"attempts": 3}, ("refused", None)),
        (response(503), AT_ONCE | {"attempts": 3}, ("refused", 4.0)),
        (response(503), REFUSED | OFTEN | {"attempts": 3}, "page"),
        (response(429), {"refusal": refusal(is_stalled=True)}, "page"),
        (Retry("captcha", after=1.0), {"outage": Outage(7.0)}, ("attempt", 1.0)),
    ],
)
def test_an_inline_fetch_is_retried_as_a_page_is(result: Any, known: dict[str, Any], expected: Any) -> None:
    assert outline(decide(result, facts(sender="inline", **known), POLICY, NOW)) == expected
    if expected != "page":
        assert outline(decide(result, facts(**known), POLICY, NOW)) == expected


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_an_inline_fetch_gets_a_status_that_it_accepts_at_once(status: int) -> None:
    request = Request("https://site.test/", accept_status=[status])
    result = Response(url=request.url, status=status, request=request)
    for refused in (None, refusal()):
        known = facts(request, sender="inline", refusal=refused)
        assert decide(result, known, POLICY, NOW) == Page(result)


def test_pages_and_inline_fetches_get_more_attempts_while_requests_fail_at_random() -> None:
    policy = Policy(Steady(Settings()))
    result = response(500)
    for attempts in (3, 9):
        known = facts(attempts=attempts, failed_share=0.3)
        again = Again("attempt", 4.0 if attempts == 3 else 8.0)
        assert decide(result, known, policy, NOW) == again
        known.sender = "inline"
        assert decide(result, known, policy, NOW) == again
    known = facts(attempts=10, failed_share=0.3)
    assert isinstance(decide(result, known, policy, NOW), Fail)
    known.sender = "inline"
    assert decide(result, known, policy, NOW) == Page(result)


def of_robots(error: Any, **known: Any) -> Decision:
    return decide(error, facts(sender="robots", **known), POLICY, NOW)


def test_a_robots_txt_keeps_its_attempts_while_only_the_gateway_of_its_host_answers() -> None:
    error = bad_status(response(502), NOW)
    assert of_robots(error, outage=Outage(7.0), attempts=3) == Again("waits", 7.0)
    error.retry_after = 60.0
    assert of_robots(error, outage=Outage(7.0)) == Again("waits", 60.0)
    assert of_robots(error, outage=Outage(0.0, gives_up=True), attempts=3) == Fail(error)
    assert of_robots(error, outage=Outage(7.0, is_open=False), attempts=3) == Fail(error)


def test_an_inline_fetch_gets_the_response_to_its_last_attempt() -> None:
    last = facts(attempts=3, sender="inline")
    assert outline(decide(response(500), last, POLICY, NOW)) == "page"
    error = ConnectFailed("refused")
    assert decide(error, last, POLICY, NOW) == Fail(error)


@pytest.mark.parametrize(
    ("error", "attempts", "expected"),
    [
        (bad_status(response(503), NOW), 1, ("attempt", 4.0)),
        (bad_status(response(503), NOW), 3, ("fail", "status_503")),
        (stale(), 1, ("attempt", 4.0)),
        (Retry("captcha", after=9.0), 1, ("attempt", 9.0)),
        (Refused("private", by="network"), 1, ("fail", "refused")),
        (RequestError("odd"), 1, ("fail", "request_error")),
    ],
)
def test_the_decision_about_a_robots_txt_that_was_not_fetched(error: Any, attempts: int, expected: Any) -> None:
    assert outline(of_robots(error, attempts=attempts)) == expected
    assert outline(of_robots(error, attempts=attempts, failed_share=0.5, **REFUSED)) == expected


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
    expected = Fail(error, calls_errback=False) if wait is None else Again("put_off", wait)
    assert decide(error, facts(), POLICY, NOW) == expected


def test_a_page_is_put_off_twenty_times_at_most() -> None:
    error, most = raised(late(60.0)), MAX_FREE["put_off"]
    assert decide(error, facts(free=("put_off",) * (most - 1)), POLICY, NOW) == Again("put_off", 60.0)
    assert decide(error, facts(free=("put_off",) * most), POLICY, NOW) == Fail(error, calls_errback=False)


def test_a_page_that_came_back_logged_out_is_fetched_again_for_as_long_as_others_renew_its_session() -> None:
    error, most = LoggedOut("x"), ("logged_out",) * MAX_FREE["logged_out"]
    assert decide(error, facts(), POLICY, NOW) == Fail(error)
    error.retryable = True
    assert decide(error, facts(free=most[1:]), POLICY, NOW) == Again("logged_out")
    assert decide(error, facts(free=most), POLICY, NOW) == Fail(error)
    error.renewed = True
    assert decide(error, facts(free=most), POLICY, NOW) == Again("waits")


def test_a_retry_by_a_callback_uses_up_an_attempt() -> None:
    assert decide(Retry("captcha"), facts(**REFUSED), POLICY, NOW) == Again("attempt", 4.0)


# ---- requests that are not sent --------------------------------------------------------------------------------------


def without(error: RequestError) -> Robots:
    return msgspec.structs.replace(DISALLOW_ALL, error=error)


def unsent(error: RequestError) -> Decision:
    return decide(error, facts(is_sent=False), POLICY, NOW)


def test_the_decision_about_a_request_that_robots_txt_forbids() -> None:
    request = Request(URL)
    forbidden = Robots.from_response(200, b"User-agent: *\nDisallow: /", "bot", URL)
    assert forbidden is not None
    assert outline(unsent(forbidden.refusal(request))) == ("refuse", "robots")
    assert outline(unsent(without(Refused("private", by="network")).refusal(request))) == ("refuse", "network")
    no_connection = ConnectFailed("refused")
    assert unsent(without(no_connection).refusal(request)) == Fail(no_connection)
    broken = unsent(without(BadStatus("status 503", status=503)).refusal(request))
    assert isinstance(broken, Fail)
    assert (broken.error.reason, broken.filtered_by, broken.counted) == ("refused", "robots", True)


def test_a_lane_that_refuses_everything_fails_its_requests() -> None:
    error = Refused("it has refused everything for a long time", by="quota")
    assert unsent(error) == Fail(error)


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
    assert decide(late(60.0), facts(), POLICY, NOW) == Again("waits", 60.0)
    assert decide(late(60.0), facts(free=("put_off",) * 20), POLICY, NOW) == Again("waits", 60.0)
    assert decide(late(-5.0), facts(), POLICY, NOW) == Again("waits", 1.0)
    assert of_robots(late(60.0), attempts=9) == Again("waits", 60.0)


def test_a_request_of_a_client_keeps_its_place_until_it_is_refused_for_the_third_time() -> None:
    found = [
        decide(response(429), facts(sender="client", free=("held",) * earlier, **NOTHING), POLICY, NOW)
        for earlier in range(3)
    ]
    assert found == [Again("held"), Again("held"), Again("held", is_behind=True)]
