"""``crawler shell``: Python with a page."""

from __future__ import annotations

from pathlib import Path

from support.localsite import Answer, local_site
from support.processes import PIPE

PAGES = {
    "/": "<title>One</title><a href='/two'>two</a>",
    "/two": "<title>Two</title>",
}


def test_code_has_the_page_and_prints_the_values_of_expressions(command):
    with local_site(PAGES) as site:
        code, out, err = command("shell", site.url, "-c", "response.css('title::text').get()\nx = 1; x + 1")
        assert (code, out, err) == (0, "'One'\n2\n", "")


def test_fetch_takes_a_url_or_a_request(command):
    with local_site(PAGES) as site:
        look = "response.css('title::text').get()"
        code, out, err = command("shell", site.url, "-c", f"_ = fetch(response.follow('/two')); {look}")
        assert (code, out, err) == (0, "'Two'\n", "")
        code, out, err = command("shell", "-c", f"print(response); _ = fetch('{site.url}two'); {look}")
        assert (code, out, err) == (0, "None\n'Two'\n", "")
        code, out, err = command("shell", site.url, "-c", "fetch(response.urljoin('/lost')).status")
        assert (code, out, err) == (0, "404\n", f"crawler: {site.url}lost returned 404 Not Found\n")


def test_view_writes_the_page_to_a_file_and_opens_it(command, tmp_path):
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    browser.chmod(0o755)
    with local_site(PAGES) as site:
        env = {"BROWSER": f"{browser} %s", "TMPDIR": str(tmp_path)}
        code, out, err = command("shell", site.url, "-c", "print(view())", env=env)
        assert (code, err) == (0, "")
        shown = Path(out.strip())
        assert opened.read_text() == shown.as_uri()
        assert shown.suffix == ".html"
        assert shown.read_text() == f'<base href="{site.url}">{PAGES["/"]}'


def test_without_a_terminal_code_is_read_from_standard_input(start):
    with local_site(PAGES) as site:
        process = start("shell", site.url, stdin=PIPE)
        out, err = process.communicate("for n in range(2):\n    print(n)\nresponse.status\n", timeout=60)
        assert (process.returncode, out, err) == (0, "0\n1\n200\n", "")


def test_an_exception_in_code_shows_its_own_frames_alone(command):
    code, out, err = command("shell", "-c", "def f():\n    1 / 0\nf()", traceback=True)
    assert (code, out) == (1, "")
    assert "crawler" not in err
    assert err.endswith("ZeroDivisionError: division by zero\n")
    assert command("shell", "-c", "raise SystemExit(7)")[0] == 7
    err = command("shell", "-c", "async def f():\n    1 / 0\nawait f()", traceback=True)[2]
    assert "crawler" not in err
    assert "trio" not in err


def test_a_common_mistake_in_code_gets_a_hint(command):
    err = command("shell", "-c", "None.strip()", traceback=True)[2]
    assert err.endswith("(a selector found nothing, so .get() returned None; .get('') returns an empty string)\n")


def test_a_failed_request_and_a_syntax_error_are_one_line(command):
    arguments = "-s", "attempts=1", "-s", "obey_robots=false"
    code, out, err = command("shell", "-c", "fetch('http://127.0.0.1:9/')", *arguments)
    assert (code, out, err) == (1, "", "crawler: connection refused by 127.0.0.1:9\n")
    assert command("shell", "-c", "1 +") == (2, "", "crawler: <code>:1: invalid syntax\n")
    assert (
        command("shell", "-c", "fetch('x.test')")[2] == "crawler: not a URL: 'x.test' (did you mean https://x.test?)\n"
    )


def test_code_may_await_and_keeps_cookies(command):
    def cookie(asked):
        return Answer(asked.headers.get("cookie") or "none", headers={"Set-Cookie": "visited=yes"})

    with local_site({"/": cookie}) as site:
        code = "import trio\nresponse.text\nawait trio.sleep(0)\nfetch(response.url).text"
        assert command("shell", site.url, "-c", code) == (0, "'none'\n'visited=yes'\n", "")
