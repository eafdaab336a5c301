"""`HeldPage`: a page whose body is in the process that has fetched it, which runs its callback, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.headers import Headers
from crawler.messages import Request, Response

if TYPE_CHECKING:
    from crawler.engine.processes.process import Process

__all__ = ["HeldPage", "PageLost"]


class HeldPage(Response):
    """A page whose body is in the process that has fetched it.

    Parameters:
        process: That process.
        number: That of the page in that process.
        status: HTTP status code.
        headers: Header fields as received.
        request: The request.
        size: Bytes of the body.
    """

    __slots__ = ("number", "process", "size")

    def __init__(
        self, process: Process, number: int, status: int, headers: Headers, request: Request, size: int
    ) -> None:
        self.url = request.url  # without what reads the content: most of a response is for that
        self.status = status
        self.headers = headers
        self.body = b""
        self.request = request
        self.source = "network"
        self.process = process
        self.number = number
        self.size = size

    @property
    def body_size(self) -> int:
        """See `Response`."""
        return self.size


class PageLost(Exception):
    """The process that held a page has ended, so the page must be fetched again."""
