"""The site behind the rate limit of Litestar, served by hypercorn: ``litestar_app.py FD``.

FD is a listening socket. The limit is four a second, since Litestar knows no window of 5 seconds.
"""

from __future__ import annotations

from asgi_site import serve
from litestar import Litestar, MediaType, get
from litestar.exceptions import NotFoundException
from litestar.middleware.rate_limit import RateLimitConfig
from site_pages import FRONT, page


@get("/", media_type=MediaType.HTML)
async def front() -> str:
    return FRONT


@get("/page/{n:int}", media_type=MediaType.HTML)
async def one(n: int) -> str:
    if (text := page(n)) is None:
        raise NotFoundException
    return text


if __name__ == "__main__":
    limit = RateLimitConfig(rate_limit=("second", 4))
    serve(Litestar([front, one], middleware=[limit.middleware]))
