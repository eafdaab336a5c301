"""The canned site that both engines crawl: every answer follows from the request, and from how often it was made."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

__all__ = ["ADDRESS", "Refused", "Site", "TimedOut"]

ADDRESS: Final = "192.0.2.1"
"""The IP address of the site."""
PAGES: Final = 4
PER_PAGE: Final = 3
SHOWN: Final = (
    "accept", "accept-language", "authorization", "content-type", "cookie", "host", "referer", "user-agent",
)  # fmt: skip
"""Header fields that are compared, beside those that begin with ``x-``."""
PNG: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)

Answer = tuple[int, list[tuple[str, str]], bytes]


class Refused(Exception):
    """The server accepts no connection."""


class TimedOut(Exception):
    """The server does not answer."""


class Site:
    """Answers requests, and remembers them as `calls`."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self._counts: Counter[str] = Counter()

    def answer(self, method: str, url: str, fields: dict[str, str], body: bytes) -> Answer:
        """Answer one request.

        Parameters:
            method: The method.
            url: The URL, without a fragment.
            fields: Header fields, with names in lower case.
            body: The body.

        Raises:
            Refused: The path is ``/refused``.
            TimedOut: The path is ``/timeout``.
        """
        parts = urlsplit(url)
        url = (
            f"{parts.scheme}://{parts.hostname}{parts.path or '/'}{url[len(url.partition('?')[0]) :]}"  # as it is sent
        )
        parts = urlsplit(url)
        shown = {
            name: _shown(name, value) for name, value in sorted(fields.items()) if _is_shown(name, value, parts.netloc)
        }
        self.calls.append([method, url, body.decode("latin-1"), shown])
        self._counts[url] += 1
        for pattern, answer in ROUTES:
            found = re.fullmatch(pattern, parts.path)
            if found is not None:
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                return answer(self, found, query, (method, url, fields, body))
        return _html("<h1>Not found</h1>", 404)

    def count(self, url: str) -> int:
        """Return how many requests of a URL there have been."""
        return self._counts[url]


def _is_shown(name: str, value: str, host: str) -> bool:
    return (name in SHOWN or name.startswith("x-")) and not (name == "host" and value == host)


def _shown(name: str, value: str) -> str:
    if name == "cookie":
        return "; ".join(sorted(value.split("; ")))
    return re.sub(r"Scrapy/[\d.]+", "Scrapy", value)


def _html(body: str, status: int = 200, *fields: tuple[str, str], title: str = "Shop") -> Answer:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>"
    return status, [("Content-Type", "text/html; charset=utf-8"), *fields], page.encode()


def _json(value: Any, status: int = 200) -> Answer:
    return status, [("Content-Type", "application/json")], json.dumps(value, sort_keys=True).encode()


def _typed(kind: str, body: str | bytes, *fields: tuple[str, str]) -> Answer:
    return 200, [("Content-Type", kind), *fields], body.encode() if isinstance(body, str) else body


def _home(*_: Any) -> Answer:
    return _html(
        "<a href='/page/1'>Quotes</a> <a href='/about' class='info' rel='nofollow'>About us</a>"
        "<a href='https://other.test/away'>Away</a> <a href='/files/a.pdf'>PDF</a> <area href='/map'>"
        "<div id='menu'><a href='/item/1'>One</a><a href='/item/2#top'>Two</a><a href='/item/2'>Two again</a></div>"
        "<link href='/style.css' rel='stylesheet'><img src='/images/a.png'>"
    )


def _page(_site: Site, found: re.Match[str], *_: Any) -> Answer:
    number = int(found[1])
    quotes = "".join(
        f"<div class='quote'><span class='text'>Text {n}</span> by <small class='author'>Author {n % 2}</small>"
        f"<a href='/item/{n}'>more</a><div class='tags'><a class='tag'>t{n}</a><a class='tag'>all</a></div></div>"
        for n in range(number * PER_PAGE - 2, number * PER_PAGE + 1)
    )
    following = f"<li class='next'><a href='/page/{number + 1}'>Next</a></li>" if number < PAGES else ""
    return _html(f"<h1>Page {number}</h1>{quotes}<ul class='pager'>{following}</ul>")


def _item(_site: Site, found: re.Match[str], *_: Any) -> Answer:
    number = int(found[1])
    return _html(
        f"<h1 itemprop='name'> Item {number} </h1><p class='price'>EUR {number}.50</p><ul class='sizes'><li>S</li>"
        f"<li> M </li></ul><div class='desc has more'>Nice &amp; <b>new</b></div><a href='/page/1'>back</a>"
        f"<img src='/images/{number}.png'>",
        title=f"Item {number}",
    )


def _api(_site: Site, _found: Any, query: dict[str, str], *_: Any) -> Answer:
    page = int(query.get("page", "1"))
    return _json(
        {"items": [{"id": page * 10 + n, "name": f"é{n}"} for n in range(3)], "next": page + 1 if page < 3 else None}
    )


def _echo(_site: Site, _found: Any, query: dict[str, str], request: Any) -> Answer:
    method, _url, fields, body = request
    names = ("content-type", "cookie", "authorization", "x-test", "referer", "accept-language")
    kept = {name: _shown(name, fields[name]) for name in names if name in fields}
    return _json({"method": method, "query": query, "body": body.decode("latin-1"), "fields": kept})


def _redirect(_site: Site, found: re.Match[str], query: dict[str, str], *_: Any) -> Answer:
    status, left, to = int(found[1]), int(found[2]), query.get("to", "/item/1")
    return _html("moved", status, ("Location", f"/redirect/{status}/{left - 1}?to={to}" if left > 1 else to))


def _status(_site: Site, found: re.Match[str], *_: Any) -> Answer:
    return _html(f"<h1>Status {found[1]}</h1>", int(found[1]))


def _flaky(site: Site, found: re.Match[str], _query: Any, request: Any) -> Answer:
    return _html("flaky works") if site.count(request[1]) > int(found[2]) else _html("no", int(found[1]))


def _login(_site: Site, _found: Any, _query: Any, request: Any) -> Answer:
    method, _url, _fields, body = request
    if method == "POST":
        if "csrf=s3cret" not in body.decode() or "user=ann" not in body.decode():
            return _html("<h1>Wrong</h1>")
        return _html("", 302, ("Location", "/account"), ("Set-Cookie", "session=in; Path=/"))
    return _html(
        "<form id='search' name='find' action='/search'><input name='q' value='old'><input type='submit'></form>"
        "<form id='login' method='post' action='/login'><input type='hidden' name='csrf' value='s3cret'>"
        "<input name='user'><input name='pass' type='password'><input type='checkbox' name='keep' checked>"
        "<select name='lang'><option>en<option selected>de</select><textarea name='text'>a\nb</textarea>"
        "<input type='submit' name='go' value='Log in'><button name='other' value='x'>Other</button></form>",
        200,
        ("Set-Cookie", "visit=1; Path=/"),
    )


def _account(_site: Site, _found: Any, _query: Any, request: Any) -> Answer:
    return _html(f"<h1>{'Welcome' if 'session=in' in request[2].get('cookie', '') else 'Who?'}</h1>")


def _cookie(_site: Site, found: re.Match[str], *_: Any) -> Answer:
    return _html("set", 200, ("Set-Cookie", f"{found[1]}={found[2]}; Path=/"))


def _refused(*_: Any) -> Answer:
    raise Refused


def _timeout(*_: Any) -> Answer:
    raise TimedOut


def _robots(_site: Site, _found: Any, _query: Any, request: Any) -> Answer:
    host = urlsplit(request[1]).netloc
    lines = ("User-agent: *", "Disallow: /private", f"Sitemap: https://{host}/sitemap-index.xml", "")
    return _typed("text/plain", "\n".join(lines))


def _sitemap_index(*_: Any) -> Answer:
    names = "".join(
        f"<sitemap><loc>https://shop.test/{name}</loc><lastmod>2026-0{n}-01</lastmod></sitemap>"
        for n, name in enumerate(("sitemap-items.xml", "sitemap-news.xml.gz", "sitemap-old.xml"), 1)
    )
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return _typed("application/xml", f'<sitemapindex xmlns="{space}">{names}</sitemapindex>')


def _sitemap(_site: Site, found: re.Match[str], *_: Any) -> Answer:
    first = {"items": 1, "news": 5, "old": 9}[found[1]]
    urls = "".join(
        f"<url><loc>https://shop.test/item/{n}</loc><priority>0.{n}</priority>"
        f'<xhtml:link rel="alternate" hreflang="de" href="https://shop.test/de/item/{n}"/></url>'
        for n in range(first, first + 2)
    )
    spaces = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml"'
    body = f"<?xml version='1.0'?><urlset {spaces}>{urls}</urlset>".encode()
    if found[2]:
        return _typed("application/gzip", gzip.compress(body, mtime=0))
    return _typed("text/xml", body)


def _feed(*_: Any) -> Answer:
    items = "".join(
        f"<item><title>News {n}</title><link>https://shop.test/item/{n}</link><g:price>{n}.00</g:price>"
        f"<description><![CDATA[<p>Text {n}</p>]]></description></item>"
        for n in range(1, 4)
    )
    return _typed(
        "application/rss+xml",
        "<?xml version='1.0'?><rss xmlns:g='http://base.google.com/ns/1.0' version='2.0'>"
        f"<channel>{items}</channel></rss>",
    )


def _csv(*_: Any) -> Answer:
    return _typed("text/csv", "id;name;price\n1;'one; two';1.5\n2;three;2.5\n3;four\n")


ROUTES: Final[tuple[tuple[str, Callable[..., Answer]], ...]] = (
    ("/", _home),
    (r"/page/(\d+)", _page),
    (r"(?:/de)?/item/(\d+)", _item),
    ("/about|/map|/away|/private/.*", lambda *_: _html("<p>Some text</p><a href='/'>home</a>", title="About")),
    ("/api/items", _api),
    ("/api/bad", lambda *_: _typed("application/json", "{not json")),
    ("/echo", _echo),
    ("/search", _echo),
    (r"/redirect/(\d+)/(\d+)", _redirect),
    ("/utf-8", lambda *_: _html("", 302, ("Location", "/utf-8/é?q=ü"))),
    ("/utf-8/.*", lambda *_: _html("", 200, ("X-Text", "é"), ("x-text", "ü"))),
    ("/loop", lambda *_: _html("", 302, ("Location", "/loop?x"))),
    ("/refresh", lambda *_: _html("<meta http-equiv='refresh' content='0; url=/item/3'>")),
    (r"/status/(\d+)", _status),
    (r"/flaky/(\d+)/(\d+)", _flaky),
    ("/login", _login),
    ("/account", _account),
    (r"/cookie/(\w+)/(\w+)", _cookie),
    ("/refused", _refused),
    ("/timeout", _timeout),
    ("/robots.txt", _robots),
    ("/sitemap-index.xml", _sitemap_index),
    (r"/sitemap-(\w+)\.xml(\.gz)?", _sitemap),
    ("/feed.xml", _feed),
    ("/feed.csv", _csv),
    ("/files/.*", lambda *_: _typed("application/pdf", b"%PDF-1.4 \xe2\xe3\x00")),
    ("/images/.*", lambda *_: _typed("image/png", PNG)),
    ("/latin1", lambda *_: _typed("text/html; charset=iso-8859-1", "<p>caf\xe9</p>".encode("latin-1"))),
    ("/text", lambda *_: _typed("text/plain", "a=1\nb=2\n")),
    ("/empty", lambda *_: _typed("text/html", "")),
    ("/untyped", lambda *_: (200, [], b"<html><p>x</p></html>")),
    ("/gzipped", lambda *_: _typed("text/html", gzip.compress(b"<p>zip</p>", mtime=0), ("Content-Encoding", "gzip"))),
    (r"/tree/(\w+)", lambda _site, found, *_: _html(
        "".join(f"<a href='/tree/{found[1]}{branch}'>{branch}</a>" for branch in "ab") if len(found[1]) < 4 else "leaf",
        title=found[1],
    )),
)  # fmt: skip
"""Path patterns and what answers them."""
