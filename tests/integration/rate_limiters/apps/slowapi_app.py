"""The site behind slowapi, on Starlette, served by hypercorn: ``slowapi_app.py FD``.

FD is a listening socket.
"""

from __future__ import annotations

from asgi_site import serve
from site_pages import FRONT, page
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


if __name__ == "__main__":
    serve(app)
