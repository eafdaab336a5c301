"""Every example is run as a user would run it: by a process of its own, against a small site on loopback."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import runpy
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.parse import parse_qs

import pytest
from PIL import Image
from support import processes
from support.cases import each
from support.fake_chromium import FakeBrowser
from support.localsite import Answer, Asked, local_site

from crawler.testing import FakeSite, collect

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.py"))

QUOTES = {
    "/": "<div class=quote><span class=text>Know\n thyself.</span> <b class=author>Thales</b></div>"
    "<li class=next><a href='/page/2'>Next</a></li>",
    "/page/2": "<div class=quote><span class=text>Eureka!</span> <b class=author>Archimedes</b></div>"
    "<li class=next><a href='/page/2'>Next</a></li>",
}


def run(
    *words: str | Path, folder: Path, code: int = 0, fresh: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with warnings as errors; `fresh` starts a new interpreter instead of forking one."""
    start = run_fresh if fresh else processes.run
    done = start(words, cwd=folder, env=os.environ | environment)
    assert done.returncode == code, done.stderr
    return done


def run_fresh(words: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)


def crawl(example: str, *words: str, folder: Path, code: int = 0, **options: Any) -> list[dict[str, object]]:
    """Run a spider with the command line; return its items."""
    command = ("-m", "crawler", "run", EXAMPLES / example, "-o", "items.jsonl", *words)
    run(*command, folder=folder, code=code, **options)
    return [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]


def test_loaded_items(tmp_path):
    done = run(EXAMPLES / "loaded_items.py", folder=tmp_path)
    assert done.stdout == "Book(title='Dune', price=1005.5, tags=['classic'])\n"


def test_quotes(tmp_path):
    with local_site(QUOTES) as site:
        items = crawl("quotes.py", "-a", f"start_urls={site.url}", folder=tmp_path, fresh=True)
    assert items == [{"text": "Know\n thyself.", "by": "Thales"}, {"text": "Eureka!", "by": "Archimedes"}]
    assert [asked.path for asked in site.log] == ["/robots.txt", "/", "/page/2"]


def test_checked_quotes(tmp_path):
    with local_site(QUOTES) as site:
        words = ("-a", f"start_urls={site.url}", "-o", tmp_path / "items.jsonl", "--quiet")
        done = run("-m", "crawler", "run", EXAMPLES / "checked_quotes.py", *words, folder=tmp_path, code=1)
    assert "expect: the number of items is 2 (expected at least 3)" in done.stderr
    assert len((tmp_path / "items.jsonl").read_text().splitlines()) == 2


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


def test_scope(tmp_path):
    pages = {
        "/docs/": "<title>Manual</title><a href='/docs/a'>A</a><a href='/docs/copy'>A</a><a href='/docs/a/print'>A</a>"
        "<a href='/docs/a?sort=up'>A</a><a href='/docs/plan.png'>A</a><a href='/shop'>S</a><a href='http://x.example/'>X</a>",
        "/docs/a": "<title>A</title>",
        "/docs/copy": "<title>A</title>",
    }
    with local_site(pages) as site:
        items = crawl("scope.py", "-a", f"start={site.url}docs/", "--report", "report.json", folder=tmp_path)
        asked = {asked.path for asked in site.log}
    assert sorted(item["title"] for item in items) == ["A", "Manual"]
    assert asked == {"/robots.txt", "/docs/", "/docs/a", "/docs/copy"}
    assert json.loads((tmp_path / "report.json").read_text())["filtered"] == {
        "exclude": 2, "extension": 1, "include": 1, "scope": 1, "duplicate_content": 1,
    }  # fmt: skip


def test_rules(tmp_path):
    pages = {
        "/": "<nav><a href='/list'>All</a> <a href='/list?sort=price'>Cheap</a> <a href='/basket'>Basket</a></nav>"
        "<a href='/imprint'>Imprint</a>",
        "/list": "<a href='/book/1'>One</a> <a href='/book/1/reviews'>R</a> <a class=next href='/list?page=2'>Next</a>",
        "/list?page=2": "<a href='/author/7'>Ada</a> <a href='https://other.example/book/9'>Nine</a>",
        "/author/7": "<h1>Ada</h1><a href='/book/2'>Two</a>",
    }
    pages |= {f"/book/{n}": f"<h1>Book {n}</h1><p class=price>{n}.50</p><nav><a href='/gift'>Gift</a>" for n in (1, 2)}
    with local_site(pages) as site:
        items = crawl("rules.py", "-a", f"start={site.url}", "--report", "report.json", folder=tmp_path)
        asked = {asked.path for asked in site.log} - {"/robots.txt"}
    assert sorted(items, key=str) == [
        {"author": "Ada"}, {"book": "Book 1", "price": "1.50"}, {"book": "Book 2", "price": "2.50"}
    ]  # fmt: skip
    assert asked == pages.keys()
    assert json.loads((tmp_path / "report.json").read_text())["filtered"] == {"scope": 1}


def test_feed_records(tmp_path):
    product = "<p:product id='{0}'><p:name>Product {0}</p:name>{1}</p:product>"
    priced = "<p:price>{}</p:price>"
    body = "<?xml version='1.0'?><all xmlns:p='https://goods.example/ns'>{}</all>".format(
        "".join([product.format(1, priced.format("1.50")), product.format(2, ""), product.format(3, priced.format(9))])
    )
    with local_site({"/products.xml": body}) as site:
        where = ("-a", f"url={site.url}products.xml")
        items = crawl("feed_records.py", *where, "--report", "report.json", folder=tmp_path)
    assert items == [{"id": "1", "name": "Product 1", "price": 1.5}, {"id": "3", "name": "Product 3", "price": 9.0}]
    assert json.loads((tmp_path / "report.json").read_text())["counters"] == {"broken records": 1}


def test_pictures(tmp_path):
    image = io.BytesIO()
    Image.new("RGB", (200, 100), "blue").save(image, "PNG")
    pages = {
        "/": "<h1>Lamp</h1><a class=manual href='/lamp.pdf'>Manual</a><img src='/lamp.png'>",
        "/lamp.pdf": Answer(b"%PDF", headers={"Content-Type": "application/pdf"}),
        "/lamp.png": Answer(image.getvalue(), headers={"Content-Type": "image/png"}),
    }
    with local_site(pages) as site:
        [item] = crawl("pictures.py", "-a", f"start_urls={site.url}", folder=tmp_path)
    assert (tmp_path / "files" / item["files"][0]["path"]).read_bytes() == b"%PDF"
    assert (tmp_path / "images" / item["images"][0]["thumbs"]["small"]).is_file()


def test_large_body(tmp_path):
    pages = {"/": "data", "/all.csv": Answer(b"a,b\n" * 100_000, headers={"Content-Type": "text/csv"})}
    with local_site(pages) as site:
        where = ("-a", f"start_urls={site.url}", "-a", f"url={site.url}all.csv")
        items = crawl("large_body.py", *where, folder=tmp_path)
    assert items == [{"status": 200, "size": 400_000}]
    assert (tmp_path / "all.csv").read_bytes() == b"a,b\n" * 100_000


def test_api_pages(tmp_path):
    def users(asked: Asked) -> str | Answer:
        if asked.headers.get("authorization") != "Bearer t7":
            return Answer("who are you?", 401)
        assert "limit=50" in asked.path
        number = 2 if "cursor=b%3D2" in asked.path else 1
        listed = [{"id": n, "name": f"user {n}"} for n in (2 * number - 1, 2 * number)]
        return json.dumps({"data": listed, "meta": {"next": "b=2" if number == 1 else None}})

    posts = {f"/users/{n}/posts": json.dumps([{}] * n) for n in (1, 2, 3, 4)}
    with local_site({"/users": users} | posts) as site:
        words = ("-a", f"url={site.url}users")
        items = crawl("api_pages.py", *words, folder=tmp_path, API_TOKEN="t7")
        run("-m", "crawler", "run", EXAMPLES / "api_pages.py", *words, folder=tmp_path, code=2, API_TOKEN="")
    assert sorted((item["name"], item["posts"]) for item in items) == [(f"user {n}", n) for n in (1, 2, 3, 4)]


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

    def home(asked: Asked) -> Answer | str:
        if asked.headers.get("cookie") != "id=7":
            return Answer(status=302, headers={"Location": "/login?next=/home"})
        return "<a class=logout href='/out'>out</a><a class=order href='/order/1'>1</a>"

    def order(asked: Asked) -> str:
        return f"<h1>Order 1</h1><p class=total>{asked.headers.get('cookie')}</p>"

    form = (
        "<form action='/find'><input name=q></form><form action='/enter' method=post><input type=hidden name=token"
        " value=t7><input name=user><input type=password name=password></form>"
    )
    with local_site({"/login": form, "/enter": enter, "/home": home, "/order/1": order}) as site:
        places = ("-a", f"start_urls={site.url}home", "-a", f"login_page={site.url}login")
        items = crawl("login.py", *places, folder=tmp_path, CLUB_PASSWORD="engine 1")
        assert items == [{"order": "Order 1", "total": "id=7"}]
        refused = crawl("login.py", *places, "--overwrite", folder=tmp_path, code=4, CLUB_PASSWORD="wrong")
    assert refused == []
    assert not site.asked("/out")


def test_accounts(tmp_path):
    def token(asked: Asked) -> Answer | str:
        right = json.loads(asked.body) == {"user": "ada", "password": "engine 1"}
        return json.dumps({"token": "t7"}) if right else Answer(status=401)

    def listed(asked: Asked) -> Answer | str:
        return '[{"order": 1}]' if asked.headers.get("authorization") == "Bearer t7" else Answer(status=401)

    def enter(asked: Asked) -> Answer | str:
        form = {name: value for name, [value] in parse_qs(asked.body).items()}
        if form == {"user": "ada"}:
            return "<form action=/pin method=post><input name=pin></form>"
        user = {"1234": "bank", "a1": "ada", "b1": "bob"}[form.get("pin") or form["password"]]
        return Answer(status=303, headers={"Location": "/hello", "Set-Cookie": f"id={user}; Path=/"})

    def inside(asked: Asked) -> Answer | str:
        return asked.headers.get("cookie") or Answer(status=302, headers={"Location": "/login"})

    login = "<form action=/enter method=post><input name=user><input type=password name=password></form>"
    pages = {"/token": token, "/orders": listed, "/user": "<form action=/enter method=post><input name=user></form>"}
    pages |= {"/enter": enter, "/pin": enter, "/hello": "hello", "/login": login}
    with local_site(pages | {"/accounts": inside, "/home": inside}) as site:
        where = ("-a", f"site={site.url.rstrip('/')}", "--overwrite")
        secrets = {"API_PASSWORD": "engine 1", "ADA_PASSWORD": "a1", "BOB_PASSWORD": "b1"}
        found = {
            name: crawl("accounts.py" + f":{name}", *where, folder=tmp_path, **secrets)
            for name in ("Tokens", "Bank", "Club")
        }
    assert found["Tokens"] == [{"order": 1}]
    assert found["Bank"] == [{"text": "id=bank"}]
    assert sorted(found["Club"], key=str) == [{"user": user, "text": f"id={user}"} for user in ("ada", "bob")]


def test_moved(tmp_path):
    def to(target: str) -> Answer:
        return Answer(status=301, headers={"Location": target})

    refreshes = "<meta http-equiv=refresh content='0; url=/new'>"
    pages = {"/a": to("/b"), "/b": to("/new"), "/new": "here", "/page": refreshes, "/round": to("/round")}
    names = ("a", "b", "page", "round", "gone")
    with local_site(pages) as site:
        start = json.dumps([site.url + name for name in names])
        items = crawl("moved.py", "-a", f"start_urls={start}", folder=tmp_path, code=4)
    new = site.url + "new"
    assert {item.pop("address").removeprefix(site.url): item for item in items} == {
        "a": {"leads_to": new, "redirects": 2},
        "b": {"leads_to": new, "redirects": 1},
        "page": {"leads_to": new, "redirects": 1},
        "round": {"leads_to": None, "reason": "redirect_loop", "redirects": 10},
        "gone": {"leads_to": None, "reason": "status_404"},
    }


def test_walls(tmp_path):
    challenge = "<title>Wait</title><script src='/.within.website/x/cmd/anubis/static/js/main.mjs'></script>"
    with local_site({"/": "<title>Shop</title><a href='/a'>a</a>", "/a": challenge}) as site:
        items = crawl("walls.py", "-a", f"start_urls={site.url}", folder=tmp_path)
        options = ("-s", "accept_walls=challenge", "--overwrite")
        accepted = crawl("walls.py", "-a", f"start_urls={site.url}a", *options, folder=tmp_path)
    assert items == [{"url": site.url, "title": "Shop"}, {"url": f"{site.url}a", "wall": "challenge"}]
    assert accepted == [{"url": f"{site.url}a", "title": "Wait"}]


def test_search_form(tmp_path):
    def found(asked: Asked) -> str:
        query = parse_qs(asked.path.partition("?")[2])
        [words], [kind] = query["q"], query["kind"]
        return f"<li class=hit><a href='/doc/1'>{words} in {kind}</a>" if query["go"] == ["Search"] else ""

    form = (
        "<form action='/find'><input name=q><select name=kind><option value=any>anything<option value=map>maps"
        "</select><input type=checkbox name=old><input type=submit name=go value=Search></form>"
    )
    with local_site({"/": form, "/find": found}) as site:
        items = crawl("search_form.py", "-a", f"start_urls={site.url}", "-a", "words=Rome,Oslo", folder=tmp_path)
    found_here = {"url": f"{site.url}doc/1"}
    assert sorted(items, key=str) == [{"words": w, "title": f"{w} in map"} | found_here for w in ("Oslo", "Rome")]


def test_sitemap(tmp_path):
    def listing(asked: Asked) -> str:
        host = f"http://{asked.headers['host']}"
        return (
            f"<urlset><url><loc>{host}/article/1</loc><lastmod>2026-02-01</lastmod></url>"
            f"<url><loc>{host}/article/2</loc><lastmod>2025-02-01</lastmod></url>"
            f"<url><loc>{host}/about</loc></url></urlset>"
        )

    pages = {
        "/index.xml": "<sitemapindex><sitemap><loc>/news.xml</loc></sitemap></sitemapindex>",
        "/news.xml": listing,
        "/article/1": "<h1>One</h1>",
        "/article/2": "<h1>Two</h1>",
    }
    with local_site(pages) as site:
        words = ("-a", f"sitemap_urls={site.url}index.xml")
        assert len(crawl("sitemap.py", *words, folder=tmp_path)) == 2
        items = crawl("sitemap.py", *words, "-a", "since=2026-01-01", "--overwrite", folder=tmp_path)
    assert items == [{"title": "One", "url": f"{site.url}article/1"}]
    assert not site.asked("/about")


def test_feed(tmp_path):
    def atom(page: int) -> str:
        more = "<link rel='next' href='/feed?page=2'/>" if page == 1 else ""
        return (
            f"<feed xmlns='http://www.w3.org/2005/Atom'>{more}<entry><title>Entry {page}</title>"
            f"<link href='/{page}'/><updated>2026-01-0{page}T00:00:00Z</updated></entry></feed>"
        )

    with local_site({"/feed": atom(1), "/feed?page=2": atom(2)}) as site:
        items = crawl("feed.py", "-a", f"start_urls={site.url}feed", folder=tmp_path)
    assert items == [
        {"title": f"Entry {n}", "url": f"{site.url}{n}", "updated": f"2026-01-0{n}T00:00:00Z"} for n in (1, 2)
    ]


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


def test_own_reader(tmp_path):
    with local_site({"/prices": ["7 tea\n8 cu", "7 tea\n8 cup\nEND\n"]}) as site:
        words = ("-a", f"start_urls={site.url}prices", "-s", "backoff_base=0.05")
        assert crawl("own_reader.py", *words, folder=tmp_path) == [{"line": "7 tea"}, {"line": "8 cup"}]


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
    assert (report["pages"], report["failures"]) == (3, {"callback_error": 1})
    assert "longest title: La bibliothèque" in done.stderr


def test_authentication(tmp_path):
    challenge = {"WWW-Authenticate": 'Digest realm="api", nonce="n7", qop="auth", algorithm=SHA-256'}

    def listed(asked: Asked) -> str | Answer:
        known = asked.headers.get("authorization", "")
        inside = known.startswith('Digest username="ada", realm="api", nonce="n7", uri="/list"')
        return json.dumps([f"{files.url}a", f"{files.url}b"]) if inside else Answer(status=401, headers=challenge)

    def file(asked: Asked) -> str | Answer:
        return "content" if asked.headers.get("authorization") == "Bearer t7" else Answer(status=403)

    with local_site({"/list": listed}) as api, local_site({"/a": file, "/b": file}) as files:
        where = ("-a", f"api={api.url}", "-a", f"files={files.url}")
        items = crawl("authentication.py", *where, folder=tmp_path, API_PASSWORD="secret", FILES_TOKEN="t7")
    assert sorted((item["file"], item["bytes"]) for item in items) == [(f"{files.url}a", 7), (f"{files.url}b", 7)]
    assert len(api.asked("/list")) == 2
    assert {asked.headers["authorization"] for asked in files.log} == {"Bearer t7"}


def test_proxies(tmp_path):
    pages = {"": "<title>Shop</title><a href='/a'>a</a>", "a": "<title>A</title>"}
    with local_site({f"http://shop.test/{path}": page for path, page in pages.items()}) as proxy:
        address = proxy.url.removeprefix("http://").rstrip("/")
        items = crawl(
            "proxies.py", "-a", "start_urls=http://shop.test/", "--report", "report.json",
            folder=tmp_path, PROXIES=f"http://ada:secret@{address} http://127.0.0.1:1",
        )  # fmt: skip
    assert [item["title"] for item in items] == ["Shop", "A"]
    assert {asked.headers["accept-language"] for asked in proxy.log} == {"de, en;q=0.5"}
    assert {asked.headers["proxy-authorization"] for asked in proxy.log} == {"Basic YWRhOnNlY3JldA=="}
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["proxies"] == {"127.0.0.1:1": {"requests": 1, "failures": 1}, address: {"requests": 3, "failures": 0}}


def test_polite(tmp_path):
    with local_site({"/": "<title>Home</title><a href='/a'>a</a><a href='/b'>b</a>", "/a": "a", "/b": "b"}) as site:
        items = crawl("polite.py", "-a", f"url={site.url}", "-s", "delay=0.2", "-s", "jitter=0", folder=tmp_path)
    assert [(item["url"].removeprefix(site.url), item["title"], item["links"]) for item in items] == [
        ("", "Home", 2), ("a", None, 0), ("b", None, 0),
    ]  # fmt: skip
    assert {asked.headers["user-agent"] for asked in site.log} == {"example-bot/1.0 (+https://bot.example/)"}
    starts = [asked.at for asked in site.log]
    assert mean(later - earlier for earlier, later in pairwise(starts)) > 0.15  # a busy server may note one late


def test_budget(tmp_path):
    numbers = {"/list?page=1": "[1, 2]", "/list?page=2": "[3]"}
    with local_site(numbers | {f"/{n}": f'{{"id": {n}}}' for n in (1, 2, 3)}) as site:
        where = ("-a", f"lists={site.url}list?page={{}}", "-a", f"record={site.url}{{}}", "-a", "pages=2")
        pace = '{"key:*": {"rate": ["300/min"]}}'
        items = crawl("budget.py", *where, "-s", f"pacing={pace}", "--report", "report.json", folder=tmp_path)
    assert sorted(items, key=lambda item: item["id"]) == [{"id": 1}, {"id": 2}, {"id": 3}]
    starts = {asked.path: asked.at for asked in site.log}
    records = sorted(at for path, at in starts.items() if path in ("/1", "/2", "/3"))
    assert mean(later - earlier for earlier, later in pairwise(records)) > 0.35  # twice the time of one: 0.4 s


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


def test_notebook(tmp_path):
    with local_site(QUOTES | {"/page/2": Answer("broken", 404)}) as site:
        for _ in range(2):
            done = run(EXAMPLES / "notebook.py", site.url, folder=tmp_path)
            assert done.stdout.splitlines()[1] == "1"


def test_several_crawls(tmp_path):
    with local_site(QUOTES) as one, local_site(QUOTES) as two:
        done = run(EXAMPLES / "several_crawls.py", one.url, two.url, folder=tmp_path)
    assert sorted(done.stdout.splitlines()) == sorted([f"{one.url} 2", f"{two.url} 2"])
    assert {path.name for path in tmp_path.glob("*.jsonl")} == {"quotes-1.jsonl", "quotes-2.jsonl"}


def test_javascript_page(tmp_path):
    state = json.dumps({"props": {"pageProps": {"products": [{"name": "Pen", "price": 2}]}}})
    offered = json.dumps({"@type": "Product", "name": "Ink", "offers": {"price": 5}})
    page = (
        f'<div id="__next"></div><script id="__NEXT_DATA__" type="application/json">{state}</script>'
        f'<script type="application/ld+json">{offered}</script>'
    )
    api = '[{"name": "Cap", "price": 1}]'
    with local_site({"/": page, "/api/products?page=2": api}) as site:
        items = crawl("javascript_page.py", "-a", f"start_urls={site.url}", folder=tmp_path)
    assert sorted(item["name"] for item in items) == ["Cap", "Ink", "Pen"]


async def test_rendered_page(autojump_clock):
    """A browser in memory, for which a selector matches its own text, renders what asks for it."""
    site = FakeSite(
        {
            "/": "<p>\nGET /more",
            "/more": '<div class=".product product"><a href=/pen>Pen</a></div>',
            "/pen": "<h1>Pen</h1><p class=price>2",
        },
        host="https://shop.example",
    )
    spider = runpy.run_path(str(EXAMPLES / "rendered_page.py"))["Products"]()
    collected = await collect(spider, site, plugins=[FakeBrowser(every="asked")])
    assert collected.items == [{"name": "Pen", "price": "2"}]
    assert collected.report.counters["browser/pages"] == 1


def test_expected_quotes(tmp_path):
    """``crawler check`` passes, and finds a page that has changed."""
    done = run("-m", "crawler", "check", EXAMPLES / "expected_quotes.py", folder=tmp_path)
    assert "parse" in done.stdout + done.stderr
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "quotes.html").write_text("<p>moved")
    (tmp_path / "expected_quotes.py").write_text((EXAMPLES / "expected_quotes.py").read_text())
    run("-m", "crawler", "check", "expected_quotes.py", folder=tmp_path, code=1)


def test_own_app(tmp_path):
    done = run(EXAMPLES / "own_app.py", folder=tmp_path)
    assert sorted(done.stdout.splitlines()) == [
        "4 pages checked",
        "404 http://app.test/news on http://app.test/",
        "404 http://app.test/team on http://app.test/about",
    ]


def test_quota_alerts(tmp_path):
    left = iter(range(9, -1, -1))
    fields = {"X-RateLimit-Limit": "10"}
    page = lambda _: Answer("x", headers=fields | {"X-RateLimit-Remaining": f"{next(left)}"})  # noqa: E731
    with local_site({"/": page}) as site:
        run(EXAMPLES / "quota_alerts.py", site.url, "tee -a alerts.jsonl", folder=tmp_path)
    alerts = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert [alert["remaining"] for alert in alerts if alert["event"] == "low"] == [1.0]


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
    """``test_quotes.py`` is an example of tests: it passes, and its virtual hour takes no time."""
    done = run("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "test_quotes.py", folder=EXAMPLES, fresh=True)
    assert re.search(r"^2 passed in \d\.\d", done.stdout, re.MULTILINE)


@each("name", NAMES)
def test_every_example_is_tested_here_and_shows_its_command(name):
    source = (EXAMPLES / name).read_text()
    assert name != "crawler.py", "it would take the place of the package"
    assert f'"{name}"' in Path(__file__).read_text()
    assert name in (ast.get_docstring(ast.parse(source)) or "")


def test_articles(tmp_path):
    page = (
        "<meta name=author content=Ann><nav><a href=/>Home</a></nav><main><h1>News</h1><p>Some <b>text</b>.</main>"
        '<time datetime=2024-05-06>yesterday</time><script type="application/ld+json">'
        '{"aggregateRating": {"ratingValue": 4.5}}</script>'
    )
    with local_site({"/": "<a href=/news>news</a>", "/news": page}) as site:
        items = crawl("articles.py", "-a", f"start_urls={site.url}", folder=tmp_path)
    assert items == [
        {
            "url": f"{site.url}news",
            "title": "News",
            "byline": "Ann",
            "date": "2024-05-06",
            "rating": 4.5,
            "markdown": "# News\n\nSome **text**.",
        }
    ]
