"""`RemoteFetch`: lets the processes for callbacks send requests whose bodies the first process does not need.

The first process still decides which request starts and when, and learns from the status and the header fields of its
response. The body stays in the process that has received it, which runs the callback. So the first process has little
to do, and the body is not copied.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Container, Iterator
from typing import TYPE_CHECKING, Any, Final

import trio

from crawler.engine.held_pages import HeldPage
from crawler.engine.processes import wire
from crawler.engine.processes.errors import unpack_error
from crawler.engine.processes.packing import unpack_response
from crawler.frontier import PageTicket
from crawler.headers import Headers
from crawler.http.address_guard import is_start_page

if TYPE_CHECKING:
    from crawler.engine.fetch_hooks import Result
    from crawler.engine.processes.keeper import ProcessKeeper
    from crawler.engine.processes.process import Page, Process
    from crawler.fetch.downloader import Downloader
    from crawler.frontier import StartTicket
    from crawler.messages import Response

__all__ = ["RemoteFetch"]

METHODS: Final = ("GET", "HEAD")
"""Those of requests that may be sent again if their process has ended."""
NO_FIELDS: Final = Headers()
"""The header fields of a page that state no limits: most pages."""


class RemoteFetch:
    """Lets other processes send requests.

    Parameters:
        keeper: The processes.
        downloader: That of the first process: it has the cookies and the networks that may be connected to.
        known: Returns the keys of requests that are known.
        numbers: The numbers of pages.
    """

    def __init__(
        self,
        keeper: ProcessKeeper,
        downloader: Downloader,
        known: Callable[[], Container[str]],
        numbers: Iterator[int],
    ) -> None:
        self._keeper = keeper
        self._downloader = downloader
        self._guard = downloader.address_guard
        self._known = known
        self._numbers = numbers
        self._lost: set[str] = set()

    def takes(self, ticket: StartTicket) -> bool:
        """Return whether another process sends a request.

        The first process sends it

        * if callbacks take long, so that it has time for this;
        * if the lane has limits, for which it has to know when the request goes out;
        * if the request may open a network, has a proxy or another method, or is not stored;
        * if a process has ended while it had the page.
        """
        if self._keeper.choice.takes_long or not isinstance(ticket, PageTicket) or not ticket.permit.is_simple():
            return False
        request, guard = ticket.request, self._guard
        if guard is not None and (guard.is_expectant or is_start_page(request)):
            return False  # it may open a network
        if request.__dict__ and (request.method not in METHODS or request.proxy or request.unstorable()):
            return False
        return not (self._lost and request.key in self._lost)

    def lose(self, page: HeldPage) -> None:
        """Note that the process has ended that held a page: the first process fetches it, to keep it."""
        self._lost.add(page.request.key)

    async def fetch(
        self,
        ticket: StartTicket,
        attempt: int,
        on_sent: Callable[[float], None],
        here: Callable[[], Awaitable[Result]],
    ) -> Result:
        """Return the response to a request: a `HeldPage` if it is simply a page.

        Parameters:
            ticket: The request.
            attempt: The number of the attempt, from 1.
            on_sent: Called with each time of trio's clock at which bytes of the request may have gone out.
            here: Sends the request in this process, which keeps the page. It is called if the other one has ended: its
                callback may be the reason.

        Raises:
            RequestError: There is no response.
        """
        process = await self._keeper.choose_for(ticket.lane)
        number = next(self._numbers)
        page = self._send(process, number, ticket, attempt)
        message: Any = None
        try:
            message = await page.take()
            if isinstance(message, wire.Handled):
                page.put(message)  # for this task, when it handles the page
                message = message.held
        finally:
            if message is None:  # it may have gone out
                on_sent(trio.current_time())
                process.channel.send(wire.Cancel(number))
            if not isinstance(message, wire.Held):
                del process.pages[number]
        if message is None:
            return await here()
        return self._response(process, ticket, attempt, message, on_sent)

    def _send(self, process: Process, number: int, ticket: StartTicket, attempt: int) -> Page:
        downloader, request = self._downloader, ticket.request
        if self._guard is not None:
            process.open_networks(self._guard.open_networks)
        fields = downloader.fields_of(request)
        own = None if fields is downloader.usual_fields else fields
        return process.fetch(number, request, attempt, own, self._known())

    def _response(
        self, process: Process, ticket: StartTicket, attempt: int, message: Any, on_sent: Callable[[float], None]
    ) -> Response:
        """Return the response of a message, or raise its error."""
        shift = trio.current_time() - time.perf_counter()
        for at in message.sent:
            on_sent(at + shift)
        if isinstance(message, wire.NotFetched):
            raise unpack_error(message.error)
        if isinstance(message, wire.Fetched):
            response = unpack_response(message.page)
            response.request = ticket.request
        else:
            headers = Headers(list(message.headers)) if message.headers else NO_FIELDS
            response = HeldPage(process, message.number, message.status, headers, ticket.request, message.size)
            response.elapsed, response.attempt = message.elapsed, attempt
        response.first_byte = message.page.first_byte if isinstance(message, wire.Fetched) else message.first_byte
        return response
