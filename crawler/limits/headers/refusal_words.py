"""The words by which bodies and header fields say that a limit refused a request: error codes, and phrases.

Vendors that answer with 400 or 403, or with 200 to a query of GraphQL, document one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["META_CODES", "REFUSAL_CODES", "REFUSAL_TEXTS", "phrases_in", "xml_codes"]

REFUSAL_CODES: Final = frozenset({
    # Matrix, Linear, Shopify, GitHub's GraphQL, Slack, MediaWiki, Stack Exchange, Salesforce
    "M_LIMIT_EXCEEDED", "RATELIMITED", "THROTTLED", "RATE_LIMITED", "ratelimited", "maxlag", "throttle_violation",
    "REQUEST_LIMIT_EXCEEDED",
    # Google
    "RATE_LIMIT_EXCEEDED", "dailyLimitExceeded", "quotaExceeded", "rateLimitExceeded",
    "userRateLimitExceeded",
    # Amazon Web Services
    "BandwidthLimitExceeded", "EC2ThrottledException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "SlowDown", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip
"""Error codes of refusals."""
REFUSAL_TEXTS: Final = frozenset({"EAPI:Rate limit exceeded"})
"""Texts that are errors in JSON and no code: Kraken."""
META_CODES: Final = frozenset({4, 17, 32, 613})
"""Error codes of Meta's Graph API: calls of an app, of a user, of a page, and of a custom limit."""
PHRASES: Final = (
    "secondary rate limit", "rate limit exceeded", "rate limited", "ratelimited", "request limit exceeded",
    "request rate exceeded", "quota exceeded", "too many requests", "error 1015", "error code: 1015",
)  # fmt: skip
"""Phrases of refusals, in lower case: GitHub's limit on bursts, Google, Cloudflare and common web servers."""
XML_CODE: Final = re.compile(rb"<(?:Error)?Code>\s{0,99}([A-Za-z0-9_.]{1,100})\s{0,99}</", re.IGNORECASE)
MAX_TEXT: Final = 16_384
"""Bytes of a body that are searched for words."""


def phrases_in(body: bytes) -> Iterator[str]:
    """Yield the phrases of a refusal that the beginning of a text contains."""
    text = b" ".join(body[:MAX_TEXT].lower().split()).decode("latin-1")
    return (phrase for phrase in PHRASES if phrase in text)


def xml_codes(body: bytes) -> Iterator[str]:
    """Yield the codes of a refusal in the beginning of an XML document, such as ``<Code>Throttling</Code>``."""
    codes = (code.decode("ascii") for code in XML_CODE.findall(body[:MAX_TEXT]))
    return (code for code in codes if code in REFUSAL_CODES)
