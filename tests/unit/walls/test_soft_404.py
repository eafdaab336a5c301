"""When a host is asked for a random path, and what counts when two pages are compared."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from crawler import FetchError
from crawler.stats import Stats
from crawler.walls.soft_404 import LookAlikes, essence_of

HERE, THERE = "https://site.test/here/a b?x=ä", "https://site.test/other/page"


def same(one: str, other: str) -> bool:
    return essence_of(HERE, one.encode()) == essence_of(THERE, other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"<p>No {HERE} here</p>", f"<p>No {THERE} here</p>"),
        ("<p>No /here/a b?x=ä.</p>", "<p>No /other/page.</p>"),
        ("<a href='/login?to=%2Fhere%2Fa%20b%3Fx%3D%C3%A4'>", "<a href='/login?to=%2Fother%2Fpage'>"),
        (r"<script>u = '\/here\/a b?x=ä'</script>", r"<script>u = '\/other\/page'</script>"),
        ("<meta nonce='a1b2c3d4e5f6g7h8i9'>", "<meta nonce='z1b2c3d4e5f6g7h8i9'>"),
        ("<script>t = 1700000000</script>", "<script>t = 1700000001</script>"),
        ("<p>It is 9:05.</p>", "<p>It is 19:05:33.</p>"),
        ("<p>x</p><!-- made in 0.1 s -->", "<p>x</p><!-- made in 0.234 s -->"),
        ("<a href='/mail#a1'>x</a>", "<a href='/mail#a1'>x</a>"),
    ],
)
def test_addresses_tokens_and_times_do_not_count(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<p>one</p>", "<p>two</p>"),
        ("<p>1</p>", "<p>2</p>"),
        ("<p>a1b2c3d4e5f6g7h8i9</p>", "<p>z1b2c3d4e5f6g7h8i9</p>"),
        ("<script>price = 12</script>", "<script>price = 13</script>"),
        ("<a href=/a-long-name-1234>x</a>", "<a href=/a-long-name-1235>x</a>"),
        ("<img alt=a>", "<img alt=b>"),
        ("<p>x</p><noscript>1</noscript>", "<p>x</p><noscript>2</noscript>"),
    ],
)
def test_words_numbers_data_and_links_count(one: str, other: str) -> None:
    assert not same(one, other)


def test_a_short_path_is_a_word_of_the_page() -> None:
    assert essence_of("https://site.test/a", b"<p>a cat</p>") != essence_of("https://site.test/b", b"<p> ct</p>")


def test_a_long_page_takes_time_in_proportion() -> None:
    for part in ("a" * 17, "1" * 17, "a1" * 9 + " ", "<!--", "<a href=", "12:", "<script>"):
        essence_of(HERE, part.encode() * 30_000)


def soft(path: str, title: str = "Oops") -> tuple[str, bytes]:
    return f"https://site.test/{path}", f"<title>{title}</title><p>No page /{path}.</p>".encode()


class Answer:
    """The response to a random path."""

    is_html = True

    def __init__(self, url: str, status: int = 200) -> None:
        self.url, self.body = soft(url.removeprefix("https://site.test/"))
        self.status = status


@pytest.mark.parametrize("status", [200, 404, 0])
async def test_a_host_is_asked_once_if_five_of_its_pages_are_the_same(status: int) -> None:
    alike, stats = LookAlikes(), Stats()
    asked: list[str] = []
    alike.ask = asked.append
    assert not any(alike.is_soft_404(*soft(f"dead/{n}")) for n in range(5))
    assert asked == []  # the first is compared with none
    assert not any(alike.is_soft_404(*soft(f"dead/{n}")) for n in range(20))
    [url] = asked

    async def fetch(request: Any) -> Any:
        if not status:
            raise FetchError("x")
        return Answer(request.url, status)

    await alike.learn(SimpleNamespace(url=url), fetch, stats)
    assert alike.is_soft_404(*soft("dead/21")) is (status == 200)
    assert not alike.is_soft_404("https://other.test/x", soft("x")[1])
    assert not alike.is_soft_404("https://site.test/", soft("")[1])
    assert stats.soft_404_kept == (20 if status == 200 else 0)
    assert len(asked) == 1


def test_pages_of_many_titles_and_hosts_take_no_memory() -> None:
    alike = LookAlikes()
    for n in range(5000):
        alike.is_soft_404(*soft(f"a/{n}", title=f"{n // 2}"))
        alike.is_soft_404(f"https://{n}.test/a", soft("a")[1])
    assert len(alike._hosts) <= 1001
    assert all(len(host.titles) <= 1000 for host in alike._hosts.values())
