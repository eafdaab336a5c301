"""`Trouble`: a request that got no response. `Outage`: what that means for it."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct

from crawler.errors import FetchError

__all__ = ["Contact", "Outage", "Trouble"]

Contact: TypeAlias = Literal["none", "lookup", "name", "local", "sent", "gateway", "error"]
"""How far a request got. ``none``: no connection; ``lookup``: the DNS lookup failed; ``name``: DNS says that the name
does not exist; ``local``: this machine has no route; ``sent``: it was sent, and no response came; ``gateway``: the
gateway of the host got no response; ``error``: the host itself answered with an error."""


class Trouble(Struct, frozen=True, kw_only=True):
    """A request that got no response."""

    scope: str
    """The origin or proxy that failed."""
    contact: Contact
    """How far the request got."""
    error: FetchError
    """The error, for the requests that fail if the host is given up."""
    url: str
    """URL of the request."""
    request: object
    """The request. It may be a probe."""
    started: float
    """When it started, in seconds since the epoch."""
    is_known: bool
    """Whether the host has answered before, in this run or an earlier one of the job."""
    failed_share: float = 0.0
    """Share of the latest requests of its lane that failed; 0 if few are known, nearly all did, or the request gets no
    more attempts for that."""
    is_repeated: bool = False
    """Whether the request has failed in an earlier attempt of this run, so that its page may be broken."""
    is_found: bool = False
    """Whether the request was found on a page, and its number of attempts was not asked for."""
    blocks_host: bool = False
    """Whether all requests of the host wait for this one, as for the first robots.txt."""
    is_proxy: bool = False
    """Whether the scope is a proxy."""
    is_check: bool = False
    """Whether the request is a check of the network; see `crawler.limits.silence`."""


class Outage(NamedTuple):
    """What an outage means for a request that got no response: it is sent again, or fails."""

    wait: float
    """Seconds until it may be sent again, at least."""
    is_open: bool = True
    """Whether the breaker is open. If not, the request alone may be to blame, so such retries are limited."""
    counts: bool = False
    """Whether the failure counts as an attempt all the same."""
    gives_up: bool = False
    """Whether the host has been down for too long: the request fails."""
    down_for: float = 0.0
    """Seconds for which it has been down."""
