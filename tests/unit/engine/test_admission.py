"""`Admission`: the scope first, then the `admit` hooks in their order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from crawler import Drop, Plugin, Request, Settings, Spider
from crawler.engine.admission import ADMIT_FAILED, Admission
from crawler.engine.tracebacks import ErrorLog
from crawler.hooks.table import HookTable
from crawler.messages.request import copy_unchecked
from crawler.scope import Scope

IN, OUT = "https://site.test/a", "https://other.test/a"


class Hook(Plugin):
    """A plugin whose `admit` is a function."""

    def __init__(self, function: Callable[[Request], Any], name: str = "hook") -> None:
        self.name = name
        self.function = function

    def admit(self, request: Request) -> Any:
        return self.function(request)


def admission(*hooks: Plugin, domains: Any = ("site.test",), **options: Any) -> Admission:
    settings = Settings(max_depth=2, obey_robots=False)
    scope = Scope.of(domains, settings)
    return Admission(scope, HookTable.build([Spider(), *hooks]), **options)


def admitted(made: Admission, *requests: Request) -> tuple[list[str], list[tuple[str, str]]]:
    """URLs of the requests that may enter, and what was refused."""
    filtered: list[tuple[str, str]] = []
    return [request.url for request in made.admit(requests, filtered)], filtered


def test_the_scope_decides_first() -> None:
    asked: list[str] = []
    made = admission(Hook(lambda request: asked.append(request.url)))
    deep = copy_unchecked(Request(IN), depth=3)
    assert admitted(made, Request(IN), Request(OUT), deep) == ([IN], [("scope", OUT), ("depth", IN)])
    assert asked == [IN]


def test_known_requests_are_left_out_unless_they_are_to_be_fetched_again() -> None:
    known = {IN, "POST " + IN + " "}
    made = admission(known=lambda: known)
    again, post, put = Request(IN, dont_filter=True), Request(IN, method="POST"), Request(IN, method="PUT")
    assert made.without_known([Request(IN), again, post, put, Request(OUT)]) == [again, put, Request(OUT)]


def test_a_hook_sees_the_request_of_the_hook_before_it() -> None:
    first = Hook(lambda request: request.replace(url=request.url + "?one"), "first")
    second = Hook(lambda request: request.replace(url=request.url + "&two"), "second")
    assert admitted(admission(first, second), Request(IN)) == ([IN + "?one&two"], [])


def test_a_hook_keeps_neither_depth_nor_redirects_from_being_counted() -> None:
    request = copy_unchecked(Request(IN), depth=2, redirects=(OUT,))
    [found] = admission(Hook(lambda _: Request(IN + "?new"))).admit([request], [])
    assert (found.url, found.depth, found.redirects) == (IN + "?new", 2, (OUT,))


def test_a_dropped_request_is_listed_with_its_reason_and_the_next_hook_is_not_called() -> None:
    asked: list[str] = []
    made = admission(Hook(lambda _: Drop("boring"), "first"), Hook(lambda request: asked.append(request.url), "second"))
    assert admitted(made, Request(IN)) == ([], [("boring", IN)])
    assert asked == []


def test_a_request_may_opt_out_of_a_plugin() -> None:
    made = admission(Hook(lambda _: Drop("boring")))
    assert admitted(made, Request(IN, plugins={"hook": False})) == ([IN], [])


def test_a_hook_that_raises_fails_its_request_and_is_logged_once_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(request: Request) -> None:
        raise ValueError(request.url)

    errors = ErrorLog()
    made = admission(Hook(broken), errors=errors)
    assert admitted(made, Request(IN), Request(IN + "2")) == ([], [(ADMIT_FAILED, IN), (ADMIT_FAILED, IN + "2")])
    errors.finish()
    assert caplog.messages == [
        f"hook.admit failed for {IN}: ValueError: {IN}",
        f"hook.admit failed 1 more time like this: ValueError: {IN}",
    ]
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert [record.exc_info is not None for record in caplog.records] == [True, False]


def test_a_hook_that_returns_something_else_fails_its_request(caplog: pytest.LogCaptureFixture) -> None:
    assert admitted(admission(Hook(lambda _: "no")), Request(IN)) == ([], [(ADMIT_FAILED, IN)])
    assert caplog.messages == [f"hook.admit failed for {IN}: returned str, not a Request or Drop"]


def test_without_scope_and_hooks_every_request_enters() -> None:
    scope = Scope.of(None, Settings(traps=False, skip_extensions=(), max_url_length=10**6))
    made = Admission(scope, HookTable.build([Spider()]))
    deep = copy_unchecked(Request(OUT), depth=99)
    assert made.admit([deep], []) == [deep]


def test_a_request_is_known_by_its_key_unless_it_is_made_again_on_purpose() -> None:
    made = admission(known=lambda: {Request(IN).key})
    assert made.is_known(Request(IN))
    assert not made.is_known(Request(IN, dont_filter=True))
    assert not made.is_known(Request(IN + "2"))


def test_each_page_gets_a_link_filter_of_its_own() -> None:
    made = admission(known=lambda: {Request(IN).key}, agent="bot", obey_nofollow=True)
    one, two = made.link_filter(), made.link_filter()
    assert one is not two
    assert (one.agent, one.obey_nofollow) == ("bot", True)
    assert Request(IN).key in one.known
    assert one.refuses(OUT, 1) == "scope"
    assert one.refuses(IN, 1) is None
