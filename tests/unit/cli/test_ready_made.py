"""The ready-made spiders from the command line: simple APIs and files need no Python."""

from __future__ import annotations

import json
import signal
import time

import pytest
from support.localsite import Answer, Asked, local_site

PAGES = 30


def by_cursor(asked: Asked) -> str:
    """Two items a page, slowly enough to be killed meanwhile."""
    time.sleep(0.01)
    page = int(asked.path.partition("cursor=")[2] or 0)
    following = page + 1 if page + 1 < PAGES else None
    return json.dumps({"data": [{"id": 2 * page}, {"id": 2 * page + 1}], "meta": {"next": following}})


def test_an_api_by_cursor(command):
    with local_site({"/users": by_cursor}) as site:
        words = ("-a", f"url={site.url}users", "-a", "items=data", "-a", "next=cursor:meta.next")
        code, out, err = command("run", "crawler.spiders.api:ApiSpider", *words, "-o", "-", "--quiet")
    assert (code, err) == (0, "")
    assert [json.loads(line)["id"] for line in out.splitlines()] == list(range(2 * PAGES))


def test_arguments_of_every_type(command):
    def users(asked: Asked) -> Answer | str:
        if asked.headers.get("x-key") != "k 1" or asked.headers.get("authorization") != "Bearer t7":
            return Answer("who are you?", 401)
        start = int(asked.path.rpartition("start=")[2].partition("&")[0])
        return json.dumps({"data": [{"id": n} for n in range(start, min(start + 5, 23))], "total": 23})

    arguments = {
        "items": "data", "next": "offset", "param": "start", "size": 5, "size_param": "n", "total": "total",
        "parallel": "true", "params": '{"sort": "id"}', "headers": '{"X-Key": "k 1"}', "token": "env:SECRET",
    }  # fmt: skip
    with local_site({"/users": users}) as site:
        words = [word for name, value in arguments.items() for word in ("-a", f"{name}={value}")]
        code, out, err = command(
            "run", "crawler.spiders.api:ApiSpider", "-a", f"url={site.url}users", *words, "-o", "-", "--quiet",
            env={"SECRET": "t7"},
        )  # fmt: skip
        asked = sorted(one.path for one in site.log)
    assert (code, err) == (0, "")
    assert sorted(json.loads(line)["id"] for line in out.splitlines()) == list(range(23))
    assert [path for path in asked if "users" in path] == sorted(
        f"/users?sort=id&start={start}&n=5" for start in range(0, 23, 5)
    )


def test_a_crawl_of_an_api_that_is_killed_repeatedly_reads_each_item_once(start, command, tmp_path):
    with local_site({"/users": by_cursor}) as site:
        words = (
            "run", "crawler.spiders.api:ApiSpider", "-a", f"url={site.url}users", "-a", "items=data",
            "-a", "next=cursor:meta.next", "--job", "job", "-o", "items.jsonl", "--quiet",
        )  # fmt: skip
        for _ in range(3):
            process, seen = start(*words), len(site.log)
            until = time.monotonic() + 30
            while len(site.log) < seen + 7:
                assert time.monotonic() < until
                assert process.poll() is None
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=10)
        code, _, err = command(*words)
        pages = [one.path for one in site.log if one.path.startswith("/users")]
    assert (code, err) == (0, "")
    lines = (tmp_path / "items.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(2 * PAGES))
    assert set(pages) == {"/users", *(f"/users?cursor={n}" for n in range(1, PAGES))}
    assert len(pages) <= PAGES + 3  # requests in flight at a kill are sent again


def test_a_file_of_records(command):
    files = {"/shop.csv": Answer("name;price\nTea;3\nCup\nPot;9\n", headers={"Content-Type": "text/csv"})}
    with local_site(files) as site:
        words = ("run", "crawler.spiders.feed:FeedSpider", "-a", f"url={site.url}shop.csv", "-o", "-", "--quiet")
        code, out, err = command(*words)
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {"name": "Tea", "price": "3"}, {"name": "Pot", "price": "9"}
    ]  # fmt: skip
    assert "line 3: 1 instead of 2 fields" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("crawler.spiders.api:ApiSpider",), "ApiSpider: set the argument url, or start_urls"),
        (("crawler.spiders.feed:FeedSpider",), "FeedSpider: set the argument url, or start_urls"),
        (("crawler.spiders.api:ApiSpider", "-a", "nxt=page"),
         "spider ApiSpider has no argument 'nxt' (did you mean next?)"),
        (("crawler.spiders.api:ApiSpider", "-a", "size=many"),
         "spider ApiSpider: argument size: must be a whole number, not 'many'"),
        (("crawler.spiders.api:ApiSpider", "-a", "next=curser:x"),
         "ApiSpider: argument next: unknown kind of paging 'curser' (did you mean cursor?)"),
        (("crawler.spiders.feed:FeedSpider", "-a", "url=shop.csv"), "FeedSpider: argument url: not a URL: 'shop.csv'"),
    ],
)  # fmt: skip
def test_an_error_is_one_line(refused, words, told):
    assert told in refused("run", *words)
