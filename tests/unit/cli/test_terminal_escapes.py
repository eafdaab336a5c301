"""No text of a server reaches a terminal as a command: all that the commands print is escaped."""

from __future__ import annotations

import json
import os
import pty
import re
import select

import pytest
from support.localsite import Answer, local_site

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\b"
BIDI = "\u202egnp.exe\u2066"
PLANT = f"plant{ESCAPES}{BIDI}"
OBEYED = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys. A line feed comes as CR LF through one."""
FIELDS = {"X-RateLimit-Limit": f"10, {ESCAPES}", "X-RateLimit-Remaining": "5", "X-Title": f"field{ESCAPES}"}
PAGES = {
    "/": Answer(f"<title>{PLANT}</title><a href='/two?{PLANT}'>two</a><a href='/lost'>lost</a>", headers=FIELDS),
    "/two": Answer(f"<title>{PLANT}</title>", headers=FIELDS),
    "/refused": Answer("no", 429, headers={"Retry-After": "3", **FIELDS}),
    "/moved": Answer("", 302, headers={"Location": f"mailto:{ESCAPES}"}),
    "/quota": Answer(json.dumps({"error": PLANT, "retry_after": 1}), 429),
    "/robots.txt": Answer(f"User-agent: *\nDisallow: /no{PLANT}\nDisallow: /no\nSitemap: /{PLANT}\nCrawl-delay: 0.1\n"),
}
SPIDER = """
import logging
from crawler import Drop, Plugin, Spider

class Refusing(Plugin):
    name = "refusing"

    def admit(self, request):
        return Drop(title) if "/two" in request.url else None

class Planted(Spider):
    start_urls = ["{url}", "{url}?raise", "{url}moved"]
    plugins = [Refusing()]

    def parse(self, response):
        global title
        title = response.css("title::text").get()
        logging.getLogger("mine").warning("%s %s", title, dict(response.headers))
        self.crawl.count(title)
        yield {{"title": title}}
        yield from response.follow_all()
        if "raise" in response.url:
            raise ValueError(title)

    async def failed(self, failure):
        self.crawl.stop(title)

title = {plant!r}
"""


@pytest.fixture(scope="module")
def planted():
    with local_site(PAGES) as site:
        yield site


@pytest.fixture
def spider(tmp_path, planted):
    (tmp_path / "planted.py").write_text(SPIDER.format(url=planted.url, plant=PLANT), encoding="utf-8")
    return "planted.py"


@pytest.fixture
def on_terminal(start):
    """Run a command on a terminal, and return what that shows."""

    def run(*arguments):
        leader, follower = pty.openpty()
        options = {"stdin": follower, "stdout": follower, "stderr": follower}
        process = start(*arguments, env={"TERM": "dumb", "PYTHONIOENCODING": "utf-8"}, **options)
        os.close(follower)
        seen, ended = b"", False
        while not ended:
            ended = process.poll() is not None
            while select.select([leader], [], [], 0.05)[0]:
                try:
                    seen += os.read(leader, 65_536)
                except OSError:  # the terminal is closed
                    break
        os.close(leader)
        return seen.decode("utf-8", "surrogateescape")

    return run


COMMANDS = [
    ("fetch", "{url}"),
    ("fetch", "{url}", "--headers"),
    ("fetch", "{url}moved"),
    ("fetch", "{url}no"),
    ("links", "{url}"),
    ("links", "{url}", "--json"),
    ("robots", "{url}no"),
    ("robots", "{url}no" + BIDI, "--json"),
    ("limits", "{url}"),
    ("limits", "{url}", "--json"),
    ("limits", "{url}refused"),
    ("limits", "{url}quota", "-s", "pacing={{'*': {{'bodies': true}}}}"),
    ("shell", "{url}", "-c", "response.headers; print(response.text, response.headers['x-title'])"),
    ("shell", "{url}", "-c", "raise ValueError(response.text)"),
    ("shell", "{url}moved", "-c", "1"),
    ("shell", "-c", "import sys; sys.stderr.write('plant\\x1b[2J\\n')"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_about_one_page_shows_no_commands_of_a_server(on_terminal, planted, words):
    seen = on_terminal(*(word.format(url=planted.url) for word in words))
    assert seen.strip()
    assert OBEYED.findall(seen) == []


@pytest.mark.parametrize(
    "options", [(), ("--log-level", "debug"), ("--log-json", "--log-level", "debug")], ids=" ".join
)
def test_a_crawl_shows_no_commands_of_a_server(on_terminal, spider, options):
    seen = on_terminal("run", spider, "--quiet", *options)  # the live line has commands of its own
    assert "plant" in seen
    assert OBEYED.findall(seen) == []


def test_summary_log_and_state_of_a_job_show_no_commands_of_a_server(command, spider):
    _, out, err = command("run", spider, "--job", "job\x1b[2J", "-o", "items\x9b1m.jsonl", traceback=True)
    assert "plant" in err
    _, state, problem = command("job", "job\x1b[2J")
    assert "plant" in state
    assert [OBEYED.findall(text) for text in (out, err, state, problem)] == [[], [], [], []]
    _, exported, _ = command("job", "job\x1b[2J", "--export", "-")
    assert {json.loads(line)["title"] for line in exported.splitlines()} == {PLANT}


def test_items_on_a_terminal_are_the_same_json_without_commands(on_terminal, spider):
    seen = on_terminal("run", spider, "--quiet", "--log-level", "critical", "-o", "-")
    lines = [line for line in seen.splitlines() if line.startswith("{")]
    assert {json.loads(line)["title"] for line in lines} == {PLANT}
    assert OBEYED.findall(seen) == []


def test_the_body_of_a_page_is_unchanged_if_the_output_is_not_a_terminal(command, planted):
    assert command("fetch", planted.url)[1] == PAGES["/"].body
