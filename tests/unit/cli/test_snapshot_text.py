"""The live view: what a snapshot looks like on a terminal."""

from __future__ import annotations

import msgspec
import pytest
from rich.cells import cell_len
from support.snapshots import NOW, host, snapshot

from crawler.cli.snapshot_text import live_view
from crawler.monitor import Problem, QuotaGauge, Snapshot

GAUGE = QuotaGauge(policy="daily", unit="requests", limit=100, remaining=20, window=60, reset_at=NOW + 41)


def lines(now: Snapshot, width: int = 80, height: int = 24) -> list[str]:
    return live_view(now, width, height).plain.split("\n")


def test_the_usual_view_has_two_lines() -> None:
    assert lines(snapshot()) == [
        "1 page · 12.3/s · 2 items · 3 in flight · 9 waiting · 3:05",
        "  75 s left for what waits now · 4.5 MB, 2.0 kB/s",
    ]


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
