"""An ASGI application, with a log of its responses, served by hypercorn on a listening socket."""

from __future__ import annotations

import asyncio
import sys
import time

from hypercorn.asyncio import serve as hypercorn
from hypercorn.config import Config
from site_pages import log

__all__ = ["counted", "serve"]


def counted(app):
    """Return an ASGI application that logs every response of `app`."""

    async def outer(scope, receive, send):
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        began, query = time.time(), scope["query_string"].decode()
        uri = f"{scope['path']}?{query}" if query else scope["path"]

        async def sent(message):
            if message["type"] == "http.response.start":
                log(began, uri, message["status"])
            await send(message)

        await app(scope, receive, sent)

    return outer


def serve(app) -> None:
    """Serve an application on the socket that the command line names first, until the process is terminated."""
    config = Config()
    config.bind = [f"fd://{sys.argv[1]}"]
    config.errorlog = None
    # The default is as long as the window: a connection might be closed just when the next request arrives on it.
    config.keep_alive_timeout = 75

    async def main() -> None:
        await hypercorn(counted(app), config, shutdown_trigger=asyncio.Event().wait)

    asyncio.run(main())
