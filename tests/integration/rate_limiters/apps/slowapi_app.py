"""The site behind slowapi, on Starlette, served by hypercorn: ``slowapi_app.py FD``.

FD is a listening socket.
"""

from __future__ import annotations

import asyncio
import sys
import time

from hypercorn.asyncio import serve
from hypercorn.config import Config
from site_pages import FRONT, log, page
from slowapi import Limiter
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse
from starlette.routing import Route

# A limit of the application: a default limit would count each URL separately.
limiter = Limiter(get_remote_address, application_limits=["20 per 5 second"], headers_enabled=True)


async def front(request):
    return HTMLResponse(FRONT)


async def one(request):
    if (text := page(request.path_params["n"])) is None:
        raise HTTPException(404)
    return HTMLResponse(text)


@limiter.exempt
async def robots(request):
    raise HTTPException(404)


app = Starlette(routes=[Route("/", front), Route("/page/{n:int}", one), Route("/robots.txt", robots)])
app.state.limiter = limiter
app.add_middleware(SlowAPIMiddleware)


async def counted(scope, receive, send):
    """Logs every response of `app`."""
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


async def main() -> None:
    """Serve until the process is terminated."""
    config = Config()
    config.bind = [f"fd://{sys.argv[1]}"]
    config.errorlog = None
    # The default is as long as the window: a connection might be closed just when the next request arrives on it.
    config.keep_alive_timeout = 75
    await serve(counted, config, shutdown_trigger=asyncio.Event().wait)


if __name__ == "__main__":
    asyncio.run(main())
