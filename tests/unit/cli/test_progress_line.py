"""The state of a crawl on one line."""

from __future__ import annotations

from typing import Any

import pytest
from support.snapshots import NOW, snapshot

from crawler.cli.progress_line import one_line


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"in_flight": 0, "next_start": NOW + 41}, "next in 41 s"),
        ({"held_by_others": True, "in_flight": 0}, " · 9 waiting · other workers hold the hosts · "),
        ({"network_down_since": NOW - 12}, "network down for 12 s"),
        ({"down": ["https://b.test"]}, " b.test down"),
        ({"down": ["https://b.test", "proxy:3128"]}, "2 hosts down"),
        ({"failed": 7}, "7 failed"),
        ({"stopping": "max_pages"}, "stopping (max_pages), Ctrl-C stops at once: 1 page"),
        ({"seconds": 4000.0}, "66:40"),
    ],
)
def test_the_first_line_has_the_most_important_figures(fields: dict[str, Any], part: str) -> None:
    assert part in one_line(snapshot(**fields))
