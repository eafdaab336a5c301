"""`Mark`: what is told that the bytes of an attempt go out, and gives a further exchange in it its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from crawler.engine.crawl import RunningCrawl
    from crawler.frontier import Ticket
    from crawler.messages import Request, Response

__all__ = ["Mark"]


@attrs.frozen(eq=False)
class Mark:
    """Belongs to one ticket."""

    crawl: RunningCrawl
    """The parts of the running crawl."""
    ticket: Ticket
    """Whose request it is."""

    def __call__(self, at: float) -> None:
        """Bytes may have gone out, at this time of trio's clock."""
        self.ticket.go_out(self.crawl.clock.from_trio(at))

    async def turn(self, request: Request, response: Response) -> None:
        """The same attempt asks again, as authentication may: the answer before counts, then its lane gives a start.

        Parameters:
            request: what was asked.
            response: the answer to it.
        """
        ticket = self.ticket
        self.crawl.attempted(ticket, request, response, None)
        ticket.sent = False
        await self.crawl.inline.start(ticket, ticket.request)
