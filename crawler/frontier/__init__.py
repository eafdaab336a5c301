"""The requests that wait, and which may start next: synchronous, without I/O; `now` is an argument."""

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
)

__all__ = [
    "Frontier", "InlineTicket", "Lane", "PageTicket", "Pending", "PoppedTicket", "RefusedTicket", "RobotsRules",
    "RobotsTicket", "StartTicket", "StoredTicket", "Ticket", "lane_name",
]  # fmt: skip
