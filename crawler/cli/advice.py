"""`advice_for`: the advice to set `user_agent`, for crawls of public sites with the default one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from crawler.http.networks import network_of
from crawler.settings import Settings

__all__ = ["advice_for"]

LANE: Final = re.compile(r"https?://(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/]+)")
"""The beginning of the name of a lane that is an origin."""
ADDRESS: Final = re.compile(r"[0-9.]+|\[.*\]")
NOT_PUBLIC: Final = frozenset(
    {"arpa", "corp", "example", "home", "internal", "invalid", "lan", "local", "localhost", "onion", "test"}
)
"""Last labels of names that are not in the public DNS (RFC 2606, RFC 6762, RFC 8375, RFC 9476 and usage)."""
ADVICE: Final = "identify yourself, so that the site can contact you: -s user_agent='MyBot/1.0 (+https://my.site/bot)'"


def advice_for(lanes: Mapping[str, Mapping[str, Any]], settings: Settings) -> str:
    """Return one line of advice for a crawl of a public host that sets no `user_agent`; empty otherwise.

    Parameters:
        lanes: `Report.lanes`. A lane without requests does not count: its host was refused, or has no address.
        settings: All layers merged.
    """
    if "user_agent" in settings.given:
        return ""
    return ADVICE if any(lane["requests"] and _is_public(name) for name, lane in lanes.items()) else ""


def _is_public(lane: str) -> bool:
    """Return whether a lane is a host on the public internet, as far as its name says."""
    found = LANE.match(lane)
    if found is None:
        return False
    host = found["host"]
    if ADDRESS.fullmatch(host):
        return network_of(host.strip("[]")) == ""
    return "." in host and host.rpartition(".")[2].lower() not in NOT_PUBLIC
