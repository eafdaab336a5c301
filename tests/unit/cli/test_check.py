"""``crawler check``: callbacks and what their docstrings expect."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import crawler.cli.check as check_module

SPIDER = '''\
from crawler import Spider

class Books(Spider):
    def parse(self, response):
        """A list.

        @url URL
        @page pages/list.html
        @returns requests 2 2
        """
        yield from response.follow_all("a")

    def book(self, response, shelf):
        """A book.

        @url URLbooks/1
        @cb_kwargs {"shelf": "poetry"}
        @page pages/book.html
        @returns items 1 1
        @scrapes title shelf
        """
        yield {"title": response.css("h1::text").get(), "shelf": shelf}
'''


@pytest.fixture
def books(tmp_path):
    (tmp_path / "books.py").write_text(SPIDER.replace("URL", "http://nowhere.test/"))
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "list.html").write_text("<a href=/1>x</a><a href=/2>x</a>")
    (tmp_path / "pages" / "book.html").write_text("<h1>Odes</h1>")
    return tmp_path


def test_callbacks_that_do_as_expected(command, books):
    code, out, err = command("check", "books.py")
    assert (code, err) == (0, "2 callbacks checked, 0 failed\n")
    assert out.splitlines() == [
        "ok      book  http://nowhere.test/books/1", "ok      parse  http://nowhere.test/",
    ]  # fmt: skip


def test_callbacks_that_do_not(command, books):
    (books / "pages" / "list.html").write_text("<a href=/1>x</a>")
    (books / "pages" / "book.html").write_text("<h2>Odes</h2>")
    code, out, err = command("check", "books.py")
    assert (code, err) == (1, "2 callbacks checked, 2 failed\n")
    assert [line.strip() for line in out.splitlines()] == [
        "FAILED  book  http://nowhere.test/books/1", "field 'title' is missing or empty in 1 of 1 items",
        "FAILED  parse  http://nowhere.test/", "1 requests, expected 2",
    ]  # fmt: skip


def test_pages_are_recorded(command, site, tmp_path):
    (tmp_path / "books.py").write_text(SPIDER.replace("URL", site.url))
    code, out, _ = command("check", "books.py")
    assert code == 1
    assert "no such file: pages/list.html (crawler check books.py --record fetches it)" in out
    command("check", "books.py", "--record")
    assert (tmp_path / "pages" / "list.html").read_bytes() == site.answer("/").body.encode()
    assert "ok      book" in command("check", "books.py")[1]


def test_a_spider_without_expectations(command, tmp_path):
    (tmp_path / "books.py").write_text(
        "from crawler import Spider\nclass Books(Spider):\n    def parse(self, r): pass\n"
    )
    code, out, err = command("check", "books.py")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no docstring in books.py has a line such as @url" in err


def test_a_python_without_docstrings_says_so(refused, tmp_path, monkeypatch):
    (tmp_path / "bare.py").write_text("from crawler import Spider\nclass Bare(Spider):\n    def parse(self, r): ...\n")
    monkeypatch.setattr(check_module, "sys", SimpleNamespace(flags=SimpleNamespace(optimize=2)))
    assert "check reads docstrings, which PYTHONOPTIMIZE=2 and python -OO remove" in refused("check", "bare.py")
