"""`Assets`: scripts and styles that many pages share, kept in memory by URL and validators."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import attrs

from crawler import Request, Response

__all__ = ["Assets"]

MAX_BYTES: Final = 64 * 1024 * 1024
"""Maximum size of all bodies that are kept, in bytes."""
LIFETIME: Final = 300.0
"""Seconds for which a response without ``Cache-Control: max-age`` is used without revalidation."""
NEVER: Final = ("no-store", "private")
"""Directives of responses that are not kept."""


@attrs.define
class Asset:
    """A response that is kept."""

    response: Response
    fresh_until: float
    """Seconds since the epoch. After that, the server is asked whether it has changed."""


class Assets:
    """Scripts and styles (RFC 9111, of which it implements what pages need).

    Parameters:
        clock: Returns seconds since the epoch.
        max_bytes: Maximum size of all bodies that are kept, in bytes.
    """

    def __init__(self, clock: Callable[[], float], max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[str, str], Asset] = OrderedDict()
        self._size = 0

    def fresh(self, request: Request) -> Response | None:
        """Return the response to a request, if the server need not be asked."""
        asset = self._kept.get(_key(request))
        if asset is None or asset.fresh_until <= self._clock():
            return None
        self._kept.move_to_end(_key(request))
        return asset.response

    def conditional(self, request: Request) -> Request:
        """Return a conditional request if a response is kept, else the request itself."""
        asset = self._kept.get(_key(request))
        if asset is None:
            return request
        fields = list(request.headers.pairs)
        for validator, field in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since")):
            value = asset.response.headers.get(validator)
            if value:
                fields.append((field, value))
        return request if len(fields) == len(request.headers.pairs) else request.replace(headers=fields)

    def keep(self, request: Request, response: Response) -> Response:
        """Keep a response if that is allowed. Return it, or the one that is kept if it is still valid (304)."""
        key = _key(request)
        old = self._kept.get(key)
        directives = _directives(response)
        if response.status == 304 and old is not None:
            old.fresh_until = self._clock() + _lifetime(directives)
            return old.response
        if old is not None:
            self._remove(key)
        vary = {name.strip().lower() for name in response.headers.get("vary", "").split(",")}
        is_kept = response.status == 200 and directives.keys().isdisjoint(NEVER) and vary.isdisjoint(("*", "cookie"))
        if is_kept and len(response.body) <= self._max_bytes // 8:
            self._kept[key] = Asset(response, self._clock() + _lifetime(directives))
            self._size += len(response.body)
            while self._size > self._max_bytes:
                self._remove(next(iter(self._kept)))
        return response

    def _remove(self, key: tuple[str, str]) -> None:
        self._size -= len(self._kept.pop(key).response.body)


def _key(request: Request) -> tuple[str, str]:
    return request.session, request.url


def _directives(response: Response) -> dict[str, str]:
    """Return the directives of ``Cache-Control``."""
    parts = response.headers.get("cache-control", "").lower().split(",")
    return {name.strip(): value.strip(' "') for name, _, value in (part.partition("=") for part in parts)}


def _lifetime(directives: dict[str, str]) -> float:
    """Return the seconds for which a response is used without revalidation."""
    if "no-cache" in directives:
        return 0.0
    age = directives.get("max-age", "")
    return min(float(age), 1e9) if age.isascii() and age.isdigit() else LIFETIME
