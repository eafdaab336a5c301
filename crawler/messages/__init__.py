"""Requests, responses, failures, rows of items, and the values that hooks return."""

from __future__ import annotations

from crawler.messages.request import Request
from crawler.messages.response import Response
from crawler.messages.values import Drop, Failure, Item, Pause, Produced, Retry, Row, Stop, Usage

__all__ = ["Drop", "Failure", "Item", "Pause", "Produced", "Request", "Response", "Retry", "Row", "Stop", "Usage"]
