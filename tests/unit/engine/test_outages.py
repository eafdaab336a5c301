"""Which failures tell that a host may be down, and how far its request got."""

from __future__ import annotations

from support.cases import each

from crawler.engine.outages import contact_of, has_response
from crawler.errors import (
    BadStatus,
    BodyTooLarge,
    BrokenExchange,
    ConnectFailed,
    FetchTimeout,
    HookError,
    Refused,
    RequestError,
)


def error(cls: type[RequestError], kind: str = "", *, retryable: bool = True, response: bool = False) -> RequestError:
    made = cls("x")
    made.kind, made.retryable = kind, retryable
    if response:
        made.has_response = True  # type: ignore[attr-defined]
    return made


@each(
    ("failure", "contact"),
    [
        (error(ConnectFailed, "refused"), "refused"),
        (error(ConnectFailed, "reset"), "refused"),
        (error(ConnectFailed, "tls"), "refused"),
        (error(ConnectFailed), "refused"),
        (error(ConnectFailed, "unreachable"), "local"),
        (error(ConnectFailed, "dns"), "lookup"),
        (error(ConnectFailed, "dns", retryable=False), "name"),
        (error(ConnectFailed, "tls_expired", retryable=False), "refused"),
        (error(ConnectFailed, "proxy"), None),
        (error(FetchTimeout, "dns"), "lookup"),
        (error(FetchTimeout, "connect"), "none"),
        (error(FetchTimeout, "deadline"), "sent"),
        (error(FetchTimeout, "read"), "sent"),
        (error(FetchTimeout, "read", response=True), None),
        (error(BrokenExchange, "closed"), "sent"),
        (error(BrokenExchange, "reset"), "sent"),
        (error(BrokenExchange, "closed", response=True), None),
        (error(BrokenExchange, "no_http"), None),
        (error(BrokenExchange, "bad_header", retryable=False), None),
        (error(BodyTooLarge), None),
        (Refused("x", by="network"), None),
        (BadStatus("x", status=503), None),
        (HookError("x", plugin="p", hook="fetch"), None),
    ],
)
def test_how_far_a_request_got(failure: RequestError, contact: str | None) -> None:
    assert contact_of(failure, is_known=True) == contact


def test_a_bad_certificate_of_a_new_host_is_not_an_outage() -> None:
    assert contact_of(error(ConnectFailed, "tls_expired", retryable=False), is_known=False) is None
    assert contact_of(error(ConnectFailed, "tls"), is_known=False) == "refused"


def test_a_body_that_breaks_off_is_a_response() -> None:
    assert has_response(error(BodyTooLarge))
    assert has_response(error(BrokenExchange, "closed", response=True))
    assert not has_response(error(BrokenExchange, "closed"))
    assert not has_response(RequestError("x"))
