"""The independent implementation itself: it reads pages as a browser does and maps URLs to files as nginx does."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from integration.nginx.nginx import read_log, serve
from integration.nginx.page import read
from integration.nginx.reachable import Found, locate, reachable, resolve

BASE = "http://host/folder/page?query"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a small site with every kind of file that a server treats specially."""
    root = tmp_path / "root"
    for name, text in {
        "index.html": """<title> Front
            page </title><a href=a.html#x><a href="a.html#y"><a href='sub?x=1&amp;y=2'><a href=gone.html>
            <a href="b%20c.html"><a href="b c.html"><a href=pic.png><a href=bare/><a href=https://else.example/>
            <a href="mailto:x@y"><a name=anchor><a href=linked.html>""",
        "a.html": "<base href=sub/><a href=deep.html>",
        "b c.html": "<title></title>",
        "sub/index.html": "<title>Sub</title><a href=../sub/><a href=?><a href=''>",
        "sub/deep.html": "<title>Deep</title><a href=/></a>",
        "bare/file.txt": "no index here",
        "pic.png": "<a href=not-a-page.html>",
        "unlinked.html": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "linked.html").symlink_to(root / "b c.html")
    return root


def test_reachable_pages_of_a_small_site(root: Path) -> None:
    assert reachable(root, "http://h/") == {
        "http://h/": Found(title="Front page", links=8),
        "http://h/a.html": Found(title=None, links=1),
        "http://h/b%20c.html": Found(title=None, links=0),
        "http://h/linked.html": Found(title=None, links=0),
        "http://h/pic.png": Found(title=None, links=0),
        "http://h/sub/?x=1&y=2": Found(title="Sub", links=3),
        "http://h/sub/": Found(title="Sub", links=2),
        "http://h/sub/?": Found(title="Sub", links=2),
        "http://h/sub/deep.html": Found(title="Deep", links=1),
    }


ODD = [
    "", "index.html", "sub", "sub/", "sub?x=1", "sub/?", "bare", "bare/", "gone", "a.html/", "sub/index.html",
    "b%20c.html", "%61.html", "a%zz.html", "a%00.html", "//a.html", "sub//deep.html", "sub%2Fdeep.html",
    "sub/%2e%2e/a.html", "linked.html", "a.html?", "pic.png?a=b",
]  # fmt: skip


def test_locate_finds_the_files_that_nginx_serves(root: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with serve({"root": root}, log=log) as urls, httpx.Client() as http:
        front = urls["root"]
        for path in ODD:
            place = locate(root, front.rstrip("/"), front + path)
            answer = http.get(front + path)
            if answer.has_redirect_location:
                answer = http.get(answer.next_request.url if answer.next_request else "")
            assert (place is not None) == (answer.status_code == 200), path
            if place is not None:
                assert (place[0], place[1].read_bytes()) == (str(answer.url), answer.content), path
    # nginx logs no URI for a request that it cannot parse.
    assert {hit.uri for hit in read_log(log)} - {""} >= {f"/{path}" for path in ODD} - {"/a%zz.html", "/a%00.html"}


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("", "http://host/folder/page?query"),
        ("#top", "http://host/folder/page?query"),
        ("?", "http://host/folder/page?"),
        (" a\tb\n", "http://host/folder/ab"),
        ("a b?c d", "http://host/folder/a%20b?c%20d"),
        ("é?é", "http://host/folder/%C3%A9?%C3%A9"),
        ("a\\b", "http://host/folder/a/b"),
        ("../../../x", "http://host/x"),
        (".", "http://host/folder/"),
        ("..", "http://host/"),
        ("/a//b/../c", "http://host/a//c"),
        ("//Other:80", "http://other/"),
        ("http:x", "http://host/folder/x"),
        ("https:/x", "https://x/"),
        ("HTTPS://Host:443/A?b#c", "https://host/A?b"),
        ("../https://else.example/", "http://host/https://else.example/"),
        ("mailto:a@b", None),
        ("javascript:void(0)", None),
    ],
)
def test_links_are_resolved_as_a_browser_does(href: str, url: str | None) -> None:
    assert resolve(BASE, href) == url


@pytest.mark.parametrize(
    ("html", "hrefs"),
    [
        ("<a href=1><A HREF='2'><a href=\"3\"><a href = 4 /><a/href=5>", ["1", "2", "3", "4", "5"]),
        ("<a href=1 href=2>", ["1"]),
        ("<a href><a>", [""]),
        ("<a href='x?a=1&amp;b=2&copy=3&copy;=4&#38;&unknown;'>", ["x?a=1&b=2&copy=3\u00a9=4&&unknown;"]),
        ("<!-- <a href=1> --><a href=2>", ["2"]),
        ("<script>'<a href=1>'</script><style><a href=2></style><a href=3>", ["3"]),
        ("<textarea><a href=1></textarea><title><a href=2></title><a href=3>", ["3"]),
        ("<template><a href=1><template></template><a href=2></template><a href=3>", ["3"]),
        ("<noscript><a href=1></noscript>", ["1"]),
        ("<a title='>' href=1>", ["1"]),
    ],
)
def test_links_are_found_as_a_browser_does(html: str, hrefs: list[str]) -> None:
    assert list(read(html.encode()).hrefs) == hrefs


def test_the_first_title_is_used_with_its_character_references_decoded() -> None:
    page = read("\ufeff<title>\n A &amp; <b>B</b>\t\u00e9 </title><title>C</title>".encode())
    assert page.title == "A & <b>B</b> \u00e9"


def test_a_page_that_is_not_utf_8_is_windows_1252() -> None:
    assert read(b"<title>\x80 \xe9</title>").title == "\u20ac \u00e9"
