"""Every example is run as a user would run it: by a command of its own, against a small site on loopback."""

from __future__ import annotations

import ast
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from support.localsite import Answer, Asked, local_site

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.py"))

QUOTES = {
    "/": "<div class=quote><span class=text>Know\n thyself.</span> <b class=author>Thales</b></div>"
    "<li class=next><a href='/page/2'>Next</a></li>",
    "/page/2": "<div class=quote><span class=text>Eureka!</span> <b class=author>Archimedes</b></div>"
    "<li class=next><a href='/page/2'>Next</a></li>",
}


def run(*words: str | Path, folder: Path, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python; a warning in it is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *words],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def crawl(example: str, *words: str, folder: Path, code: int = 0, **environment: str) -> list[dict[str, object]]:
    """Runs a spider by the command line; gives its items."""
    command = ("-m", "crawler", "run", EXAMPLES / example, "-o", "items.jsonl", *words)
    run(*command, folder=folder, code=code, **environment)
    return [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]


def test_quotes(tmp_path):
    with local_site(QUOTES) as site:
        items = crawl("quotes.py", "-a", f"start_urls={site.url}", folder=tmp_path)
    assert items == [{"text": "Know\n thyself.", "by": "Thales"}, {"text": "Eureka!", "by": "Archimedes"}]
    assert [asked.path for asked in site.log] == ["/robots.txt", "/", "/page/2"]


def test_follow_rules(tmp_path):
    pages = {
        "/": "<nav><a href='/poems'>Poems</a> <a href='/plays'>Plays</a></nav><a href='/imprint'>Imprint</a>",
        "/poems": "<a class=book href='/book/1'>One</a><a class=next href='/poems?page=2'>Next</a>",
        "/poems?page=2": "<a class=book href='/book/2'>Two</a><a class=book href='https://other.example/3'>Three</a>",
        "/plays": "<a class=book href='/book/4'>Four</a>",
    }
    pages |= {f"/book/{n}": f"<h1>Book {n}</h1><p class=price>EUR {n}.50</p>" for n in (1, 2, 4)}
    with local_site(pages) as site:
        items = crawl("follow_rules.py", "-a", f"start={site.url}", "--report", "report.json", folder=tmp_path)
    assert sorted((item["section"], item["title"], item["price"]) for item in items) == [
        ("Plays", "Book 4", 4.5),
        ("Poems", "Book 1", 1.5),
        ("Poems", "Book 2", 2.5),
    ]
    assert not site.asked("/imprint")
    assert json.loads((tmp_path / "report.json").read_text())["filtered"] == {"scope": 1}


def test_follow_rules_with_a_smaller_depth(tmp_path):
    pages = {"/": "<nav><a href='/poems'>Poems</a></nav>", "/poems": "<a class=book href='/book/1'>One</a>"}
    with local_site(pages) as site:
        items = crawl("follow_rules.py", "-a", f"start={site.url}", "-s", "max_depth=1", folder=tmp_path)
    assert items == []
    assert not site.asked("/book/1")


def test_api(tmp_path):
    def users(asked: Asked) -> str:
        number = int(asked.path.partition("=")[2] or 1)
        listed = [{"id": n, "name": f"user {n}"} for n in (2 * number - 1, 2 * number)]
        return json.dumps({"users": listed, "next": f"/users?page={number + 1}" if number < 2 else None})

    posts = {f"/users/{n}/posts": json.dumps([{}] * n) for n in (1, 2, 3)}
    with local_site({"/users": users} | posts) as site:
        items = crawl("api.py", "-a", f"start_urls={site.url}users", folder=tmp_path)
    assert [(item["name"], item["posts"]) for item in items] == [
        ("user 1", 1), ("user 2", 2), ("user 3", 3), ("user 4", None),
    ]  # fmt: skip
    assert len(site.asked("/users/4/posts")) == 1


def test_login(tmp_path):
    def enter(asked: Asked) -> Answer:
        form = {name: value for name, [value] in parse_qs(asked.body).items()}
        right = form == {"token": "t7", "user": "ada", "password": "engine 1"}
        target = {"Location": "/home", "Set-Cookie": "id=7; Path=/; HttpOnly"} if right else {"Location": "/login"}
        return Answer(status=303, headers=target)

    def home(asked: Asked) -> str:
        inside = asked.headers.get("cookie") == "id=7"
        return "<a class=logout href='/out'>out</a><a class=order href='/order/1'>1</a>" if inside else "who are you?"

    def order(asked: Asked) -> str:
        return f"<h1>Order 1</h1><p class=total>{asked.headers.get('cookie')}</p>"

    form = "<form action='/enter'><input type=hidden name=token value=t7><input name=user></form>"
    with local_site({"/login": form, "/enter": enter, "/home": home, "/order/1": order}) as site:
        start = f"start_urls={site.url}login"
        items = crawl("login.py", "-a", start, folder=tmp_path, CLUB_PASSWORD="engine 1")
        assert items == [{"order": "Order 1", "total": "id=7"}]
        refused = crawl("login.py", "-a", start, "--overwrite", folder=tmp_path, code=4, CLUB_PASSWORD="wrong")
    assert refused == []
    assert not site.asked("/out")


def test_plugin(tmp_path):
    with local_site(QUOTES) as site:
        items = crawl("plugin.py", "-a", f"start_urls={site.url}", "--report", "report.json", folder=tmp_path)
    assert items == [{"text": "Know thyself.", "by": "Thales"}]
    assert json.loads((tmp_path / "report.json").read_text())["dropped"] == {"too short": 1}


def test_plugin_named_on_the_command_line(tmp_path):
    with local_site(QUOTES) as site:
        words = ("-a", f"start_urls={site.url}", "-p", "plugin:Tidy", "-o", tmp_path / "items.jsonl")
        run("-m", "crawler", "run", "quotes.py", *words, folder=EXAMPLES)
    [line] = (tmp_path / "items.jsonl").read_text().splitlines()
    assert json.loads(line) == {"text": "Know thyself.", "by": "Thales"}


@pytest.mark.parametrize("named", [False, True], ids=["brought by the spider", "named on the command line"])
def test_sqlite_sink(tmp_path, named):
    path = tmp_path / ("quotes.sqlite" if named else "items.sqlite")
    option = ("-p", "sqlite_sink:Sqlite", "-P", f"sqlite.path={path}")
    with local_site(QUOTES) as site:
        start = ("-a", f"start_urls={site.url}")
        if named:
            run("-m", "crawler", "run", "quotes.py", *start, *option, folder=EXAMPLES)
        else:
            run("-m", "crawler", "run", EXAMPLES / "sqlite_sink.py", *start, folder=tmp_path)
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT page, data ->> 'by' FROM items").fetchall()
    assert rows == [(site.url, "Thales"), (f"{site.url}page/2", "Archimedes")]


def test_errors_and_retries(tmp_path):
    offers = "".join(f"<a class=offer href='/{name}'>{name}</a>" for name in ("fine", "sold", "late", "lost", "broken"))
    fine = "<b class=price>7.00</b>"
    pages = {
        "/offers": offers,
        "/fine": [Answer("busy", 503), fine],
        "/sold": Answer("gone", 410),
        "/late": ["<p class=in-preparation>come back</p>", fine],
        "/broken": Answer("broken", 500),
    }
    with local_site(pages) as site:
        words = ("-a", f"start_urls={site.url}offers", "-a", "patience=0.1", "-s", "backoff_base=0.05")
        items = crawl("errors_and_retries.py", *words, "--report", "report.json", folder=tmp_path, code=4)
    assert {item["url"].removeprefix(site.url): item for item in items} == {
        name: {"url": site.url + name} | item
        for name, item in {
            "fine": {"state": "on sale", "price": "7.00"},
            "sold": {"state": "sold"},
            "late": {"state": "on sale", "price": "7.00"},
            "lost": {"state": "status 404", "attempts": 1},
            "broken": {"state": "status 500", "attempts": 3},
        }.items()
    }
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["failed"], report["failures"], report["retries"]) == (1, {"status_500": 1}, 4)


def test_state_and_counts(tmp_path):
    pages = {
        "/": "<html lang=en><title>Home</title><a href='/a'>a</a><a href='/b'>b</a><a href='/c'>c</a>",
        "/a": "<html lang=fr><title>La bibliothèque</title>",
        "/b": "<title>Short</title>",
        "/c": "<html lang=de><p>no title",
    }
    with local_site(pages) as site:
        command = ("-m", "crawler", "run", EXAMPLES / "state_and_counts.py", "--report", "report.json")
        done = run(*command, "-a", f"start_urls={site.url}", folder=tmp_path, code=4)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["counters"] == {"pages in en": 1, "pages in fr": 1, "pages in no language": 1}
    assert (report["pages"], report["failures"]) == (3, {"hook_error": 1})
    assert "longest title: La bibliothèque" in done.stderr


def test_polite(tmp_path):
    with local_site({"/": "<title>Home</title><a href='/a'>a</a><a href='/b'>b</a>", "/a": "a", "/b": "b"}) as site:
        items = crawl("polite.py", "-a", f"url={site.url}", "-s", "delay=0.2", "-s", "jitter=0", folder=tmp_path)
    assert [(item["url"].removeprefix(site.url), item["title"], item["links"]) for item in items] == [
        ("", "Home", 2), ("a", None, 0), ("b", None, 0),
    ]  # fmt: skip
    assert {asked.headers["user-agent"] for asked in site.log} == {"example-bot/1.0 (+https://bot.example/)"}
    starts = [asked.at for asked in site.log]
    assert min(later - earlier for earlier, later in pairwise(starts)) > 0.15


def test_budget(tmp_path):
    numbers = {"/list?page=1": "[1, 2]", "/list?page=2": "[3]"}
    with local_site(numbers | {f"/{n}": f'{{"id": {n}}}' for n in (1, 2, 3)}) as site:
        where = ("-a", f"lists={site.url}list?page={{}}", "-a", f"record={site.url}{{}}", "-a", "pages=2")
        pace = '{"key:*": {"rate": ["300/min"]}}'
        items = crawl("budget.py", *where, "-s", f"pacing={pace}", "--report", "report.json", folder=tmp_path)
    assert sorted(items, key=lambda item: item["id"]) == [{"id": 1}, {"id": 2}, {"id": 3}]
    starts = {asked.path: asked.at for asked in site.log}
    records = sorted(at for path, at in starts.items() if path in ("/1", "/2", "/3"))
    assert min(later - earlier for earlier, later in pairwise(records)) > 0.35  # twice what one costs: 0.4 s


def test_stream_items(tmp_path):
    endless = "<div class=quote><span class=text>More.</span> <b class=author>Me</b></div><li class=next><a href='?{}'>"

    def page(asked: Asked) -> str:
        return endless.format(int(asked.path.partition("?")[2] or 0) + 1)

    with local_site({"/": page}) as site:
        done = run(EXAMPLES / "stream_items.py", site.url, folder=tmp_path)
    assert done.stdout == "Me: More.\n" * 5


def test_script_a_crawl(tmp_path):
    with local_site(QUOTES | {"/page/2": Answer("broken", 404)}) as site:
        done = run(EXAMPLES / "script_a_crawl.py", site.url, "quotes.csv", folder=tmp_path)
        assert done.stdout == "1 quotes on 1 pages; 0 requests failed {}\n"
        assert (tmp_path / "quotes.csv").read_text().splitlines()[0] == "text,by"
        refused = run(EXAMPLES / "script_a_crawl.py", site.url, "quotes.csv", folder=tmp_path, code=2)
    assert refused.stderr.startswith("nothing was started: quotes.csv exists already")


def test_own_app(tmp_path):
    done = run(EXAMPLES / "own_app.py", folder=tmp_path)
    assert sorted(done.stdout.splitlines()) == [
        "4 pages looked at",
        "404 http://app.test/news on http://app.test/",
        "404 http://app.test/team on http://app.test/about",
    ]


def test_quota_client(tmp_path):
    said = {"RateLimit-Policy": "5000;w=86400", "RateLimit-Limit": "5000", "RateLimit-Reset": "86400"}
    left = iter(range(4999, 0, -1))

    def answer(body: str) -> Callable[[Asked], Answer]:
        return lambda _: Answer(body, headers=said | {"RateLimit-Remaining": str(next(left))})

    pages = {"/users": answer('[{"id": 1}, {"id": 2}]'), "/report": answer("{}")}
    pages |= {f"/users/{number}/posts": answer(f"[{number}]") for number in (1, 2)}
    with local_site(pages) as site:
        first = run(EXAMPLES / "quota_client.py", site.url, "quotas.json", folder=tmp_path)
        again = run(EXAMPLES / "quota_client.py", site.url, "quotas.json", folder=tmp_path)
    lines = ["2 users", "/users/1/posts 200 3", "/users/2/posts 200 3"]
    assert first.stdout.splitlines()[:3] == again.stdout.splitlines()[:3] == lines
    assert "key:mine 86400s 4996.0 of 5000.0" in first.stdout
    assert "key:mine 86400s 4992.0 of 5000.0" in again.stdout
    assert json.loads((tmp_path / "quotas.json").read_text())["clean"] is True


def test_small_client(tmp_path):
    pages = {f"/{name}": json.dumps({"name": name}) for name in ("ada", "grace")}
    with local_site(pages) as site:
        pages["/users"] = json.dumps([f"{site.url}ada", f"{site.url}grace"])
        site.pages = pages
        done = run(EXAMPLES / "small_client.py", f"{site.url}users", folder=tmp_path)
    assert done.stdout == "ada\ngrace\n"


def test_governed_transport(tmp_path):
    assert run(EXAMPLES / "governed_transport.py", folder=tmp_path).stdout == "9 requests in 2 s\n"


def test_quotes_tests():
    """``test_quotes.py`` is an example of tests: it passes, and its hour takes no time."""
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_quotes.py", folder=EXAMPLES)
    assert re.search(r"^2 passed in \d\.\d", done.stdout, re.MULTILINE)


def test_faults_tests():
    """``test_faults.py`` is one too, against a server on loopback."""
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_faults.py", folder=EXAMPLES)
    assert re.search(r"^5 passed in \d", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_run_here_and_says_how_to_run_it(name):
    source = (EXAMPLES / name).read_text()
    assert name != "crawler.py", "it would take the place of the package"
    assert f'"{name}"' in Path(__file__).read_text()
    assert name in (ast.get_docstring(ast.parse(source)) or "")
