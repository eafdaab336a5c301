"""Tickets: which request they are for, and whether it was sent or refused."""

from __future__ import annotations

import random
from typing import Any

import pytest
from support.frontiers import HOST, pending

from crawler.frontier import (
    InlineTicket,
    Lane,
    PageTicket,
    RefusedTicket,
    RobotsTicket,
    StartTicket,
    Ticket,
)
from crawler.limits.permit import Permit
from crawler.limits.throttle import Throttle
from crawler.settings import Settings


def ticket(kind: type[Any] = PageTicket) -> Any:
    made = Lane(HOST, Throttle(HOST, Settings().pace(HOST), random.Random(1)))
    extra = {"origin": HOST} if kind is RobotsTicket else {}
    return kind(pending(1), made, 3, 10.0, Permit(made.throttle), **extra)


def test_a_request_waits_in_the_order_of_tier_and_sequence() -> None:
    rows = [pending(3), pending(1), pending(2, tier=-1)]
    assert [row.order for row in sorted(rows)] == [(-1, 2), (0, 1), (0, 3)]


@pytest.mark.parametrize("kind", [PageTicket, RobotsTicket, InlineTicket])
def test_a_start_knows_whether_it_was_sent_and_rate_limited(kind: type[Any]) -> None:
    made = ticket(kind)
    assert made.request.url == f"{HOST}/1"
    assert (made.is_sent, made.was_rate_limited, made.permit.is_in_flight) == (False, False, False)
    made.permit.take(10.0)
    made.mark_sent(10.5)
    assert made.is_sent
    made.permit.answered(11.0, status=429, headers=[("Retry-After", "5")])
    assert made.was_rate_limited


def test_tickets_are_distinguished_by_their_class() -> None:
    made = ticket()
    refused = RefusedTicket(made.pending, made.lane, made.epoch, made.now, "robots")
    assert isinstance(refused, Ticket)
    assert not isinstance(refused, StartTicket)
    assert (refused.by, refused.request) == ("robots", made.request)
    assert not hasattr(refused, "__dict__")
    assert not hasattr(made, "__dict__")
