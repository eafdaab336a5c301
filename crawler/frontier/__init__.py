"""What is to be fetched, and what may start now: synchronous, `now` is an argument, nothing here waits or does I/O."""

from __future__ import annotations

from crawler.frontier.frontier import Frontier
from crawler.frontier.lane import Lane, RobotsRules, lane_name
from crawler.frontier.ticket import Pending, Ticket

__all__ = ["Frontier", "Lane", "Pending", "RobotsRules", "Ticket", "lane_name"]
