"""`Verdicts`: tells workers of a shared job whether the changes that their pages made to states were refused.

The changes of a page are refused if another worker has changed a state since the handlers of the page began. The page
is then handled again with the states as they are now, from the response that its worker has kept: it is not fetched
again.
"""

from __future__ import annotations

from typing import Any

import trio
from msgspec import Struct, field

from crawler.frontier import StoredTicket
from crawler.store import Verdict

__all__ = ["Awaited", "Verdicts"]


class Awaited(Struct, eq=False):
    """What a worker keeps of a request until it knows the verdict about its outcome."""

    result: Any
    """The result of the attempt."""
    known: trio.Event = field(default_factory=trio.Event)
    """Set when the verdict is known."""
    is_refused: bool = False
    """Whether the page has to be handled again. Its worker has the ticket then."""


class Verdicts:
    """The outcomes with changes of states that are about to be committed."""

    def __init__(self) -> None:
        self._awaited: dict[StoredTicket, Awaited] = {}

    def __bool__(self) -> bool:
        return bool(self._awaited)

    def expect(self, ticket: StoredTicket, result: Any) -> None:
        """Keep the result of an attempt until the verdict is known. Called before the outcome is sent to the writer."""
        self._awaited[ticket] = Awaited(result)

    def of(self, ticket: StoredTicket) -> Awaited | None:
        """Return what is kept of a ticket; `None` if its verdict does not matter."""
        return self._awaited.get(ticket)

    def tell(self, ticket: StoredTicket, verdict: Verdict) -> bool:
        """Tell the worker of a ticket its verdict. Return whether that worker handles the page again."""
        awaited = self._awaited.get(ticket)
        if awaited is None:
            return False
        awaited.is_refused = verdict is Verdict.CONFLICT
        awaited.known.set()
        return awaited.is_refused

    def forget(self, ticket: StoredTicket) -> None:
        """Discard what is kept of a ticket."""
        self._awaited.pop(ticket, None)
