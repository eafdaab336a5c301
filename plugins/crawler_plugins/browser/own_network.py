"""`received`: the response to a document that the browser has requested itself."""

from __future__ import annotations

import base64
import math
from typing import Any, Final

import trio

from crawler import Request, Response
from crawler_plugins.browser.cdp import CommandFailed, Disconnected
from crawler_plugins.browser.tab import Tab

__all__ = ["is_plain", "received"]

MAX_MOVES: Final = 10
"""Maximum number of documents in a row that scripts may replace at once."""
MOVE_PAUSE: Final = 0.5
"""Seconds in which the next one must arrive."""


def is_plain(request: Request) -> bool:
    """Return whether a browser can make a request by opening its URL."""
    return request.method == "GET" and not request.body


async def received(tab: Tab, request: Request, seconds: float) -> Response:
    """Return the response of the server to the document in a tab.

    Parameters:
        tab: The tab, whose browser has a network of its own.
        request: The request of the page.
        seconds: How long it took.

    Raises:
        CommandFailed: There is no response, or the tab is gone.
    """
    found, body = await _document(tab)
    fields = [(name, line) for name, value in found["headers"].items() for line in value.split("\n")]
    is_text = found.get("mimeType", "").startswith("text/") and body
    kept = [
        (name, value)
        for name, value in fields
        if name.lower() not in ("content-encoding", "content-length", "transfer-encoding", "content-type")
    ]
    kind = f"{found['mimeType']}; charset=utf-8" if is_text else found.get("mimeType", "")
    response = Response(
        found["url"].partition("#")[0],
        found["status"],
        [*kept, ("Content-Type", kind)],
        body,
        request=request,
        elapsed=seconds,
        source="browser",
    )
    response.first_byte = seconds
    return response


async def _document(tab: Tab) -> tuple[dict[str, Any], bytes]:
    """Return what the browser says of the response to the document, and its body.

    Raises:
        CommandFailed: There is no response, or the tab is gone.
    """
    for _ in range(MAX_MOVES):
        document = tab.document
        if document is None:
            raise CommandFailed("the browser has received no response")
        while tab.is_loading(document["requestId"]):
            await tab.wait_for_change(math.inf)
        try:
            return document["response"], await _body(tab, document["requestId"])
        except Disconnected:
            raise
        except CommandFailed:  # a script has left the page: the next document counts
            await tab.wait_for_change(trio.current_time() + MOVE_PAUSE)
    raise CommandFailed("scripts replaced the page repeatedly")


async def _body(tab: Tab, number: str) -> bytes:
    """Return the decoded body of a response.

    Raises:
        CommandFailed: The browser has not kept it.
    """
    data = await tab.call("Network.getResponseBody", requestId=number)
    text: str = data["body"]
    return base64.b64decode(text) if data["base64Encoded"] else text.encode("utf-8", "replace")
