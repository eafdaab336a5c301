"""The requests in memory, and which of them may start next.

A `Frontier` has a `Lane` for each host. It asks `crawler.limits` when a lane may start a request, and issues a `Ticket`
for it. Everything here is synchronous, does no I/O and takes `now` as an argument; trio is imported for limiters and
events.
"""

from __future__ import annotations

from crawler.frontier.frontier import Frontier
from crawler.frontier.lane import Lane, lane_name
from crawler.frontier.robots import RobotsRules
from crawler.frontier.ticket import (
    InlineTicket,
    PageTicket,
    Pending,
    PoppedTicket,
    RefusedTicket,
    RobotsTicket,
    StartTicket,
    StoredTicket,
    Ticket,
    current_ticket,
)

__all__ = [
    "Frontier", "InlineTicket", "Lane", "PageTicket", "Pending", "PoppedTicket", "RefusedTicket",
    "RobotsRules", "RobotsTicket", "StartTicket", "StoredTicket", "Ticket", "current_ticket", "lane_name",
]  # fmt: skip
