"""``crawler parse``: what a callback makes of one page."""

from __future__ import annotations

import json

import pytest

SPIDER = """\
from crawler import Drop, Plugin, Spider

class Tidy(Plugin):
    async def refine(self, item, response):
        return item | {"tidy": True}

class Books(Spider):
    plugins = [Tidy()]

    def start(self):
        raise RuntimeError("not called")

    def parse(self, response):
        yield {"title": response.css("title::text").get()}
        yield response.follow("/books/1", self.parse_book)
        yield response.follow("/books/1", self.parse_book, dont_filter=True)

    async def parse_book(self, response):
        return [{"title": response.css("h1::text").get()}]

    def broken(self, response):
        raise ValueError("no shelf")
"""


@pytest.fixture
def books(tmp_path):
    (tmp_path / "books.py").write_text(SPIDER)
    return tmp_path


def test_items_and_requests_are_printed_and_nothing_is_followed(command, site, books):
    before = len(site.statuses("/books/1"))
    code, out, err = command("parse", site.url, "--spider", "books.py")
    assert (code, err) == (0, "1 item and 2 requests from parse\n")
    item, *requests = out.splitlines()
    assert json.loads(item.removeprefix("item")) == {"title": "The Quiet Shelf", "tidy": True}
    assert requests == [f"request  {site.url}books/1  parse_book"] * 2
    assert len(site.statuses("/books/1")) == before


def test_another_callback_and_json(command, site, books):
    code, out, err = command("parse", f"{site.url}books/1", "--spider", "books.py", "-c", "parse_book", "--json")
    assert (code, err) == (0, "")
    [line] = out.splitlines()
    assert set(json.loads(line)["item"]) == {"title", "tidy"}
    code, out, err = command("parse", site.url, "--spider", "books.py", "--json")
    assert json.loads(out.splitlines()[1]) == {
        "request": {"url": f"{site.url}books/1", "method": "GET", "callback": "parse_book"}
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-c", "parse_bok"], 2, "books.py has no method 'parse_bok' (did you mean parse_book?)"),
        (["-s", "workers=0"], 2, "workers"),
    ],
)
def test_an_error_is_one_line(command, site, books, arguments, code, message):
    found, out, err = command("parse", site.url, "--spider", "books.py", *arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_a_page_that_is_missing_is_an_error(command, site, books):
    code, out, err = command("parse", f"{site.url}lost", "--spider", "books.py")
    assert (code, out, err) == (1, "", "crawler: status 404\n")


def test_an_exception_of_the_callback_is_shown_with_its_traceback(command, site, books):
    code, out, err = command("parse", site.url, "--spider", "books.py", "-c", "broken", traceback=True)
    assert (code, out) == (1, "")
    assert 'raise ValueError("no shelf")' in err
