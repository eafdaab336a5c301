"""The error of a request to a host that was given up."""

from __future__ import annotations

from crawler.errors import ConnectFailed
from crawler.messages import Request
from crawler.outages.failed_attempt import given_up_error


def test_the_error_keeps_its_class_and_kind() -> None:
    error = ConnectFailed("refused")
    error.kind = "dns"
    copy = given_up_error(error, 60.0, Request("https://a.test"))
    assert (type(copy), copy.kind, copy.retryable) == (ConnectFailed, "dns", False)
    assert str(copy) == "refused (unreachable for 60 s, given up)"
    assert copy.request is not None
