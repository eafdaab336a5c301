"""Requests, responses, failures, rows of items, and the values that hooks return."""

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
