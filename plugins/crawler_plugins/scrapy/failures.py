"""`failure_of`: why a request of the crawl failed, as the exceptions that errbacks of Scrapy know."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from scrapy import exceptions
from scrapy.exceptions import IgnoreRequest
from twisted.internet import error as twisted_error
from twisted.python.failure import Failure

import crawler

__all__ = ["exception_of", "failure_of"]

PART: Final = "part"
"""Stands for the kind of an error after which only a part of the response is there."""


def _kind(present: str, former: type[Exception]) -> type[Exception]:
    """Return the exception that Scrapy raises: its own, or Twisted's before it had them.

    It is both, since the errbacks of projects check either.
    """
    own = getattr(exceptions, present, None)
    if own is None:
        return former
    plain = {"__init__": Exception.__init__, "__str__": Exception.__str__, "osError": None}  # what Twisted's do is odd
    return type(present, (own, former), {"__module__": own.__module__, **plain})


@cache
def _kinds() -> dict[tuple[type[crawler.RequestError], str], type[Exception]]:
    """Return the exceptions by class and kind of an error of the crawl; the first that fits counts."""
    from twisted.web.client import ResponseFailed, ResponseNeverReceived  # noqa: PLC0415 - see `exception_of`

    return {
        (crawler.ConnectFailed, "dns"): _kind("CannotResolveHostError", twisted_error.DNSLookupError),
        (crawler.ConnectFailed, "refused"): _kind(
            "DownloadConnectionRefusedError", twisted_error.ConnectionRefusedError
        ),
        (crawler.ConnectFailed, ""): _kind("DownloadFailedError", twisted_error.ConnectError),
        (crawler.FetchTimeout, ""): _kind("DownloadTimeoutError", twisted_error.TimeoutError),
        (crawler.BrokenExchange, PART): _kind("ResponseDataLossError", ResponseFailed),
        (crawler.BrokenExchange, ""): _kind("DownloadFailedError", ResponseNeverReceived),
        (crawler.BodyTooLarge, ""): getattr(exceptions, "DownloadCancelledError", twisted_error.ConnectionLost),
        (crawler.FetchError, ""): _kind("DownloadFailedError", ResponseFailed),
        (crawler.BadRedirect, ""): IgnoreRequest,
        (crawler.Refused, ""): IgnoreRequest,
    }


def exception_of(error: crawler.RequestError) -> Exception:
    """Return an error of the crawl as Scrapy raises it."""
    from twisted.web.client import ResponseFailed  # noqa: PLC0415 - it imports all of Twisted's HTTP; few requests fail

    message = "Forbidden by robots.txt" if isinstance(error, crawler.Refused) and error.by == "robots" else str(error)
    details = {"", error.kind, PART if getattr(error, "has_response", False) else ""}
    for (kind, detail), meant in _kinds().items():
        if isinstance(error, kind) and detail in details:
            if issubclass(meant, ResponseFailed):
                return meant([Failure(error)])
            raised = meant(message)
            raised.__cause__ = error
            return raised
    return error


def failure_of(raised: BaseException, request: Any) -> Any:
    """Return the failure that an errback gets."""
    failure = Failure(raised)
    failure.request = request
    return failure
