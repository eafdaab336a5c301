"""Which requests may be sent again, and after which statuses."""

from __future__ import annotations

import httpx
from support.cases import each

from crawler.headers import Headers
from crawler.http.retry_safety import is_idempotent, is_transient, was_processed


@each(
    ("method", "fields", "expected"),
    [
        ("GET", {}, True),
        ("PUT", {}, True),
        ("DELETE", {}, True),
        ("POST", {}, False),
        ("PATCH", {}, False),
        ("get", {}, False),  # methods are case-sensitive
        ("POST", {"idempotency-KEY": "8e03978e"}, True),
        ("POST", {"Idempotency-Key": ""}, False),  # an empty field is not sent
    ],
)
@each("kind", [Headers, httpx.Headers])
def test_idempotent_requests(kind: type, method: str, fields: dict[str, str], *, expected: bool) -> None:
    assert is_idempotent(method, kind(fields)) is expected


@each(
    ("code", "expected"),
    [(200, False), (302, False), (400, False), (404, False), (408, True), (410, False), (425, True), (429, True)]
    + [(code, True) for code in (500, 502, 503, 504, 507, 509, 522, 529, 599, 999)]
    + [(501, False), (505, False)],
)
def test_a_status_that_may_heal(code: int, *, expected: bool) -> None:
    assert is_transient(code) is expected


@each(
    ("code", "refused", "expected"),
    [(code, refused, False) for code in (408, 420, 425, 429, 509, 529) for refused in (False, True)]
    + [(code, refused, True) for code in (500, 502, 503, 504) for refused in (False, True)]
    + [(200, False, True), (403, False, True), (403, True, False), (400, True, False), (200, True, False)],
)
def test_a_server_may_have_processed_a_request(code: int, *, refused: bool, expected: bool) -> None:
    assert was_processed(code, refused=refused) is expected
