"""Decide which bodies are read for limits, and read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from crawler.limits.headers.declared import NOTHING, Declared
from crawler.limits.headers.refusal_status import FORBIDDEN, REFUSAL_STATUSES, UNCERTAIN_STATUSES

__all__ = ["MAX_BODY", "is_marked", "is_readable", "read_body"]

MAX_BODY: Final = 1_000_000
"""Bytes of the largest JSON body that is read."""
QUERY_MARKS: Final = (b'"throttleStatus"', b'"THROTTLED"', b'"RATE_LIMITED"', b'"RATELIMITED"')
"""Strings that a response to a GraphQL query contains if it states limits."""
QUERY_EDGE: Final = 4096
"""Bytes at its beginning and at its end, which hold the errors and the extensions."""
BURST_LIMIT: Final = "secondary rate limit"
"""The phrase of GitHub's limit on bursts."""
BURST_WAIT: Final = 60.0
"""Seconds to wait after it, if the response states no time: GitHub's documentation asks for a minute."""


def is_readable(status: int, headers: Sequence[tuple[str, str]], *, asked: bool = False) -> bool:
    """Return whether the body of a response may state limits.

    JSON may do so in a refusal, and texts and XML where the status alone does not tell a refusal from another error.
    """
    if not (asked or status in REFUSAL_STATUSES or status in UNCERTAIN_STATUSES):
        return False
    media_type = _media_type(headers)
    return "json" in media_type or (status in UNCERTAIN_STATUSES and ("xml" in media_type or "text/" in media_type))


def is_marked(body: bytes) -> bool:
    """Return whether JSON looks like a response to a GraphQL query that states limits."""
    edges = body if len(body) < 2 * QUERY_EDGE else body[:QUERY_EDGE] + body[-QUERY_EDGE:]
    return any(mark in edges for mark in QUERY_MARKS)


def read_body(status: int, headers: Sequence[tuple[str, str]], body: bytes, *, waits: bool = False) -> Declared:
    """Return the limits that a body declares. No content raises."""
    media_type = _media_type(headers)
    declared = _read_json(body) if "json" in media_type else NOTHING
    if status not in UNCERTAIN_STATUSES or declared.violated or declared.retry_after is not None:
        return declared
    from crawler.limits.headers.refusal_words import phrases_in, xml_codes  # noqa: PLC0415 - few responses get here

    words = list(xml_codes(body)) if "xml" in media_type else []
    if status == FORBIDDEN:
        words += phrases_in(body)
    if not words:
        return declared
    wait = BURST_WAIT if BURST_LIMIT in words and not waits else None
    return Declared(observations=declared.observations, retry_after=wait, violated=tuple(words[:1]))


def _read_json(body: bytes) -> Declared:
    if not body or len(body) > MAX_BODY:
        return NOTHING
    from crawler.limits.headers.json_bodies import read_json_limits  # noqa: PLC0415 - few responses get here

    try:
        return read_json_limits(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NOTHING


def _media_type(headers: Sequence[tuple[str, str]]) -> str:
    return next((value.lower() for name, value in headers if name.lower() == "content-type"), "")
