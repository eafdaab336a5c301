"""`Visit`: what one attempt says of a page."""

from __future__ import annotations

import pytest
from crawler_plugins.recrawl.snapshot import Snapshot
from crawler_plugins.recrawl.visit import Visit, is_kept, key_of

from crawler import Request, Response

URL = "https://site.test/"
PAGE = Snapshot(status=200, at=1.0, since=1.0, digest=b"x", etag='"1"')


def visit(before=PAGE, request=None, response=None, **options):
    made = Visit(key=b"k", request=request or Request(URL), before=before)
    if response is not None:
        made.take(response, 1e9, **{"is_conditional": True, "by_text": False} | options)
    return made


def test_a_request_with_conditions_of_its_own_gets_no_others():
    assert visit().conditional().headers.get("if-none-match") == '"1"'
    for name in ("Range", "If-None-Match", "if-modified-since"):
        request = Request(URL, headers={name: "x"})
        assert visit(request=request).conditional() is request


@pytest.mark.parametrize("status", [100, 206 + 200, 403, 429, 500, 503])
def test_a_response_that_is_not_definitive_changes_nothing(status):
    assert visit(response=Response(URL, status)).after is None


def test_a_304_says_nothing_without_conditions():
    assert visit(response=Response(URL, 304), is_conditional=False).after is None
    assert visit(response=Response(URL, 304)).change == "unchanged"


def test_a_page_that_moves_for_good_is_gone_and_one_that_is_elsewhere_for_a_time_is_not():
    moved = visit(response=Response(URL, 301, {"Location": "/b"}))
    assert (moved.change, moved.line()["location"], moved.is_handled) == ("gone", "/b", True)
    assert visit(response=Response(URL, 302, {"Location": "/b"})).after is None
    assert visit(Snapshot(), response=Response(URL, 302, {"Location": "/b"})).after.status == 302
    assert visit(response=Response(URL, 301)).after is None  # it says not where to


def test_only_the_main_text_is_compared():
    def page(token):
        words = "<p>" + "the same words, again and again, in a long paragraph. " * 20 + "</p>"
        return Response(URL, 200, {"Content-Type": "text/html"}, f"<script>{token}</script><main>{words}</main>")

    first = visit(Snapshot(), response=page("a"), by_text=True).after
    assert visit(first, response=page("b"), by_text=True).change == "unchanged"
    assert visit(first, response=page("b")).change == "changed"
    data = Response(URL, 200, {"Content-Type": "application/json"}, b"{}")
    assert visit(Snapshot(), response=data, by_text=True).change == "new"


def test_a_page_counts_when_it_was_handled_and_its_request_is_kept_in_any_case():
    request = Request(URL, "parse_it", errback="oops", plugins={"recrawl": {"url": URL}, "other": False}, meta={"a": 1})
    made = visit(Snapshot(), request=request.replace(redirects=("https://site.test/a",)), response=Response(URL))
    record = made.record("recrawl")
    assert (record.snapshot, record.handlers) == (None, "parse_it oops")
    kept = Request.from_json(record.request)
    assert (kept.plugins, kept.redirects, kept.meta, kept.callback) == ({"other": False}, (), {"a": 1}, "parse_it")
    made.is_handled = made.has_actions = True
    assert made.record("recrawl").snapshot.has_actions


def test_a_date_is_compared_with_the_clock_of_the_server():
    fields = {"Last-Modified": "Sat, 01 Jan 2000 01:00:00 GMT", "Date": "Sat, 01 Jan 2000 00:00:00 GMT"}
    assert visit(response=Response(URL, 200, fields)).after.modified == ""
    fields["Date"] = "Sat, 01 Jan 2000 02:00:00 GMT"
    assert visit(response=Response(URL, 200, fields)).after.modified == fields["Last-Modified"]


def test_requests_that_may_be_sent_again_by_themselves():
    assert is_kept(Request(URL))
    assert not is_kept(Request(URL, method="POST"))
    assert not is_kept(Request(URL, body=b"x"))
    assert not is_kept(Request(URL, dont_filter=True))


def test_sessions_have_pages_of_their_own():
    assert key_of(Request(URL)) == key_of(Request(URL, meta={"a": 1}))
    assert key_of(Request(URL)) != key_of(Request(URL, session="a"))
