"""The live view: what a snapshot looks like on a terminal."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from crawler.cli.snapshot_text import live_view, one_line
from crawler.monitor import Host, Problem, QuotaGauge, Snapshot

NOW = 1000.0
GAUGE = QuotaGauge(policy="daily", unit="requests", limit=100, remaining=20, window=60, reset_at=NOW + 41)


def host(**fields: Any) -> Host:
    known = {
        "name": "https://a.test", "state": "fetching", "words": "3 of 8 in flight", "in_flight": 3, "waiting": 9,
        "has_more": False, "requests": 7, "refusals": 0, "concurrency": 8, "ready_at": None,
    }  # fmt: skip
    return Host(**known | fields)


def snapshot(**fields: Any) -> Snapshot:
    known: dict[str, Any] = {
        "time": NOW, "seconds": 185.0, "spider": "books", "stopping": None, "pages": 1, "items": 2, "requests": 3,
        "retries": 0, "failed": 0, "filtered": 0, "body_bytes": 4_500_000, "pages_per_second": 12.34, "average": 10.0,
        "bytes_per_second": 2000.0, "in_flight": 3, "waiting": 9, "next_start": None, "seconds_left": 75.0,
        "network_down_since": None, "down": [], "hosts": [host()], "host_count": 1, "statuses": {}, "problems": [],
    }  # fmt: skip
    return Snapshot(**known | fields)


def lines(now: Snapshot, width: int = 80, height: int = 24) -> list[str]:
    return live_view(now, width, height).plain.split("\n")


def test_the_usual_view_has_two_lines() -> None:
    assert lines(snapshot()) == [
        "1 page · 12.3/s · 2 items · 3 in flight · 9 waiting · 3:05",
        "  75 s left for what waits now · 4.5 MB, 2.0 kB/s",
    ]


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


def test_hosts_show_why_they_wait_and_their_remaining_units() -> None:
    waiting = host(name="https://quota.test", state="waiting", words="waiting for quota, 41 s", quotas=(GAUGE,))
    down = host(name="https://b.test", state="down", words="cannot be reached, next try in 5 s")
    shown = lines(snapshot(hosts=[host(), waiting, down, host(state="done")], host_count=9), width=100)
    assert shown[2:] == [
        "  a.test      3 of 8 in flight",
        "  quota.test  waiting for quota, 41 s  daily ██░░░░░░░░ 20 of 100, resets in 41 s",
        "  b.test      cannot be reached, next try in 5 s",
        "  and 5 other hosts",
    ]


def test_a_gauge_shows_when_a_quota_is_used_up_and_its_unit() -> None:
    gauge = msgspec.structs.replace(GAUGE, unit="tokens", used_up_at=NOW + 9)
    unknown = msgspec.structs.replace(GAUGE, remaining=None, reset_at=None)
    [*_, line] = lines(snapshot(hosts=[host(quotas=(gauge, unknown))]), width=120)
    assert line.endswith("daily ██░░░░░░░░ 20 of 100 tokens, used up in 9 s, resets in 41 s  daily 100 per 60 s")


def test_the_latest_failures_are_shown() -> None:
    problem = Problem(time=NOW, kind="status_500", message="status 500", url="https://a.test/1", count=3)
    assert lines(snapshot(problems=[problem]))[-1] == "  status_500 ×3 https://a.test/1: status 500"


@pytest.mark.parametrize("width", [1, 20, 80, 200])
def test_lines_are_never_wider_than_the_terminal_and_take_half_of_its_height(width: int) -> None:
    problems = [Problem(time=NOW, kind=str(n), message="m" * 300, url="u" * 300) for n in range(9)]
    hosts = [host(name=f"https://{'漢' * 40}{n}.test", quotas=(GAUGE, GAUGE, GAUGE)) for n in range(9)]
    view = live_view(snapshot(problems=problems, hosts=hosts), width, 12)
    assert len(view.split("\n")) == 6
    assert all(line.cell_len <= width for line in view.split("\n"))
    assert len(lines(snapshot(problems=problems, hosts=hosts), height=1)) == 1


def test_names_of_hosts_are_padded_by_columns() -> None:
    names = ["https://a.test", "shared 東京", "https://" + "x" * 40 + ".test"]
    shown = lines(snapshot(hosts=[host(name=name) for name in names]))[2:]
    assert [cell_len(line.partition("3 of 8")[0]) for line in shown] == [36, 36, 36]
    assert shown[1].startswith("  shared 東京  ")
