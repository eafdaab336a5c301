"""Advice to name oneself, for a crawl of a public site only."""

from __future__ import annotations

import pytest

from crawler import Settings
from crawler.cli.advice import ADVICE, advice_for


@pytest.mark.parametrize("lane", ["https://shop.com", "http://93.184.215.14:8080", "https://[2606:2800:21f::1]"])
def test_a_public_host_without_a_user_agent_gets_advice(lane):
    lanes = {"http://127.0.0.1:9": {"requests": 9}, lane: {"requests": 1}}
    assert advice_for(lanes, Settings(workers=1)) == ADVICE
    assert advice_for(lanes, Settings(user_agent="MyBot/1.0")) == ""
    assert advice_for(lanes | {lane: {"requests": 0}}, Settings()) == ""


@pytest.mark.parametrize(
    "lane",
    [
        "http://127.0.0.1:8765", "http://localhost:8000", "http://[::1]:80", "http://10.1.2.3", "http://wiki",
        "https://site.test", "https://nas.local", "key:A", "(others)",
    ],
)  # fmt: skip
def test_other_hosts_get_none(lane):
    assert advice_for({lane: {"requests": 1}}, Settings()) == ""


def test_the_summary_of_a_local_crawl_has_no_advice(command, books):
    _, _, err = command("run", "books.py", "-s", "max_pages=1")
    assert "advice" not in err
