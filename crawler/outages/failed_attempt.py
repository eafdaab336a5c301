"""`FailedAttempt`: a request that got no response of use. `Outage`: what that means for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from crawler.errors import FetchError
    from crawler.messages import Request

__all__ = ["GIVEN_UP_END", "SENT", "Contact", "FailedAttempt", "Outage", "given_up_error"]

Contact: TypeAlias = Literal["none", "lookup", "local", "refused", "name", "sent", "gateway", "error"]
"""How far a request got. Nothing came back: ``none`` (no connection), ``lookup`` (the DNS lookup failed), ``local``
(this machine has no route). Something did: ``refused`` (a refusal, or a TLS handshake that failed), ``name`` (DNS says
that the name does not exist). The request was sent: ``sent`` (no response came), ``gateway`` (the gateway of the host
got none), ``error`` (the host answered with an error)."""
SENT: Final = frozenset({"sent", "gateway", "error"})
"""Contacts of requests that were sent: their pages may be to blame."""
GIVEN_UP_END: Final = " s, given up)"
"""The end of the message of each request whose host was given up: the next run of a job finds them by it."""


class FailedAttempt(Struct, frozen=True, kw_only=True):
    """A request that got no response of use."""

    scope: str
    """The origin or proxy that failed."""
    contact: Contact
    """How far the request got."""
    error: FetchError
    """The error, for the requests that fail if the host is given up."""
    url: str
    """URL of the request."""
    ticket: object
    """The ticket of the request. It may be a probe."""
    started: float
    """When it started, in seconds since the epoch."""
    is_known: bool
    """Whether the host has answered before, in this run or an earlier one of the job."""
    failed_before: float | None = None
    """When the request failed for the first time in this run, in seconds since the epoch; `None`: just now."""
    may_be_alone: bool = False
    """Whether its page may be the only one that is known, so that it alone shows an outage: it was found on a page, and
    its number of attempts was not asked for."""
    blocks_host: bool = False
    """Whether all requests of the host wait for this one, as for the first robots.txt."""
    is_proxy: bool = False
    """Whether the scope is a proxy."""


class Outage(NamedTuple):
    """What an outage means for a request that got no response: it is sent again and uses no attempt, or fails."""

    wait: float
    """Seconds until it may be sent again, at least."""
    is_open: bool = True
    """Whether the breaker is open. If not, the request alone may be to blame, so such retries are limited."""
    counts: bool = False
    """Whether this uses an attempt nevertheless: only the wait is longer."""
    gives_up: bool = False
    """Whether the host has been down for too long: the request fails."""
    down_for: float = 0.0
    """Seconds for which it has been down."""


def given_up_error(error: FetchError, down_for: float, request: Request) -> FetchError:
    """Return the error of a request to a host that was given up after `down_for` seconds, made of its last failure."""
    copy = type(error)(f"{error} (unreachable for {down_for:.0f}{GIVEN_UP_END}", request=request)
    copy.kind, copy.retryable = error.kind, False
    return copy
