"""Frontiers without trio, for tests: `now` is a number here."""

from __future__ import annotations

import random
from typing import Any

import attrs

from crawler.frontier import Frontier, Pending, StartTicket, Ticket
from crawler.messages import Request
from crawler.settings import Settings

HOST = "http://a.test"


@attrs.define
class Rules:
    """A robots.txt for tests."""

    forbidden: str = ""
    delay: float | None = None

    def allows(self, url: str) -> bool:
        return not self.forbidden or self.forbidden not in url


def pending(number: int, *, host: str = HOST, tier: int = 0, path: str | None = None) -> Pending:
    """Return a waiting request."""
    return Pending((tier, number), Request(f"{host}/{path or number}"), host)


def frontier(count: int = 0, *, window: int = 256, **options: Any) -> Frontier:
    """Return a frontier with one open lane of `count` requests."""
    made = Frontier(
        Settings(**({"obey_robots": False, "slow_start": False} | options)), window=window, chance=random.Random(1)
    )
    made.lanes.open(HOST, epoch=1, head=[pending(n) for n in range(count)], more=False)
    return made


def pop(made: Frontier, now: float = 0.0) -> Any:
    """Return the next ticket."""
    ticket, _ = made.pop(now)
    assert ticket is not None
    return ticket


def sent(ticket: StartTicket) -> Any:
    """Note that the bytes of a request have gone out, and return its ticket."""
    ticket.mark_sent(ticket.now)
    return ticket


def answered(made: Frontier, ticket: StartTicket, **headers: str) -> None:
    """Let the limits learn from a response that took no time."""
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    made.answered(sent(ticket), ticket.now, status=200, headers=fields, body=b"", first_byte=0.0)


def fetched(made: Frontier, ticket: StartTicket) -> None:
    """Let a request be answered, and its page be committed."""
    answered(made, ticket)
    made.settle(ticket)


def number(ticket: Ticket) -> int:
    """Return the sequence number of a request."""
    return ticket.pending.order[1]
