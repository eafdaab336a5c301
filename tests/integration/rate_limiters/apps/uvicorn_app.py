"""The site on uvicorn with ``--limit-concurrency``: ``uvicorn_app.py FD``.

FD is a listening socket. A page takes half a second. uvicorn counts connections, also idle ones, and refuses the fifth
with a 503, after which it closes it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time

import uvicorn
from asgi_site import counted
from site_pages import FRONT, log, page
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse
from starlette.routing import Route

LIMIT = 5
"""What ``--limit-concurrency`` is set to: that many connections are too many."""


async def front(request):
    return HTMLResponse(FRONT)


async def one(request):
    if (text := page(request.path_params["n"])) is None:
        raise HTTPException(404)
    await asyncio.sleep(0.5)
    return HTMLResponse(text)


class Refusals(logging.Handler):
    """Logs the responses that uvicorn sends itself, of which the application does not know."""

    def emit(self, record: logging.LogRecord) -> None:
        _, _, uri, _, status = record.args
        if status == 503:
            log(time.time(), uri, status)


if __name__ == "__main__":
    app = Starlette(routes=[Route("/", front), Route("/page/{n:int}", one)])
    access = logging.getLogger("uvicorn.access")
    access.setLevel(logging.INFO)
    access.handlers, access.propagate = [Refusals()], False
    config = uvicorn.Config(counted(app), limit_concurrency=LIMIT, timeout_keep_alive=75, log_config=None)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
