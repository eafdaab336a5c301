"""`CrawlPage`: passes requests on to the web page of a crawl, so that browsers need the token of one server only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, parse_qs, quote, urlencode, urlsplit

import h11
import trio
from starlette.requests import Request

from crawler import CrawlerError
from crawler_plugins.web.web_json import BodyTooLarge, body_of, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

__all__ = ["CrawlPage"]

OWN: Final = frozenset({"token", "link"})
"""Parameters that are for this server."""


class CrawlPage:
    """An ASGI application for the API of the page of each crawl. The page itself is the same for all."""

    def __init__(self, address: Callable[[str], str]) -> None:
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request to ``/crawl/{name}/api/{call}``, and its response as it arrives."""
        request = Request(scope, receive)
        try:
            address = urlsplit(self._address(request.path_params["name"]))
            body = await body_of(request)
        except (CrawlerError, BodyTooLarge) as error:
            await json_response({"error": str(error)}, 400)(scope, receive, send)
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_if_gone, receive, nursery.cancel_scope)
            await _pass_on(request, address, body, send)
            nursery.cancel_scope.cancel(reason="the response has ended")


async def _cancel_if_gone(receive: Receive, scope: trio.CancelScope) -> None:
    """Cancel the rest if the client goes away: events never end by themselves."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel(reason="the client has gone")


async def _pass_on(request: Request, address: SplitResult, body: bytes, send: Send) -> None:
    """Send a request to the page of a crawl, and its response to the client."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name not in OWN]
    target = f"/api/{quote(request.path_params['call'])}?{urlencode(query)}"
    token = parse_qs(address.query).get("token", [""])[0]
    fields = {"Host": address.netloc, "Authorization": f"Bearer {token}", "Content-Length": str(len(body))}
    client, has_begun = h11.Connection(h11.CLIENT), False
    asked = client.send(h11.Request(method=request.method, target=target, headers=list(fields.items()))) or b""
    asked += (client.send(h11.Data(data=body)) or b"") + (client.send(h11.EndOfMessage()) or b"")
    try:
        async with await trio.open_tcp_stream(address.hostname or "", address.port or 80) as stream:
            await stream.send_all(asked)
            while not isinstance(event := client.next_event(), (h11.EndOfMessage, h11.ConnectionClosed)):
                if event is h11.NEED_DATA:
                    client.receive_data(await stream.receive_some())
                elif isinstance(event, h11.Response):
                    has_begun = True
                    kept = [(bytes(name), bytes(value)) for name, value in event.headers if name == b"content-type"]
                    await send({"type": "http.response.start", "status": event.status_code, "headers": kept})
                elif isinstance(event, h11.Data):
                    await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
    except (OSError, trio.BrokenResourceError, h11.RemoteProtocolError):
        if not has_begun:
            gone = json_response({"error": "the crawl has ended, or its page cannot be reached"}, 502)
            await gone(request.scope, request.receive, send)
            return
    await send({"type": "http.response.body", "body": b""})
