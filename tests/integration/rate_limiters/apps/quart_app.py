"""The site behind Quart-Rate-Limiter, a bucket, served by hypercorn: ``quart_app.py FD``.

FD is a listening socket.
"""

from __future__ import annotations

from datetime import timedelta

from asgi_site import serve
from quart import Quart, abort
from quart_rate_limiter import RateLimiter, rate_limit
from site_pages import FRONT, page

app = Quart(__name__)
limiter = RateLimiter(app)


@app.get("/")
async def front():
    return FRONT


@app.get("/page/<int:n>")
@rate_limit(20, timedelta(seconds=5))
async def one(n: int):
    return page(n) or abort(404)


if __name__ == "__main__":
    serve(app)
