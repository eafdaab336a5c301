"""`Reception`: reports one response as it arrives, and ends that as soon as a receiver raises `StopDownload`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scrapy import signals

import crawler
from crawler import Drop
from crawler_plugins.scrapy import responses
from crawler_plugins.scrapy.header_fields import scrapy_headers

if TYPE_CHECKING:
    from scrapy.exceptions import StopDownload

    from crawler_plugins.scrapy.events import Signals

__all__ = ["Reception"]


class Reception:
    """Takes the body of a response for its request, and sends ``headers_received`` and ``bytes_received``.

    Parameters:
        sender: Sends signals.
        request: The request of Scrapy.
    """

    def __init__(self, sender: Signals, request: Any) -> None:
        self._signals = sender
        self._request = request
        self._body = bytearray()
        self._stop: StopDownload | None = None
        self._wire: Any = None

    async def open(self, response: crawler.Response) -> Reception | Drop | None:
        """Report the header fields; return what takes the body, or a `Drop` if nobody wants it."""
        self._body.clear()
        self._wire = response.wire
        size = response.headers.get("content-length", "")
        length = int(size) if size.isdecimal() else -1
        fields = scrapy_headers(response.headers.pairs)
        self._stop = self._signals.stop_of(
            signals.headers_received, request=self._request, headers=fields, body_length=length
        )
        if self._stop is not None:
            return Drop("stopped")
        return self if self._signals.is_heard(signals.bytes_received) else None

    async def write(self, data: bytes) -> Drop | None:
        """Report bytes of the body, and keep them; return a `Drop` if nobody wants more."""
        self._body += data
        self._stop = self._signals.stop_of(signals.bytes_received, request=self._request, data=data)
        return None if self._stop is None else Drop("stopped")

    def response(self, answer: crawler.Response) -> Any:
        """Return the response of Scrapy, with as much of the body as was wanted.

        Parameters:
            answer: The response of the crawl, to which the body is added.

        Raises:
            StopDownload: A receiver has made a failure of the response.
        """
        answer.body = answer.body or bytes(self._body)
        found = responses.to_scrapy(answer, self._request, self._wire)
        if self._stop is None:
            return found
        found = found.replace(flags=[*found.flags, "download_stopped"])
        if self._stop.fail:
            self._stop.response = found
            raise self._stop
        return found
