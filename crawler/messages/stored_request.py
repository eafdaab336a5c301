"""`StoredRequest`: the form of a request in JSON, which jobs store."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

__all__ = ["StoredRequest"]


class StoredRequest(Struct):
    """A request as `Request.to_json` writes it. Fields that are missing have the defaults of `Request`."""

    url: str
    callback: str | None = None
    errback: str | None = None
    method: str = "GET"
    headers: list[tuple[str, str]] = []
    body: bytes = b""
    cookies: dict[str, str] = {}
    session: str = ""
    auth: tuple[str, str] | str | None = None
    proxy: str | None = None
    meta: dict[str, Any] = {}
    cb_kwargs: dict[str, Any] = {}
    priority: int = 0
    dont_filter: bool = False
    ignore_robots: bool = False
    lane: str | None = None
    quotas: dict[str, float] = {}
    accept_status: tuple[int, ...] = ()
    timeout: float | None = None
    attempts: int | None = None
    max_body: int | None = None
    plugins: dict[str, Any] = {}
    depth: int = 0
    redirects: tuple[str, ...] = ()
