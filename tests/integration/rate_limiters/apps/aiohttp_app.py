"""The site behind aiohttp-ratelimiter, on aiohttp: ``aiohttp_app.py FD``.

FD is a listening socket. A refusal has no header field of the limit but ``error``, a sentence.
"""

from __future__ import annotations

import socket
import sys
import time

from aiohttp import web
from aiohttplimiter import Limiter, default_keyfunc
from site_pages import FRONT, log, page

limiter = Limiter(keyfunc=default_keyfunc)
limited = limiter.limit("20/5seconds", path_id="site")


@limited
async def front(request):
    return web.Response(text=FRONT, content_type="text/html")


@limited
async def one(request):
    if (text := page(int(request.match_info["n"]))) is None:
        raise web.HTTPNotFound
    return web.Response(text=text, content_type="text/html")


@web.middleware
async def counted(request, handler):
    began = time.time()
    try:
        response = await handler(request)
    except web.HTTPException as error:
        log(began, request.path_qs, error.status)
        raise
    log(began, request.path_qs, response.status)
    return response


if __name__ == "__main__":
    app = web.Application(middlewares=[counted])
    app.router.add_get("/", front)
    app.router.add_get(r"/page/{n:\d+}", one)
    web.run_app(app, sock=socket.socket(fileno=int(sys.argv[1])), print=None, access_log=None)
