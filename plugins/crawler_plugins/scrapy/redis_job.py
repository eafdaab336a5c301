"""`redis_job`: the job in Redis that takes the place of the queues of scrapy-redis."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, urlsplit

from crawler_plugins.scrapy.components import path_of

__all__ = ["PACKAGE", "redis_job", "uses_scrapy_redis"]

MAX_NAME: Final = 48
"""Characters of the name of a job in a database."""
PACKAGE: Final = "scrapy_redis."
"""Beginning of the classes of scrapy-redis."""


def uses_scrapy_redis(settings: Any, name: str = "SCHEDULER") -> bool:
    """Return whether a setting names a class of scrapy-redis."""
    return path_of(settings.get(name) or "").startswith(PACKAGE)


def redis_job(settings: Any, spider: str) -> str:
    """Return the URL of the job that all processes of a project share; empty if it does not use scrapy-redis.

    Parameters:
        settings: A `scrapy.settings.Settings`: ``REDIS_URL``, or ``REDIS_HOST``, ``REDIS_PORT``, ``REDIS_DB`` and
            ``REDIS_PARAMS`` name the server.
        spider: The name of the spider, which is that of the job.

    Raises:
        ValueError: ``REDIS_URL`` is not a URL of a server.
    """
    if not uses_scrapy_redis(settings):
        return ""
    options = settings.getdict("REDIS_PARAMS") or {}
    given = str(settings.get("REDIS_URL") or options.get("url") or "")
    if given:
        parts = urlsplit(given)
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise ValueError(f"REDIS_URL is not a URL of the form redis://host:port/database: {parts.scheme}://…")
        server, database = f"{parts.scheme}://{parts.netloc}", parts.path.strip("/")
    else:
        host = options.get("host") or settings.get("REDIS_HOST") or "localhost"
        port = options.get("port") or settings.get("REDIS_PORT") or 6379
        password = options.get("password")
        user = quote(str(options.get("username") or ""), safe="")
        account = f"{user}:{quote(str(password), safe='')}@" if password else ""
        server, database = f"redis://{account}{host}:{port}", str(options.get("db") or settings.get("REDIS_DB") or 0)
    return f"{server}/{database or 0}/{_job_name(spider)}"


def _job_name(spider: str) -> str:
    """Return the name of the job: that of the spider, of small letters, digits and underscores."""
    name = re.sub(r"[^a-z0-9_]", "_", spider.lower())[:MAX_NAME]
    return f"_{name[1:]}" if name[:1].isdecimal() else name
