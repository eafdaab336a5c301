"""`Exchange`: what a transport reports of an exchange."""

from __future__ import annotations

import pytest

from crawler import Headers, Response
from crawler.messages.exchange import Exchange


def test_an_exchange_keeps_order_and_case_of_the_fields() -> None:
    fields = [("b", "1"), ("A", "2"), ("B", "3")]
    known = {"http_version": b"HTTP/1.0", "reason_phrase": b"Fine", "primary_ip": "192.0.2.1"}
    wire = Exchange.of(200, Headers(fields), [(b"X", b"\xe4")], known, body=b"x", is_complete=True)
    assert (wire.http_version, wire.reason, wire.address) == ("HTTP/1.0", "Fine", "192.0.2.1")
    assert wire.fields == tuple(fields)
    assert wire.request_fields == (("X", "ä"),)


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (299, ""), (999, "")])
def test_a_transport_that_reports_nothing_gets_the_standard_values(status: int, reason: str) -> None:
    wire = Exchange.of(status, Headers(), [], {}, body=None, is_complete=False)
    assert (wire.http_version, wire.reason, wire.address) == ("HTTP/1.1", reason, "")


def test_a_response_that_was_not_fetched_has_no_exchange() -> None:
    assert Response("https://site.test/").wire is None


def test_credentials_do_not_show_in_its_representation() -> None:
    wire = Exchange.of(200, Headers(), [(b"Cookie", b"secret")], {}, body=None, is_complete=False)
    assert "secret" not in repr(wire)
