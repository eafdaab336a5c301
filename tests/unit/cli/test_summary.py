"""The summary of a crawl."""

from __future__ import annotations

import pytest

from crawler import Settings
from crawler.cli.summary import ADVICE, advice_for, summary
from crawler.engine.report import Report


def report(**given):
    fields = {
        "finished": "finished", "spider": "s", "pages": 0, "items": 0, "requests": 0, "retries": 0, "failed": 0,
        "filtered": {}, "dropped": {}, "failures": {}, "samples": {}, "counters": {}, "bytes": 0, "seconds": 0.0,
        "cpu_seconds": 0.0, "peak_rss": 0, "statuses": {}, "lanes": {},
    }  # fmt: skip
    return Report(**fields | given)


def test_a_crawl_without_problems_is_one_line():
    text = summary(report(pages=1, items=2, seconds=4.0, bytes=12_345_678, statuses={200: 1}))
    assert text == "finished: 1 page and 2 items in 4.0 s (0.2 pages/s, 12.3 MB)\n"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("max_pages", "finished by max_pages: 0 pages"),
        ("interrupted", "interrupted: "),
        ("max_errors", "stopped: max_errors: "),
        ("out of luck", "stopped: out of luck: "),
    ],
)
def test_the_first_word_says_how_it_ended(reason, words):
    assert summary(report(finished=reason)).startswith(words)


def test_an_interrupted_job_can_be_resumed_and_a_finished_one_cannot():
    line = "  job       books.job: the same command resumes it\n"
    assert summary(report(finished="interrupted", interrupted=True), job="books.job").endswith(line)
    assert summary(report(finished="failed"), job="books.job").endswith(line)
    assert "books.job" not in summary(report(), job="books.job")
    assert "job" not in summary(report(finished="interrupted", interrupted=True))


def test_requests_that_are_left_are_counted_and_a_job_keeps_them():
    left = report(finished="max_pages", waiting=2)
    assert summary(left).splitlines()[1:] == ["  left      2 requests; a crawl with --job DIR keeps them"]
    assert summary(left, job="books.job").splitlines()[1:] == ["  left      2 requests"]


def test_pages_that_were_cut_and_kept_are_counted():
    assert "  cut       1 page, kept as far as their bodies came\n" in summary(report(pages=1, incomplete=1))
    assert "  cut " not in summary(report(pages=1))


def test_failing_proxies_are_named_the_worst_first():
    proxies = {
        "one:3128": {"requests": 9, "failures": 1}, "two:3128": {"requests": 40, "failures": 0},
        "three:1080": {"requests": 3, "failures": 3},
    }  # fmt: skip
    assert summary(report(pages=1, proxies=proxies)).splitlines()[1:] == [
        "  proxy     three:1080 failed for 3 of 3 requests",
        "  proxy     one:3128 failed for 1 of 9 requests",
    ]
    proxies |= {"four:1080": {"requests": 1, "failures": 1}}
    assert summary(report(pages=1, proxies=proxies)).splitlines()[-1] == "  proxy     1 more failed for some requests"


def test_a_kind_of_failure_shows_no_url_of_its_finer_kinds():
    text = summary(
        report(
            pages=1,
            failures={"body_too_large": 3, "broken_exchange": 6},
            kinds={"body_too_large": 1, "body_too_large.bomb": 2, "broken_exchange": 1, "broken_exchange.reset": 5},
            samples={
                "body_too_large": ["http://a/bomb", "http://a/large"],
                "body_too_large.bomb": ["http://a/bomb"],
                "broken_exchange": ["http://a/1"],
                "broken_exchange.reset": ["http://a/1"],
            },
        )
    )
    assert text.splitlines()[1:] == [
        "  failed    broken_exchange.reset 5: http://a/1",
        "  failed    body_too_large.bomb 2: http://a/bomb",
        "  failed    body_too_large 1: http://a/large",
        "  failed    broken_exchange 1",
    ]


def test_failures_are_counted_with_urls_and_a_cause():
    text = summary(
        report(
            pages=1,
            failed=3,
            failures={"connect_failed": 1, "status_500": 2},
            kinds={"connect_failed.refused": 1, "status_500": 2},
            samples={"connect_failed.refused": ["http://a/"], "status_500": ["http://b/1", "http://b/2", "http://b/3"]},
            filtered={"robots": 1, "duplicate": 5},
            dropped={"old": 2},
            counters={"seen": 1},
            statuses={200: 1, 500: 6},
        ),
        outputs=["a.csv", "b.json"],
        causes={"connect_failed.refused": "connection\nrefused"},
    )
    assert text.splitlines()[1:] == [
        "  statuses  200: 1, 500: 6",
        "  skipped   duplicate: 5, robots: 1",
        "  dropped   old: 2",
        "  counted   seen: 1",
        "  failed    status_500 2: http://b/1 http://b/2",
        "  failed    connect_failed.refused 1 (connection refused): http://a/",
        "  output    a.csv, b.json",
    ]


def test_a_crawl_without_pages_shows_the_skipped_requests():
    skipped = report(filtered={"robots": 1, "duplicate": 2}, samples={"robots": ["http://a/"]}, no_pages="robots.txt")
    assert summary(skipped).splitlines()[1:] == ["  skipped   duplicate: 2, robots: 1", "  robots    http://a/"]


def test_a_round_that_finds_nothing_new_shows_counts_only():
    unchanged = report(filtered={"unchanged": 9, "duplicate": 1}, samples={"unchanged": ["http://a/"]})
    assert summary(unchanged).splitlines()[1:] == ["  skipped   unchanged: 9, duplicate: 1"]


def test_lanes_that_waited_long_are_named_with_their_quotas():
    lanes = {
        "http://a.test": {
            "waited": {"pace": 20.0, "quota": 4.96, "concurrency": 99.0}, "refusals": 2,
            "quotas": {"daily": {"limit": 500.0, "remaining": 95.0, "window": 86400.0}, "odd": {}},
        },
        "http://b.test": {"waited": {"refusal": 10.0}, "refusals": 0, "quotas": {}},
        "http://c.test": {"waited": {"pace": 1.0, "concurrency": 20.0}, "refusals": 0, "quotas": {}},
    }  # fmt: skip
    text = summary(report(pages=1, seconds=30.0, lanes=lanes)).splitlines()
    assert text[1:] == [
        "  waited    http://a.test for pace 20.0 s, quota 5.0 s, 2 refused (daily: 500 per 86400 s, 95 left; odd)",
        "  waited    http://b.test for refusal 10.0 s",
    ]


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
