"""`PageFetcher`: sends requests in a process for callbacks, under starts that the first process has taken."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from crawler.clock import Clock
from crawler.engine.processes.packing import unpack_request
from crawler.fetch.body_reader import BodyHandling
from crawler.fetch.downloader import Downloader
from crawler.frontier.body_budget import BodyBudget
from crawler.http.cookies import CookieJar
from crawler.limits.headers.bodies import is_marked
from crawler.transport.curl import CurlTransport

if TYPE_CHECKING:
    from crawler.engine.processes.wire import Fetch
    from crawler.messages import Response
    from crawler.settings import Settings

__all__ = ["PageFetcher", "SentCookies", "body_share", "is_plain_page"]


class PageFetcher:
    """Sends requests, each at once, and keeps connections of its own.

    Parameters:
        settings: Those in force.
        authorities: What `CurlTransport` takes as `tls_verify`.
        share: Part of the memory for large bodies that this process may use.
        cookies: Takes the cookies that responses set.
    """

    def __init__(
        self, settings: Settings, authorities: bool | str | os.PathLike[str], share: float, cookies: SentCookies
    ) -> None:
        transport = CurlTransport(
            connect_timeout=settings.connect_timeout,
            max_headers=settings.max_headers,
            tls_verify=authorities,
            http3=settings.http3,
        )
        self._downloader = Downloader(transport, settings, Clock())
        self._downloader.cookies = cookies
        self._bodies = BodyBudget(int(settings.max_active_size * share), int)

    def open_networks(self, names: Iterable[str]) -> None:
        """Allow connections to these networks."""
        if self._downloader.address_guard is not None:
            self._downloader.address_guard.open_networks.update(names)

    async def fetch(self, message: Fetch, on_sent: Callable[[float], None]) -> Response:
        """Return the response to a request.

        Parameters:
            message: Says what to send.
            on_sent: Called when bytes may have gone out, with a time of trio's clock.

        Raises:
            RequestError: There is no response.
        """
        request = unpack_request(message)
        body = BodyHandling(reservation=self._bodies.reservation(message))
        try:
            return await self._downloader.fetch(
                request, attempt=message.attempt, on_sent=on_sent, body=body, fields=message.fields
            )
        except BaseException:
            self.forget(message)
            raise

    def forget(self, message: Fetch) -> None:
        """Give back the memory for the body of a response."""
        self._bodies.release(message)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._downloader.transport.aclose()


class SentCookies(CookieJar):
    """Keeps no cookies, but sends them: those of the crawl are in the first process.

    Parameters:
        send: Sends a session, a URL and the ``Set-Cookie`` lines of the response.
    """

    def __init__(self, send: Callable[[str, str, list[str]], None]) -> None:
        super().__init__()
        self._send = send

    def store(self, session: str, url: str, fields: Iterable[str], _now: float) -> None:
        """Send the cookies of a response."""
        self._send(session, url, list(fields))


def body_share(processes: int) -> float:
    """Return the part of the memory for large bodies that each process may use.

    Parameters:
        processes: Number of processes for callbacks. There is the first one as well.
    """
    return 1 / (processes + 1)


def is_plain_page(response: Response) -> bool:
    """Return whether a callback certainly gets a response, since neither limits nor redirects concern it."""
    body = response.body
    return 200 <= response.status < 300 and not (body[:1] == b"{" and is_marked(body))
