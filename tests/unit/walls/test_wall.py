"""Walls that were recorded, and good pages that look like one.

The walls are written from the templates that `crawler.walls.signatures` names, shortened to what tells them.
"""
# ruff: noqa: E501 - markup reads better in one line

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from crawler import Request, Response
from crawler.messages.request import set_position
from crawler.settings.settings import WallKind
from crawler.walls.suspicion import KINDS

RECORDED: Final = [json.loads(line) for line in Path(__file__).with_name("recorded.jsonl").read_text().splitlines()]


def response(found: dict[str, Any]) -> Response:
    headers = {"content-type": "text/html; charset=utf-8"} | found["headers"]
    request = set_position(Request(found["url"]), 0, tuple(found["redirects"]))
    return Response(found["url"], found["status"], headers, found["body"], request=request)


@pytest.mark.parametrize("found", RECORDED, ids=lambda found: f"{found['kind']}: {found['name']}")
def test_a_recorded_wall_is_found(found: dict[str, Any]) -> None:
    wall = response(found).wall
    assert wall is not None
    assert wall.kind == found["kind"]


def test_each_kind_is_recorded_and_can_be_accepted() -> None:
    assert {found["kind"] for found in RECORDED} == KINDS - {"soft_404"}  # which no page shows by itself
    assert {*get_args(WallKind)} == KINDS | {"all"}
    assert len(RECORDED) >= 60


TEXT: Final = "<p>" + "A sentence that readers came for, with a comma. " * 30 + "</p>"
MENU: Final = "".join(f"<a href='/{n}'>Part {n}</a> " for n in range(12))
RECAPTCHA: Final = (
    "<div class='g-recaptcha' data-sitekey=x></div><script src=https://www.google.com/recaptcha/api.js></script>"
)
SHELL: Final = "<noscript>Please enable JavaScript.</noscript><script src=/app.js></script>"
LOGIN: Final = "<form action=/login><input name=user><input type=password name=pass><button>Log in</button></form>"

GOOD: Final[dict[str, str]] = {
    "an article about Cloudflare's challenge": "<title>What “Just a moment...” means</title>"
    "<h1>Just a moment...</h1><pre>&lt;script&gt;window._cf_chl_opt = {}&lt;/script&gt;</pre>" + TEXT * 4,
    "a short note on a challenge": "<title>Just a moment...</title><p>Checking your browser before accessing this site is"
    " what the sentence says. I verified that it is not a robot.</p>",
    "an article with the code of Anubis in it": f"<title>Anubis</title><pre>/.within.website/x/cmd/anubis/</pre>{TEXT * 4}",
    "a page with Cloudflare's detections": f"<script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script>{TEXT}",
    "a short page with Cloudflare's detections": "<script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script>"
    "<h1>Imprint</h1><p>Example Ltd.</p>",
    "a page with Imperva's script": "<script src='/_Incapsula_Resource?SWJIYLWA=719d34d31c8e3a6e6fffd425f7e032f3'></script>"
    "<h1>Imprint</h1><p>Example Ltd., 1 Road, Town. Telephone 123456, verified.</p>",
    "a page with DataDome's tag": f"<script>window.ddjskey='x'</script><script src='https://js.datadome.co/tags.js'></script>{TEXT}",
    "a page with the sensor of HUMAN": f"<script>window._pxAppId='PX1'</script><script src=/px/init.js></script>{TEXT}",
    "a page with Akamai's sensor": f"<script src='/akam/13/abc'></script><script>bm_sz=1</script>{TEXT}",
    "a page with Kasada's script": f"<script src='/149e9513/p.js'></script><script>KPSDK.configure([])</script>{TEXT}",
    "a page with the script of AWS WAF": f"<script src='https://x.token.awswaf.com/x/challenge.js'></script>{TEXT}",
    "a contact form with reCAPTCHA": f"<h1>Contact</h1><form><input type=text name=name><textarea name=t></textarea>{RECAPTCHA}"
    "<button>Send, if you are human</button></form>",
    "a sign-up form with Turnstile": "<h1>Join</h1><form><input type=email name=mail><div class=cf-turnstile></div></form>"
    "<p>We verify your address.</p>",
    "a comment form with hCaptcha under an article": f"{TEXT}<form><textarea></textarea><div class=h-captcha></div></form>",
    "a login page that was asked for": f"<title>Log in</title>{LOGIN}",
    "a shop with a login form in its header": f"{LOGIN}{MENU}{TEXT}",
    "a page with a cookie banner": f"<div class=cookie-consent>We use cookies. <button>Accept</button></div>{MENU}{TEXT}",
    "a short page with a cookie banner": "<div id=consent>We use cookies. <button>Accept</button></div><h1>Hours</h1><p>9 to 5</p>",
    "a full page with a hint at JavaScript": f"{SHELL}{MENU}{TEXT}",
    "a short page with a hint at JavaScript": f"{SHELL}<h1>Opening hours</h1><p>Monday to Friday from nine to five, and on"
    " Saturdays until noon; closed in August.</p>",
    "a sentence about JavaScript": "<p>This library needs no JavaScript; it works with JavaScript disabled.</p>",
    "an app with its data in the page": f'{SHELL}<div id=root></div><script type=application/json>{{"a": 1}}</script>',
    "an app with its state in the page": f"{SHELL}<div id=root></div><script>window.__INITIAL_STATE__={{}}</script>",
    "a page with its content in noscript": f"<script src=/a.js></script><noscript>Enable JavaScript. {TEXT}</noscript>",
    "a page of frames": "<script src=/a.js></script><noscript>needs JavaScript</noscript><iframe src=/content></iframe>",
    "a gallery": "<noscript>needs JavaScript</noscript><script src=/a.js></script>" + "<img src=/a.jpg alt=''>" * 5,
    "a small page without links": "<html><title>x</title><p>It works!</p></html>",
    "an empty page": "<html><head><title>x</title></head><body></body></html>",
    "a page of a script alone": "<html><script>document.write('x')</script></html>",
    "an article on parked domains": f"<p>sedoparking.com, parkingcrew.net and others park domains.</p>{MENU}{TEXT * 4}",
    "a marketplace of domains": f"<h1>old.test is for sale</h1>{MENU * 3}{TEXT}<a href='https://dan.com/buy-domain/x'>x</a>",
}  # fmt: skip


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
def test_a_good_page_is_not_accused(body: str) -> None:
    assert Response("https://site.test/a", 200, {"content-type": "text/html"}, body).wall is None


@pytest.mark.parametrize(
    ("url", "redirects"),
    [
        ("https://site.test/en/a", ("https://site.test/a",)),
        ("https://site.test/login", ()),
        ("https://site.test/login?step=2", ("https://site.test/login",)),
        ("https://site.test/account", ("https://site.test/my",)),
    ],
    ids=["no login page", "asked for", "a login page leads on", "a page with a form for a password"],
)
def test_a_form_for_a_password_alone_is_no_wall(url: str, redirects: tuple[str, ...]) -> None:
    body = f"<h1>Log in</h1>{LOGIN}"
    assert response({"url": url, "redirects": redirects, "status": 200, "headers": {}, "body": body}).wall is None


def test_a_login_page_with_the_menu_of_its_site_is_no_wall() -> None:
    found = {"url": "https://site.test/login", "redirects": ("https://site.test/a",), "status": 200, "headers": {}}
    assert response(found | {"body": f"{MENU * 2}{LOGIN}"}).wall is None


@pytest.mark.parametrize("status", [403, 404, 410, 429, 500, 503])
def test_an_error_page_is_a_wall_only_if_it_is_a_challenge(status: int) -> None:
    for body in (SHELL, "<p>This domain is parked.</p>", "<h1>403 Forbidden</h1><hr>nginx", f"<h1>Log in</h1>{LOGIN}"):
        assert Response("https://site.test/a", status, {"content-type": "text/html"}, body).wall is None


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_no_wall(status: int) -> None:
    headers = {"location": "/login", "content-type": "text/html", "cf-mitigated": "challenge"}
    assert Response("https://site.test/a", status, headers, SHELL).wall is None


@pytest.mark.parametrize("value", ["block", "", "challenged"])
def test_only_the_documented_value_of_a_field_is_a_challenge(value: str) -> None:
    assert Response("https://site.test/a", 403, {"cf-mitigated": value}, "no").wall is None


def test_bytes_that_are_no_html_are_never_a_wall() -> None:
    for kind, body in (
        ("application/json", b'{"a": "window._cf_chl_opt"}'),
        ("application/pdf", b"%PDF window._cf_chl_opt"),
    ):
        assert Response("https://site.test/a", 200, {"content-type": kind}, body).wall is None
