"""Every parser of header fields, URLs and robots.txt takes time in proportion to its input, whatever a server sends."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import pytest
from support.growth import Parser, Unit, excess, fill, growing

from crawler import Response, content, urls
from crawler.content.link_header import parse_link_header
from crawler.errors import BadRedirect
from crawler.headers import Headers, product_token
from crawler.html.refresh import parse_refresh
from crawler.html.robots_directives import robots_directives
from crawler.http.cookies import CookieJar
from crawler.http.redirects import redirect_request, refresh_request
from crawler.http.robots import Robots, explain
from crawler.http.robots_rules import PathRules
from crawler.http.set_cookie import parse_cookie_date, parse_set_cookie
from crawler.limits.headers.field_names import parse_field_name
from crawler.limits.headers.reader import HeaderReader
from crawler.limits.headers.reset_times import parse_http_date, parse_reset, parse_time
from crawler.limits.headers.retry_after import parse_retry_after
from crawler.limits.headers.structured_fields import leading_number, parse_members, parse_policies
from crawler.limits.headers.vendors import VENDOR_PARSERS
from crawler.scope.domains import Domains
from crawler.scope.patterns import FileTypes, Patterns
from crawler.scope.traps import session_template, template, trap_of
from crawler.transport.decoding import parse_content_encoding
from crawler.transport.lenient_parser import LenientHTTP11Parser, ParseError

PAGE: Final = "https://e.com/"
NOW: Final = 1e9

URL_PARTS: Final[tuple[Unit, ...]] = (
    "\t", "\n", " ", "\0", "a", "A", "1", "/", "\\", "?", "#", "&", "=", "%", "%2", "%2e", "%41", "..", "../", "./",
    "a/", "@", ":", "[", "]", "é", "ü", "\u0301", "中", "xn--", "xn--a.", "a.", "-", ";", "h", "http", "http:",
    "http\t", "s", "p", ":\t", "*", ".", "|", "<", "%252525", "sid=", "jsessionid=", "(s(", "0", "&a=b", "&a{n}=b",
    "/{n}", "+", "~", ",", ".pdf", "a/../", ("a/", "../"), ("\t", "s", "\t"), ("a", "*b"),
)  # fmt: skip
VALUE_PARTS: Final[tuple[Unit, ...]] = (
    "1", "10;w=1, ", "10;w={n}, ", ", ", ",", ";", "; ", "=", '"a"', '"a";r=1;t=1, ', '"a{n}";q=1;w=1, ', '"', "\\",
    '\\"', ":", ":a:", "a", "a=", "a=1", "limit=10, remaining=5, reset=1", " ", "\t", "/", "1/2", "1/", "-", "1.", "s",
    "1s", "1h1m", "1ms", "jan", "Wed, 01 Jan 2030 00:00:00 GMT, ", "2030-01-01T00:00:00Z", "(", "GMT", "GMT+0000", "{",
    "[", "}", '{"a_count":1}', '{"a":[{"call_count":1}],', '"a{n}":[{"type":"b","call_count":1}],', "a{n}=1/2, ",
    "a;1,", "a;", "9", "é", ":1", "12:", "-1", "01 ", ("[", "]"), ("1, ", "a"),
)  # fmt: skip
COOKIE_PARTS: Final[tuple[Unit, ...]] = (
    "a=b", "a=b\n", "a{n}=b\n", "a{n}=b; path=/{n}\n", "; ", ";", "=", "; path=/", "; domain=e.com", "; secure",
    "; expires=", "; expires=Wed, 01 Jan 2030 00:00:00 GMT", "; max-age=1", "9", "1", "-", "a", " ", "\t", "\n", '"',
    ",", "\0", "é", ":", "01:01:01 ", "jan ", "__Host-", ".",
    "a{n}=b; domain=.e.com; expires=Wed, 01 Jan 2020 00:00:00 GMT\n",
)  # fmt: skip
LINK_PARTS: Final[tuple[Unit, ...]] = (
    "<a>", "<a>,", "<{n}>,", "<", "> ", "<a>; rel=next, ", ", ", ",", ";", "; ", "a", "; a=b", "; a{n}=b", "=", '"',
    '\\"', "\\", '; rel="next"', "; rel=next", "; title*=UTF-8''a", "; title*=", "%41", "'", " ", "\t", "; hreflang=a",
    '; anchor="#x"', "é", "\n", '<a>; rel="a b", ', ("<", "; a"), (" ", ";"), "http\t",
)  # fmt: skip
ROBOTS_PARTS: Final[tuple[Unit, ...]] = (
    "user-agent: *\n", "user-agent: bot\n", "user-agent: {n}\n", "user-agent: *,bot\n", "allow: /a\n",
    "disallow: /{n}\n", "disallow: /a*{n}*b\n", "disallow: *\n", "disallow: /*a$\n", "disallow: /*",
    "crawl-delay: 1\n", "request-rate: 1/1\n", "sitemap: /{n}\n", "sitemap: ", "sitemap: http\t", "\t", " ", "\n",
    "\r", "#", ":", "*", "$", "a", "/", "%41", "%", "a*", "user-agent: ", "*, ", ",", "Mozilla/", "compatible;",
    "Mozilla/ compatible ", "1", ".", "s", "é", "\0", "*a", ("user-agent: *\n", "disallow: /{n}\n"),
    ("user-agent: *\n", "crawl-delay: 1\n"), ("user-agent: *,bot\n", "disallow: /*{n}a\n"),
    ("disallow: /aaaa{n}\n", "user-agent: *\n"), "user-agent: *\ndisallow: /{n}\n", ("\t", "user-agent: a"),
)  # fmt: skip
FIELD_PARTS: Final[tuple[Unit, ...]] = (
    "a: b\n", "a{n}: b\n", "\n", ":", "x-ratelimit-limit-{n}: 10\n", "x-{n}-ratelimit-limit: 10\n",
    "x-ratelimit-limit: 10\n",
    ("x-ratelimit-limit-{n}: 10\n", "x-ratelimit-remaining-{n}: 10\n", "x-ratelimit-reset-{n}: 10\n"),
    "x-ratelimit-remaining: 5\n", "x-ratelimit-reset: 60\n", 'ratelimit: "a{n}";r=1;t=1\n',
    'ratelimit-policy: "a{n}";q=1;w=1\n', "ratelimit-limit: 10, 10;w={n}\n", "retry-after: 1\n",
    'x-app-usage: {{"a_count":{n}}}\n', "link: <a>;rel=b\n", "x-robots-tag: bot: noindex\n",
    "content-type: text/html;charset={n}\n", "x-ratelimit-scope: a\n", "x-ratelimit-reason: {n}\n",
    "date: Wed, 01 Jan 2030 00:00:00 GMT\n", "age: 0\n", "concurrency-limit: 1\n", "quota: {n}\n", "location: /{n}\n",
)  # fmt: skip


def _fields(text: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (line.partition(":") for line in text.split("\n"))]


def _read_fields(text: str) -> None:
    pairs = _fields(text)
    Headers(pairs).get("a")
    HeaderReader().read(pairs, status=429, sent=NOW, received=NOW)
    response = Response(PAGE, 302, pairs)
    assert response.link_header is not None
    assert response.robots is not None
    assert not response.is_html or response.encoding
    with suppress(BadRedirect):
        redirect_request(response, max_redirects=5)


def _read_url(text: str) -> None:
    url = urls.join(PAGE, text)
    if url is not None:
        urls.origin(url), urls.host(url), urls.split_userinfo(url)
    with suppress(ValueError):
        urls.normalize(text)


def _follow(text: str) -> None:
    with suppress(BadRedirect):
        redirect_request(Response(PAGE, 302, {"Location": text}), max_redirects=5)
    refresh_request(Response(PAGE, 200, {"Refresh": f"1;url={text}"}), max_delay=5, max_redirects=5)


def _store_cookies(text: str) -> None:
    jar = CookieJar()
    jar.store("", PAGE, text.split("\n"), NOW)
    jar.header("", PAGE, NOW)


def _send_cookies(text: str) -> None:
    jar = CookieJar()
    jar.store("", PAGE, ["a=b"], NOW)
    url = urls.join(PAGE, text)
    if url is not None:
        jar.store("", url, ["a=b; path=/"], NOW)
        jar.header("", url, NOW)


def _read_robots(text: str) -> None:
    rules = Robots.parse(f"user-agent: *\n{text}".encode("utf-8", "replace"), "bot/1", f"{PAGE}robots.txt")
    rules.allows(f"{PAGE}{'a/b/' * 100}?c=/d")


RULES: Final = PathRules([(False, path) for path in ("/a*b*c$", "/*a*a*a*b", "/x", "/*a/", "/*?*=*&$", "/*a$")])
MANY_RULES: Final = PathRules([(bool(n % 2), f"/*{n}a*b{n}$") for n in range(100)])


def _check_robots(text: str) -> None:
    for url in (PAGE + text, text):
        RULES.allows(url)
        MANY_RULES.allows(url)


PATTERNS: Final = Patterns("include", ["/a*b*c*d", "*a*b*.pdf", "https://*/a*a*a*b"])
DOMAINS: Final = Domains(["e.com"])
FILE_TYPES: Final = FileTypes(["pdf", "media"])


def _check_scope(text: str) -> None:
    url = PAGE + text
    PATTERNS.match(url), DOMAINS.match(url), FILE_TYPES.match(url)
    trap_of(url), template(url), session_template(url)


def _read_type(text: str) -> None:
    content.detect_encoding(b"abc", text), content.is_html(text, b""), content.is_xhtml(text)


def _feed_lenient(text: str) -> None:
    for step in (64, 4096):
        parser = LenientHTTP11Parser(has_body=True, max_headers=2**22)
        data = text.encode("utf-8", "replace")
        with suppress(ParseError):
            for at in range(0, len(data), step):
                parser.feed(data[at : at + step])


def _field(name: str) -> Callable[[str], Any]:
    return lambda value: HeaderReader().read([(name, value), ("date", value)], status=429, sent=NOW, received=NOW)


HEAD: Final = "HTTP/1.1 200 OK\r\n"
LENIENT_PARTS: Final[tuple[Unit, ...]] = (
    "HTTP/1.1 100 C\r\n\r\n", "a: b\r\n", "a", "\r", "\n", "content-length: 5\r\n", "content-length: 5,", ":",
    "1\r\nx\r\n", "transfer-encoding: chunked\r\n", "0\r\n", "5;", "a;b", "\t", " ", "é", "\0", "1",
)  # fmt: skip
PARSERS: Final[dict[str, Parser]] = {
    "URLs": (_read_url, URL_PARTS, (("", ""), ("http", "!"), ("//", "/"), ("//", "@e.com/"), ("?", "!"))),
    "Location, Refresh": (_follow, URL_PARTS, (("", ""),)),
    "robots.txt of a URL": (_check_robots, URL_PARTS, (("", ""),)),
    "scope and traps": (_check_scope, URL_PARTS, (("", ""),)),
    "cookies of a URL": (_send_cookies, URL_PARTS, (("//", "/"),)),
    "header fields": (_read_fields, FIELD_PARTS, (("", ""),)),
    "Set-Cookie": (lambda text: parse_set_cookie(text, PAGE, NOW), COOKIE_PARTS, (("", ""), ("a=b; expires=", ""))),
    "cookie jar": (_store_cookies, COOKIE_PARTS, (("", ""),)),
    "cookie dates": (parse_cookie_date, COOKIE_PARTS, (("", ""),)),
    "Link": (
        lambda text: parse_link_header(text, PAGE), LINK_PARTS,
        (("", ""), ("<a>;", ""), ('<a>; rel="', ""), ("<a>; title*=UTF-8''", "")),
    ),
    "X-Robots-Tag": (
        lambda text: robots_directives([text], None, "bot"),
        ("noindex", ", ", ",", ":", ": ", "bot:", "unavailable_after:", "unavailable_after: wed, ", "mon", " ", "\t",
         "a{n},", "max-snippet:1", "é", "*", ("bot:", "noindex,")),
        (("", ""), ("bot:", "")),
    ),
    "Content-Type": (
        _read_type, ("text/html", ";", "charset=", "=", "a", '"', "\\", "'", " ", ",", "\t", "/", "text/", ",a/{n}"),
        (("", ""), ('text/html; charset="', "")),
    ),
    "Content-Encoding": (lambda text: parse_content_encoding([text]), ("gzip", ",", " ", "a,"), (("", ""),)),
    "Refresh": (
        parse_refresh, ("1", ".", ";", ",", " ", "\t", "url", "url=", "'", '"', "="), (("", ""), ("1;url", "")),
    ),
    "User-Agent": (
        product_token, ("Mozilla/", "compatible", "compatible;", ";", " ", "\t", "(", "a", "/", "Mozilla/ compatible "),
        (("", ""), ("Mozilla/5.0 (", ""), ("Mozilla/ compatible", "")),
    ),
    "robots.txt": (
        _read_robots, ROBOTS_PARTS,
        (("", ""), ("disallow: /a", ""), ("sitemap: http", ""), ("crawl-delay: 1", "!"), ("request-rate: 1", "!")),
    ),
    "robots.txt for display": (lambda text: explain(text.encode(), "bot", f"{PAGE}a"), ROBOTS_PARTS[-6:], (("", ""),)),
    "Retry-After": (lambda text: parse_retry_after(text, now=NOW), VALUE_PARTS, (("", ""),)),
    "times": (lambda text: parse_time(text, now=NOW), VALUE_PARTS, (("", ""),)),
    "resets": (lambda text: parse_reset(text, sent=NOW, received=NOW), VALUE_PARTS, (("", ""),)),
    "Date": (parse_http_date, VALUE_PARTS, (("", ""),)),
    "lists": (parse_members, VALUE_PARTS, (("", ""), ("a=", ""))),
    "policies": (parse_policies, VALUE_PARTS, (("", ""),)),
    "numbers": (leading_number, VALUE_PARTS, (("", ""),)),
    "names of fields": (parse_field_name, ("-", "x-", "limit", "-limit", "ratelimit", "_", "reset", "a"), (("", ""),)),
    "lenient HTTP/1": (
        _feed_lenient, LENIENT_PARTS, (("", ""), (HEAD, ""), (f"{HEAD}transfer-encoding: chunked\r\n\r\n", "")),
    ),
} | {
    f"limits: {name}": (_field(name), VALUE_PARTS, (("", ""),))
    for name in (*VENDOR_PARSERS, "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit",
                 "quota", "ratelimit-policy", "x-ratelimit-reason", "x-ratelimit-interval", "concurrency-limit",
                 "retry-after")
}  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_linear_time(name: str) -> None:
    assert growing(PARSERS[name]) == {}


@pytest.mark.parametrize("unit", ROBOTS_PARTS)
def test_the_rules_of_a_file_take_memory_in_proportion_to_its_size(unit: Unit) -> None:
    body = fill(unit, 30_000).encode()
    most = min(_peak(partial(Robots.parse, body, "bot/1", f"{PAGE}robots.txt")) for _ in range(2))
    assert most < 60 * len(body) + 500_000


def _peak(parse: Callable[[], object]) -> int:
    """Return the most memory that a call needs, in bytes: its own, and what other code needs at its first call."""
    tracemalloc.start()
    try:
        parse()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_growth_is_noticed() -> None:
    def quadratic(text: str) -> list[int]:
        return [text[:at].count("b") for at in range(0, len(text), 200)]

    # A doubtful measurement shows no growth, and those of a busy machine are often doubtful.
    assert any(excess(quadratic, lambda size: "a" * size) for _ in range(10))
    assert not excess(lambda text: [text.count("b") for _ in range(100)], lambda size: "a" * size)
