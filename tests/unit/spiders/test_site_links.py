"""The links and forms of a page that lead on without scripts."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest
from support.cases import each

from crawler import Response
from crawler.spiders.site_links import MAX_BUTTONS, MAX_CONTROLS, MAX_FORMS, form_targets, leads_back, linked_urls

URL = "https://site.test/dir/page?old=1"


def page(body: str, *fields: tuple[str, str], kind: str = "text/html; charset=utf-8") -> Response:
    return Response(URL, headers=[("Content-Type", kind), *fields], body=body)


def forms(body: str, **options) -> list[str]:
    return [url.removeprefix("https://site.test") for url in form_targets(page(body), **options)]


def links(response: Response) -> list[str]:
    def keep() -> Generator[None, None, None]:
        found.extend((yield from linked_urls(response)))

    found: list[str] = []
    list(keep())
    return found


def test_links_come_in_order_and_once():
    response = page(
        "<a href=/1>1</a><area href=/2><iframe src=/3></iframe><link rel=next href=/4><area href=/1>"
        "<meta http-equiv=refresh content='9;url=/5'><form action=/form></form>",
        ("Link", "</7>; rel=next, </4>; rel=next"),
        ("Refresh", "1;url=/6"),
    )
    assert links(response) == [f"https://site.test/{n}" for n in (1, 2, 3, 4, 6, 5, 7)]


def test_the_links_of_a_large_page_are_read_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    response = page("".join(f"<area href=/{n}>" for n in range(10)) + "<link rel=next href=/next>")
    whole = links(response)
    assert list(linked_urls(response)) == []
    monkeypatch.setattr("crawler.spiders.site_links.LARGE", 0)
    monkeypatch.setattr(sys.modules["crawler.html.links"], "BATCH", 2)
    assert links(response) == whole
    assert len(list(linked_urls(response))) > 10


def test_a_body_that_is_not_html_has_links_in_its_header_fields_only():
    response = page("<a href=/1>", ("Link", "</7>; rel=next"), ("Refresh", "1;url=/6"), kind="application/json")
    assert links(response) == ["https://site.test/6", "https://site.test/7"]
    assert form_targets(page("<form action=/x>", kind="text/plain")) == []


@each(
    ("body", "targets"),
    [
        ("<form action=/go><select name=s><option>1<option>2</select></form>", ["/go?s=1"]),
        ("<form action=/go><input type=hidden name=h value=1><button>go</button></form>", ["/go?h=1"]),
        ("<form action=/go><button name=p value=1>1</button><button name=p value=2>2</button></form>",
         ["/go?p=1", "/go?p=2"]),
        ("<form action=/go><button>a</button><input type=submit></form>", ["/go"]),
        ("<form action=/go><button name=a></button><button name=b formaction=/other></button></form>",
         ["/go?a=", "/other?b="]),
        ("<base href=/base/><form action=go></form>", ["/base/go"]),
        ("<form><button name=p value=2></form>", ["/dir/page?p=2"]),
        ("<form method=post action=/go><button>a</button><button formmethod=get name=g></button></form>", ["/go?g="]),
        ("<form method=post action=/go></form><form method=dialog></form><form action='mailto:x'></form>", []),
        ("<form action=/go><button formmethod=dialog></button><button name=b></button></form>", ["/go?b="]),
        ("<form action=/search><input name=q><button name=b>go</button></form>", ["/search?q=&b="]),
        ("<form action=/search><input name=q required><button name=b>go</button></form>", []),
        ("<form action=/go></form><form action=/go></form>", ["/go"]),
        ("<template><form action=/go></form></template>", []),
        ("", []),
    ],
)  # fmt: skip
def test_forms_are_sent_as_they_are_if_they_get_a_page_and_have_no_empty_required_field(body, targets):
    assert forms(body) == targets


def test_forms_marked_nofollow_are_left_out_on_request():
    body = "<form action=/a rel=nofollow></form><form action=/b></form>"
    assert forms(body) == ["/a", "/b"]
    assert forms(body, skip_nofollow=True) == ["/b"]


def test_forms_and_buttons_are_bounded():
    many = "".join(f"<form action=/{n}></form>" for n in range(MAX_FORMS + 1))
    assert forms(many) == [f"/{n}" for n in range(MAX_FORMS)]
    buttons = "".join(f"<button name=b value={n}></button>" for n in range(MAX_BUTTONS + 1))
    assert forms(f"<form action=/x>{buttons}</form>") == [f"/x?b={n}" for n in range(MAX_BUTTONS)]
    assert forms("<form action=/x></form>" + "<input>" * MAX_CONTROLS) == ["/x"]
    assert forms("<form action=/x></form>" + "<input>" * (MAX_CONTROLS + 1)) == []


@pytest.mark.parametrize(
    ("target", "page_url", "back"),
    [
        ("https://a.test/x?q=", "https://a.test/x", True),
        ("https://a.test/x?q=&s=", "https://a.test/x?page=2", True),
        ("https://a.test/x?q=&sort=up", "https://a.test/x", False),
        ("https://a.test/search?q=", "https://a.test/x", False),
        ("https://a.test/x", "https://a.test/x", False),
    ],
)
def test_a_form_without_values_may_lead_back_to_its_page(target, page_url, back):
    assert leads_back(target, page_url) == back
