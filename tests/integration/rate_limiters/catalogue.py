"""The third-party servers that the tests crawl, with their limits.

Each serves a hundred pages and accepts 20 requests in 5 seconds, unless `SERVERS` says otherwise. ``/robots.txt`` is a
404 and not limited: static files are usually served in front of a limited application, and so the same hundred pages
cost every client the same, with or without robots.txt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from integration.rate_limiters import nginx

__all__ = ["PAGES", "SERVERS", "Quota", "Server"]

PAGES = 100
"""Number of pages of each server."""


@dataclass(frozen=True)
class Quota:
    """A number of requests in a number of seconds."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Server:
    """A server and its limit."""

    program: tuple[str, ...]
    """The program: ``node``, ``nginx``, ``haproxy``, ``verdaccio`` or the file of an application; and its arguments."""
    quotas: tuple[Quota, ...] = (Quota(20, 5.0),)
    """The quotas, all of which apply."""
    refill: Literal["window", "bucket", "counter"] = "window"
    """How a quota returns: all units at the end of a window; one at a time (a token bucket); or as in a sliding window
    whose previous requests are a single number, which is weighted with the part of it that still counts."""
    aligned: bool = False
    """Whether windows end at fixed times of the clock, so that the first one may be short."""
    is_atomic: bool = True
    """Whether a request is counted when it is checked. If not, requests that arrive together may exceed a quota."""
    at_once: int | None = None
    """Maximum number of requests in flight; such a server has no quota. `None` means no limit."""
    page_seconds: float = 0.0
    """Seconds that a page takes."""
    declares: bool = True
    """Whether responses declare the remaining quota."""
    states_wait: bool = True
    """Whether refusals say when to try again, as ``Retry-After``."""
    refusal: int = 429
    """The status of a refusal."""
    refuses: bool = True
    """Whether there are refusals at all; otherwise responses are delayed."""
    page: str = "page/"
    """The path of a page, without its number."""
    site: bool = True
    """Whether the pages are HTML and have a front page with links to all."""

    def minimum(self, pages: int = PAGES) -> float:
        """Return the shortest time in seconds in which the pages can be fetched without a refusal, without latency.

        * A fixed window opens with the first request that it counts, and a sliding window forgets each request after
          its length. Either way, as many requests as fit are sent at once and the next ones one window later. With two
          quotas, the later one decides: 20 in 5 seconds and 60 in 50 accept 20 requests at 0, 5, 10, 50 and 55 seconds.
        * A bucket is full at first; each further request waits until a unit has been refilled.
        * A counter is full at first; after its length, the units return as evenly as those of a bucket.
        * A limit of concurrency accepts that many requests each time a page has been sent.
        * A server that delays instead of refusing serves a quota at once, and the rest to eight requests in flight.
        """
        if self.at_once is not None:
            return -(-pages // self.at_once) * self.page_seconds
        if not self.refuses:
            return -(-max(0, pages - self.quotas[0].requests) // 8) * self.page_seconds
        if self.refill != "window":
            (quota,) = self.quotas
            waiting = max(0, pages - quota.requests)
            even = waiting * quota.seconds / quota.requests
            return even + quota.seconds if self.refill == "counter" and waiting else even
        now = 0.0
        opened, used = [0.0 for _ in self.quotas], [0 for _ in self.quotas]
        for _ in range(pages):
            for k, quota in enumerate(self.quotas):
                if used[k] == quota.requests:
                    now = max(now, opened[k] + quota.seconds)
            for k, quota in enumerate(self.quotas):
                if now >= opened[k] + quota.seconds:
                    opened[k], used[k] = now, 0
                used[k] += 1
        return now


def _counting(way: str, refusal: int) -> Server:
    return Server(("haproxy", way), refill="counter", declares=False, states_wait=False, refusal=refusal)


SERVERS = {
    # npm's express-rate-limit in its four dialects, with two limiters in series, and without header fields
    "express-legacy": Server(("node", "legacy")),
    "express-draft-6": Server(("node", "draft-6")),
    "express-draft-7": Server(("node", "draft-7")),
    "express-draft-8": Server(("node", "draft-8")),
    "express-two": Server(("node", "two"), quotas=(Quota(20, 5.0), Quota(60, 50.0))),
    "express-silent": Server(("node", "silent"), declares=False, states_wait=False),
    # other limiters of npm; express-slow-down delays each further response of a window by half a second
    "express-slow-down": Server(
        ("node", "slow-down"), declares=False, states_wait=False, refuses=False, page_seconds=0.5
    ),
    "flexible": Server(("node", "flexible")),
    "fastify": Server(("node", "fastify")),
    "koa": Server(("node", "koa")),
    "hono": Server(("node", "hono")),
    "verdaccio": Server(("verdaccio",), aligned=True, page="-/v1/search?text=", site=False),
    # limiters of PyPI
    "slowapi": Server(("slowapi_app.py",)),
    "flask-fixed": Server(("flask_app.py", "fixed-window")),
    "flask-moving": Server(("flask_app.py", "moving-window")),
    "flask-silent": Server(("flask_app.py", "moving-window", "silent"), declares=False, states_wait=False),
    "litestar": Server(("litestar_app.py",), quotas=(Quota(4, 1.0),), aligned=True, states_wait=False),
    "quart": Server(("quart_app.py",), refill="bucket"),
    "aiohttp": Server(("aiohttp_app.py",), is_atomic=False, declares=False, states_wait=False),
    "django-rest": Server(("django_rest_app.py",), declares=False),
    "django-ninja": Server(("django_ninja_app.py",), declares=False),
    "django-ratelimit": Server(
        ("django_ratelimit_app.py",), aligned=True, declares=False, states_wait=False, refusal=403
    ),
    "uvicorn": Server(
        ("uvicorn_app.py",), quotas=(), at_once=4, page_seconds=0.5, declares=False, states_wait=False, refusal=503
    ),
    "synapse": Server(
        ("synapse_app.py",),
        refill="bucket",
        declares=False,
        page="_matrix/client/v1/register/m.login.registration_token/validity?token=",
        site=False,
    ),
    # nginx with limit_req (a bucket) and limit_conn (four slow pages at a time)
    "nginx-req": Server(("nginx", "req"), refill="bucket", declares=False, states_wait=False, refusal=503),
    "nginx-burst": Server(
        ("nginx", "burst"), quotas=(Quota(6, 0.3),), refill="bucket", declares=False, states_wait=False
    ),
    "nginx-conn": Server(
        ("nginx", "conn"),
        quotas=(),
        at_once=nginx.AT_ONCE,
        page_seconds=nginx.PAGE_SECONDS,
        declares=False,
        states_wait=False,
        refusal=503,
    ),
    # HAProxy with a stick table, and each way to refuse
    "haproxy-429": _counting("429", 429),
    "haproxy-503": _counting("503", 503),
    "haproxy-403": _counting("403", 403),
    "haproxy-tarpit": _counting("tarpit", 429),
}
"""Servers by name."""
