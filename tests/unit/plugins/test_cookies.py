"""`CookieSync`, and the form in which cookies come back. `test_browser_plugin` has whole crawls."""

from __future__ import annotations

from typing import Any

import attrs
from crawler_plugins.browser.cookies import CookieSync, set_cookie

from crawler.http.cookies import CookieJar

URL = "https://www.site.test/a"


class Crawl:
    """The cookies of a crawl."""

    def __init__(self, *fields: str) -> None:
        self.jar = CookieJar()
        self.jar.store("", URL, fields, 0.0)
        self.cookies = self

    def clock(self) -> float:
        return 0.0

    def matching(self, url: str, *, session: str) -> Any:
        return self.jar.matching(session, url, 0.0)

    def set(self, url: str, cookie: str, *, session: str) -> None:
        self.jar.store(session, url, [cookie], 0.0)

    def header(self) -> str:
        return self.jar.header("", URL, 0.0)


@attrs.define
class Tab:
    found: list[dict[str, Any]]
    given: list[dict[str, Any]] = attrs.field(factory=list)
    context: str = "context"

    @property
    def connection(self) -> Any:
        return self

    def post(self, method: str, **params: Any) -> None:
        self.given += params["cookies"]

    async def call(self, method: str, **params: Any) -> Any:
        return {"cookies": self.found}


def cookie(name: str, value: str, domain: str = "www.site.test", **fields: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "domain": domain, "path": "/", "expires": -1, **fields}


async def test_a_cookie_is_given_as_it_is_kept() -> None:
    crawl = Crawl("a=1; Path=/; HttpOnly", "b=2; Domain=site.test; Path=/; Secure; Max-Age=60")
    tab = Tab([])
    await CookieSync(crawl, tab, "", URL).push()  # type: ignore[arg-type]
    assert tab.given == [
        {"name": "a", "value": "1", "url": "https://www.site.test/", "path": "/", "secure": False, "httpOnly": True},
        {"name": "b", "value": "2", "url": "https://site.test/", "path": "/", "secure": True, "httpOnly": False,
         "domain": "site.test", "expires": 60.0},
    ]  # fmt: skip


async def test_cookies_of_scripts_are_kept_and_deleted_ones_forgotten() -> None:
    crawl = Crawl("a=1; Path=/", "b=2; Domain=site.test; Path=/", "same=3; Path=/")
    tab = Tab([cookie("same", "3"), cookie("new", "4", ".site.test", secure=True)])
    sync = CookieSync(crawl, tab, "", URL)  # type: ignore[arg-type]
    await sync.push()
    await sync.pull(URL)
    assert crawl.header() == "same=3; new=4"


async def test_a_cookie_that_a_server_set_during_rendering_wins() -> None:
    crawl = Crawl("a=1; Path=/", "b=1; Path=/")
    tab = Tab([cookie("a", "script"), cookie("b", "1")])
    sync = CookieSync(crawl, tab, "", URL)  # type: ignore[arg-type]
    await sync.push()
    for field in ("a=server; Path=/", "b=server; Path=/"):
        crawl.cookies.set(URL, field, session="")
    await sync.pull(URL)
    assert crawl.header() == "a=server; b=server"


def test_a_cookie_of_the_browser_as_a_field() -> None:
    assert set_cookie(cookie("a", "1", expires=100.5, httpOnly=True), 40.0) == "a=1; Path=/; Max-Age=60; HttpOnly"
    assert set_cookie(cookie("a", "1", ".site.test", secure=True), 0.0) == "a=1; Path=/; Domain=site.test; Secure"
