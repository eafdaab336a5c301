"""The POST requests of one callback are retried as if they were GET; all others as the policy decides."""

from __future__ import annotations

from crawler import FetchTimeout, Request, RetryPolicy, Settings
from crawler.spiders.idempotent_posts import IdempotentPosts

READ = Request("https://api.test/", "parse_page", method="POST")
WRITE = Request("https://api.test/", "parse_other", method="POST")


class Policy:
    """Records the methods that it is asked about."""

    name = "mine"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def goes_back(self, request: Request, error: object, refusals: int) -> bool:
        self.asked.append(request.method)
        return True

    def wait(self, request: Request, attempts: int, error: object) -> float | None:
        self.asked.append(request.method)
        return 1.5


def test_only_requests_of_the_callback_are_reads():
    policy = Policy()
    reads = IdempotentPosts(policy, "parse_page")
    for request in (READ, WRITE, READ.replace(method="GET")):
        assert reads.goes_back(request, FetchTimeout(), 1) is True
        assert reads.wait(request, 1, FetchTimeout()) == 1.5
    assert policy.asked == ["GET", "GET", "POST", "POST", "GET", "GET"]
    assert READ.method == "POST"


def test_the_policy_decides_about_all_other_requests():
    assert IdempotentPosts(Policy(), "parse_page").name == "mine"


def test_the_usual_policy_repeats_reads_only():
    reads = IdempotentPosts(RetryPolicy(Settings()), "parse_page")
    assert reads.wait(READ, 1, FetchTimeout()) is not None
    assert reads.wait(WRITE, 1, FetchTimeout()) is None
