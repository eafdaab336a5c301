"""How long a failure is taken for an outage although a URL or a page may be to blame.

A host that has never answered may not exist (`seconds_for_new_host`). A host that is up may fail at some of its pages
(`PageDoubts`).
"""

from __future__ import annotations

from typing import Final

from crawler.limits.breaker import Breaker
from crawler.limits.trouble import Contact, Trouble

__all__ = [
    "DOUBT", "LOCAL_DOUBT", "LOOKUP_DOUBT", "NEW_DOUBT", "PAGE_DOUBT", "UNANSWERED", "PageDoubts", "may_be_page",
    "seconds_for_new_host",
]  # fmt: skip

UNANSWERED: Final = frozenset({"sent", "gateway", "error"})
"""Contacts of requests that were sent and got no response of use: their pages may be to blame."""
DOUBT: Final = 90.0
"""Seconds after which a host that has never answered is given up although the fault may be elsewhere: others fail as
well, this machine has no route, or a gateway or a robots.txt has answered with an error."""
LOCAL_DOUBT: Final = 10.0
"""The same, at most, while nothing but this machine has ever answered: it may have no network at all."""
LOOKUP_DOUBT: Final = 30.0
"""The same if the lookups of its name fail; or if connections fail while no host has ever answered: it may be starting,
and without it there is no crawl."""
NEW_DOUBT: Final = 5.0
"""The same if nothing else suggests an outage."""
PAGE_DOUBT: Final = 30.0
"""Seconds, at most, for which a host that has answered before is taken to be down although its pages may be broken: it
answers each of them with an error, only one page waits, or most of them have failed before."""
MAX_IN_VAIN: Final = 10
"""Waits in vain that are counted, at most: more would make no difference."""


def seconds_for_new_host(contact: Contact, longest: float, *, is_elsewhere: bool, is_start: bool) -> float:
    """Return the seconds after which a host that has never answered is given up.

    Parameters:
        contact: How far its requests get.
        longest: The seconds if the fault may be elsewhere.
        is_elsewhere: Whether it may be.
        is_start: Whether no host has ever answered.
    """
    if is_elsewhere:
        return longest
    may_recover = contact == "lookup" or (contact == "none" and is_start)
    return min(LOOKUP_DOUBT, longest) if may_recover else NEW_DOUBT


class PageDoubts:
    """How long each host is taken to be down although its pages may be broken.

    If the host answers other pages afterwards, its pages were to blame, and may be again: each such wait in vain halves
    the next one, until the host recovers during one.
    """

    def __init__(self) -> None:
        self._in_vain: dict[str, int] = {}  # waits, by scope, since it last recovered

    def seconds(self, scope: str) -> float:
        """Return the seconds for a scope."""
        return PAGE_DOUBT / 2.0 ** self._in_vain.get(scope, 0)

    def record_end(self, scope: str, breaker: Breaker) -> None:
        """Note that a scope with a breaker has answered."""
        if breaker.waited_in_vain:
            self._in_vain[scope] = min(self._in_vain.get(scope, 0) + 1, MAX_IN_VAIN)
        elif breaker.is_open:
            self._in_vain.pop(scope, None)


def may_be_page(breaker: Breaker, trouble: Trouble) -> bool:
    """Return whether the page of a request without response may be to blame, as far as its own attempts show.

    They show nothing if the host has not answered between two of them: in a chain of pages, only one request waits at a
    time. A page that no other one has led to may be wrong.
    """
    return not (trouble.is_found and trouble.is_repeated and trouble.url in breaker.failed_first)
