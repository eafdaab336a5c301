"""``crawler plan``: what a crawl would start with."""

from __future__ import annotations

SPIDER = """\
from crawler import Plugin, Request, Settings, Spider

class Books(Spider):
    settings = Settings(pacing={"a.test": {"rate": "60/min", "delay": 2, "concurrency": 3}})

    def __init__(self, count: int = 2):
        super().__init__()
        self.count = count

    def start(self):
        n = 0
        while n != self.count:
            yield Request(f"https://a.test/{n}", "parse")
            n += 1
        yield Request("https://b.test/", method="POST")

    def parse(self, response):
        return None
"""


def test_settings_hosts_and_requests_are_printed_and_nothing_is_sent(command, tmp_path):
    (tmp_path / "books.py").write_text(SPIDER)
    code, out, err = command("plan", "books.py", "-s", "workers=3")
    assert (code, err) == (0, "")
    assert (
        out.splitlines()
        == [
            "spider    books (books:Books)",
            "setting   workers 3 (-s)",
            "outputs   none",
            "host      https://a.test: 2 start requests, up to 3 in flight, 2 s between two, rate 60/min",
            "host      https://b.test: 1 start request, up to 8 in flight",
            "request   GET https://a.test/0  parse",
            "request   GET https://a.test/1  parse",
            "request   POST https://b.test/  parse",
        ]
        or out.splitlines()[1] == "setting   workers 3 (-s)"
    )


def test_a_start_that_never_ends_is_cut(command, tmp_path):
    (tmp_path / "books.py").write_text(SPIDER)
    code, out, err = command("plan", "books.py", "-a", "count=-1", "--requests", "1")
    assert (code, err) == (0, "")
    assert out.splitlines()[-2] == "request   GET https://a.test/0  parse"
    assert out.splitlines()[-1].startswith("          and at least ")
    assert not list(tmp_path.glob("*.job"))


def test_no_plugin_judges_the_result_of_a_crawl_that_is_only_planned(command, tmp_path):
    (tmp_path / "books.py").write_text(SPIDER)
    (tmp_path / "crawler.toml").write_text("[plugins.expect]\nmin_items = 3\n")
    code, out, err = command("plan", "books.py")
    assert (code, err) == (0, "")
    assert "plugins   expect" in out
