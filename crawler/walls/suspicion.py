"""`may_be_wall`: whether it is worth looking for a wall in a response. It runs for each page, so it looks at little."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

__all__ = ["KINDS", "MAX_SIZE", "NEAR", "Kind", "KnownPages", "may_be_wall"]

Kind: TypeAlias = Literal["challenge", "login", "consent", "javascript", "parked", "soft_404"]
"""What a wall asks for, or is."""
KINDS: Final[frozenset[Kind]] = frozenset(get_args(Kind))

MAX_SIZE: Final = 524_288
"""Bytes of a wall that a redirect led to: consent pages have large scripts."""
MAX_UNASKED: Final = 32_768
"""Bytes of a wall with status 200 that no redirect led to. The largest template is that of Cloudflare, with 20 kB."""
MAX_TAGS: Final = 160
"""Tags of such a wall: Anubis has 60, and a parked domain with links to advertisements 120."""
BELOW_HEAD: Final = (2048, 3072)
"""Bytes in which a page has much markup, mostly that of its menu, …"""
DENSE: Final = 32
"""… and more than so many tags. Most pages have; to count all of their tags would cost several times as much."""
END: Final = 64
"""Bytes at the end of a page that show its template."""
NEAR: Final = 256
"""Bytes by which a page that says nothing may be larger than the smallest with its end: it has its address in it."""
MAX_ENDS: Final = 1000
"""Ends that are remembered: those of a site are few, unless each has a time or a number in it."""


def may_be_wall(status: int, body: bytes, *, is_redirected: bool) -> bool:
    """Return whether a response may be a wall. Most pages are too large, or have too much markup."""
    if status != 200:
        return not 300 <= status < 400
    if is_redirected:
        return len(body) <= MAX_SIZE
    if len(body) > MAX_UNASKED or body.count(b"<", *BELOW_HEAD) > DENSE or body[:1] in (b"{", b"["):
        return False
    return body.count(b"<") <= MAX_TAGS


class KnownPages:
    """The templates of good pages, by their ends: a page like them needs no look, which would cost 2 % of its crawl."""

    def __init__(self) -> None:
        self._smallest: dict[bytes, int] = {}
        """The size of the smallest good page with an end: an empty shell of the same template is smaller."""

    def spare(self, body: bytes) -> int:
        """Return the bytes by which a page is larger than the smallest good one like it; below 0: none is like it."""
        return len(body) - self._smallest.get(body[-END:], MAX_SIZE)

    def add(self, body: bytes) -> None:
        """Note a good page."""
        if len(self._smallest) >= MAX_ENDS:
            self._smallest.clear()
        self._smallest[body[-END:]] = len(body)
