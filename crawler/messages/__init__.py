"""The values that spiders and hooks handle: requests, responses, forms, failures, and the results of hooks.

All are without I/O. A request is frozen and survives JSON; a response reads its body with `crawler.html` and
`crawler.feeds` when it is first asked.
"""

from __future__ import annotations

from crawler.messages.request import Request
from crawler.messages.response import Response
from crawler.messages.values import (
    BodyWriter,
    Drop,
    Failure,
    Item,
    Pause,
    Produced,
    Receive,
    Retry,
    Row,
    Stop,
    Usage,
)

__all__ = [
    "BodyWriter",
    "Drop",
    "Failure",
    "Item",
    "Pause",
    "Produced",
    "Receive",
    "Request",
    "Response",
    "Retry",
    "Row",
    "Stop",
    "Usage",
]
