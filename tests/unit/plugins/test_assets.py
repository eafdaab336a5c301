"""`Assets`."""

from __future__ import annotations

import pytest
from crawler_plugins.browser.assets import Assets

from crawler import Request, Response

URL = "https://site.test/app.js"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def response(body: bytes = b"run()", status: int = 200, **fields: str) -> Response:
    return Response(URL, status, {name.replace("_", "-"): value for name, value in fields.items()}, body)


def test_a_script_is_used_again_for_five_minutes_or_as_long_as_it_says() -> None:
    clock = Clock()
    assets = Assets(clock)
    kept = assets.keep(Request(URL), response())
    assert assets.fresh(Request(URL)) is kept
    assert assets.fresh(Request(URL, session="other")) is None
    clock.now = 301.0
    assert assets.fresh(Request(URL)) is None
    assets.keep(Request(URL), response(cache_control="public, max-age=1000"))
    clock.now = 1300.0
    assert assets.fresh(Request(URL)) is not None


@pytest.mark.parametrize("value", ["no-store", "private, max-age=60", "no-cache", "max-age=0"])
def test_assets_that_servers_forbid_to_store_are_not_reused(value: str) -> None:
    assets = Assets(Clock())
    assets.keep(Request(URL), response(cache_control=value))
    assert assets.fresh(Request(URL)) is None


@pytest.mark.parametrize("fields", [{"vary": "Accept, Cookie"}, {"vary": "*"}])
def test_assets_that_vary_by_user_are_not_kept(fields: dict[str, str]) -> None:
    assets = Assets(Clock())
    assets.keep(Request(URL), response(**fields))
    assert assets.fresh(Request(URL)) is None


def test_a_stale_script_is_requested_with_its_validators() -> None:
    clock = Clock()
    assets = Assets(clock)
    kept = assets.keep(Request(URL), response(cache_control="no-cache", etag='"1"', last_modified="then"))
    asked = assets.conditional(Request(URL))
    assert (asked.headers["if-none-match"], asked.headers["if-modified-since"]) == ('"1"', "then")
    assert assets.keep(asked, response(b"", 304)) is kept
    assert assets.fresh(Request(URL)) is kept
    assert "if-none-match" not in assets.conditional(Request("https://site.test/other.js")).headers


def test_errors_are_not_kept_and_remove_kept_assets() -> None:
    assets = Assets(Clock())
    assets.keep(Request(URL), response())
    assets.keep(Request(URL), response(b"gone", 410))
    assert assets.fresh(Request(URL)) is None


def test_the_least_recently_used_are_dropped() -> None:
    assets = Assets(Clock(), max_bytes=80)
    requests = [Request(f"{URL}?{number}") for number in range(9)]
    for request in requests[:8]:
        assets.keep(request, response(b"x" * 10))
    assert assets.fresh(requests[0]) is not None
    assets.keep(requests[8], response(b"x" * 10))
    assert [number for number, request in enumerate(requests) if assets.fresh(request) is None] == [1]
    assets.keep(requests[1], response(b"x" * 11))
    assert assets.fresh(requests[1]) is None, "one script never takes all of the memory"
