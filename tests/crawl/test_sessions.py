"""A crawl that logs in: no page of a session that ends is lost, and a wrong password ends the crawl."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from support.callback_threads import use_threads
from support.club import FORM, HOST, ORDERS, Club, Members
from support.localsite import Answer, Asked, local_site
from trio.testing import MockClock

from crawler import (
    ConfigError,
    Crawl,
    Failure,
    Login,
    Plugin,
    Produced,
    Request,
    Response,
    Row,
    Settings,
    Spider,
    crawl,
    run,
)
from crawler.testing import FakeSite, Page, collect

__all__ = ["use_threads"]
ALL = list(range(ORDERS))
NO_HOME = {"/home": "hello"}
HTML = {"Content-Type": "text/html"}


def orders(items: list[Any]) -> list[int]:
    return sorted(item["order"] for item in items)


async def test_a_crawl_logs_in_before_the_first_page_and_keeps_csrf_tokens(autojump_clock: MockClock) -> None:
    club = Club(extra=NO_HOME)
    found = await collect(Members(), club.site)
    assert orders(found.items) == ALL
    assert club.logins == {"ada": 1}
    assert [visit.url for visit in club.site.log][:3] == [f"{HOST}/login", f"{HOST}/enter", f"{HOST}/home"]
    assert len(club.site.visits("/orders")) == 1


@pytest.mark.parametrize("lasts", [4, 5, 11])
async def test_a_session_that_ends_after_some_pages_loses_none(autojump_clock: MockClock, lasts: int) -> None:
    club = Club(lasts=lasts, extra=NO_HOME)
    found = await collect(Members(), club.site, settings=Settings(per_host=4))
    assert orders(found.items) == ALL
    assert (found.report.failed, found.report.exit_code()) == (0, 0)


@pytest.mark.parametrize("per_host", [4, 8, 16])
@pytest.mark.parametrize("delay", [0.0, 1.0])
async def test_sessions_of_two_pages_lose_none_however_many_requests_share_them(
    autojump_clock: MockClock, per_host: int, delay: float
) -> None:
    club = Club(lasts=2, extra=NO_HOME, delay=delay)
    found = await collect(Members(), club.site, settings=Settings(per_host=per_host, slow_start=False))
    assert orders(found.items) == ALL
    assert (found.report.failed, found.report.exit_code()) == (0, 0)
    assert club.logins["ada"] <= ORDERS


async def test_sessions_that_end_before_they_serve_a_page_end_the_crawl(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    club = Club(lasts=1, extra=NO_HOME)
    found = await collect(Members(), club.site)
    assert (found.report.finished, found.report.exit_code()) == ("login_failed", 4)
    assert club.logins["ada"] <= 13
    assert found.report.losses[0].message.endswith("the last 10 sessions have ended before they served a page")


async def test_eight_requests_that_come_back_logged_out_at_once_cause_one_login(autojump_clock: MockClock) -> None:
    club = Club(extra=NO_HOME, delay=1.0)

    class Ends(Members):
        def parse(self, response: Response) -> Produced:
            if response.url.endswith("/order/9"):
                club.sessions.clear()
            yield from super().parse(response)

    found = await collect(Ends(), club.site, settings=Settings(per_host=8, slow_start=False))
    assert orders(found.items) == ALL
    assert club.site.peak[HOST] == 8
    assert club.logins == {"ada": 2}


@pytest.mark.parametrize("expired", [Page("who are you?", 401), Page("<form id=login>", 200), Page("no", 403)])
async def test_a_status_a_selector_or_a_function_says_that_a_session_has_ended(
    autojump_clock: MockClock, expired: Page
) -> None:
    shown: Any = {401: 401, 403: lambda response: response.status == 403, 200: "#login"}[expired.status]
    club = Club(lasts=7, expired=expired, extra=NO_HOME)

    class Own(Members):
        login = Login(f"{HOST}/login", {"user": "ada", "password": "engine 1"}, expired=shown)

    found = await collect(Own(), club.site, settings=Settings(per_host=3))
    assert orders(found.items) == ALL


@pytest.mark.parametrize("again", [False, True])
async def test_a_wrong_password_ends_the_crawl_with_one_line_that_does_not_have_it(
    autojump_clock: MockClock, again: bool, caplog: pytest.LogCaptureFixture
) -> None:
    club = Club(users={"ada": "other"}, again=again, extra=NO_HOME)
    found = await collect(Members(), club.site)
    assert (found.items, found.report.finished, club.refused) == ([], "login_failed", 1)
    assert found.report.exit_code() == 4
    [loss] = found.report.losses
    assert loss.message.startswith(f"the login at {HOST}/login has failed: ")
    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.startswith(f"the login at {HOST}/login has failed: {'the login form again (' if again else ''}status ")
    assert "engine 1" not in caplog.text


async def test_a_page_that_the_account_may_not_have_fails_as_logged_out(autojump_clock: MockClock) -> None:
    club = Club(forbidden=frozenset({7, 23}), extra=NO_HOME)
    found = await collect(Members(), club.site, settings=Settings(per_host=3))
    assert orders(found.items) == [n for n in ALL if n not in (7, 23)]
    assert found.report.failures == {"logged_out": 2}
    assert sorted(found.report.samples["logged_out"]) == [f"{HOST}/order/23", f"{HOST}/order/7"]
    assert club.logins["ada"] <= 3


async def test_a_login_that_only_seems_to_succeed_ends_the_crawl(autojump_clock: MockClock) -> None:
    club = Club(lasts=0, extra=NO_HOME)
    found = await collect(Members(), club.site)
    assert found.report.finished == "login_failed"
    assert club.logins["ada"] == 2


async def test_several_accounts_have_cookies_and_logins_of_their_own(autojump_clock: MockClock) -> None:
    club = Club(lasts=10, users={"ada": "a", "bob": "b"}, extra=NO_HOME)

    class Both(Members):
        login = [Login(f"{HOST}/login", {"user": name, "password": name[0]}, session=name) for name in ("ada", "bob")]

        def start(self) -> Produced:
            for n in range(ORDERS):
                yield Request(f"{HOST}/order/{n}", session=("ada", "bob")[n % 2], dont_filter=True)

    found = await collect(Both(), club.site, settings=Settings(per_host=4))
    assert sorted((item["order"], item["user"]) for item in found.items) == [(n, ("ada", "bob")[n % 2]) for n in ALL]
    assert club.logins["ada"] >= 2 <= club.logins["bob"]


async def test_an_inline_fetch_logs_in_and_is_repeated(autojump_clock: MockClock) -> None:
    club = Club(lasts=5, extra=NO_HOME | {"https://start.test/": "x"})

    class Inline(Members):
        start_urls = ["https://start.test/"]

        async def parse(self, response: Response) -> Any:
            pages = [await self.crawl.fetch(Request(f"{HOST}/order/{n}")) for n in range(ORDERS)]
            return [{"order": int(page.css("h1::text").get() or -1)} for page in pages]

    found = await collect(Inline(), club.site)
    assert orders(found.items) == ALL


async def test_a_login_of_several_steps_and_one_by_json_with_a_token(autojump_clock: MockClock) -> None:
    def token(request: Any) -> Page:
        return Page({"token": "t7"}) if request.content == b'{"user":"ada","password":"secret"}' else Page("no", 401)

    def page(request: Any) -> Page:
        return Page("in") if request.headers.get("authorization") == "Bearer t7" else Page("no", 401)

    site = FakeSite({"/token": token, "/": page})
    seen: list[str] = []

    class Tokens(Spider):
        start_urls = ["https://site.test/"]
        settings = Settings(obey_robots=False)
        login = Login(
            "https://site.test/token",
            json={"user": "ada", "password": "secret"},
            headers=lambda response: {"Authorization": f"Bearer {response.json()['token']}"},
        )

        def parse(self, response: Response) -> Produced:
            yield {"text": response.text, "fields": list(response.request.headers)}

    assert (await collect(Tokens(), site)).items == [{"text": "in", "fields": []}]

    class Steps(Tokens):
        async def sign_in(self, session: str) -> Response:
            seen.append(session)
            first = await self.crawl.fetch(Request("https://site.test/token", session=session))
            assert first.status == 401
            return await self.crawl.fetch(
                Request("https://site.test/token", method="POST", json={"user": "ada", "password": "secret"})
            )

        login = Login(sign_in, url="https://site.test/token", headers=Tokens.login.headers)

    assert (await collect(Steps(), site)).items == [{"text": "in", "fields": []}]
    assert seen == [""]


async def test_a_job_that_is_stopped_resumes_its_session_and_keeps_no_password(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    club = Club(extra=NO_HOME)
    settings = Settings(max_pages=10)
    items = tmp_path / "orders.jsonl"
    job = tmp_path / "job"
    await crawl(Members(), settings=settings, job=job, outputs=[items], transport=club.site.transport)
    report = await crawl(Members(), job=job, outputs=[items], transport=club.site.transport)
    assert (report.finished, len(items.read_text().splitlines()), club.logins) == ("finished", ORDERS, {"ada": 1})
    for path in job.rglob("*"):
        assert path.is_dir() or b"engine 1" not in path.read_bytes()


async def test_a_job_with_a_wrong_password_goes_on_with_the_right_one(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    club = Club(users={"ada": "other"}, lasts=12, extra=NO_HOME)
    items, job = tmp_path / "orders.jsonl", tmp_path / "job"
    report = await crawl(Members(), job=job, outputs=[items], transport=club.site.transport)
    assert (report.finished, report.pages) == ("login_failed", 0)
    club.users["ada"] = "engine 1"
    nine = Settings(max_pages=9)
    report = await crawl(Members(), settings=nine, job=job, outputs=[items], transport=club.site.transport)
    club.users["ada"] = "changed"  # when the session ends
    report = await crawl(Members(), job=job, outputs=[items], transport=club.site.transport)
    assert report.finished == "login_failed"
    club.users["ada"] = "engine 1"
    report = await crawl(Members(), job=job, outputs=[items], transport=club.site.transport)
    assert (report.finished, len(items.read_text().splitlines())) == ("finished", ORDERS)


async def test_links_that_log_out_are_skipped_and_counted(autojump_clock: MockClock) -> None:
    club = Club(extra=NO_HOME)
    found = await collect(Members(), club.site)
    assert not club.site.visits("/logout")
    assert not club.site.visits("/out")
    assert found.report.filtered["logout"] >= 2

    club = Club(extra=NO_HOME)
    found = await collect(Members(), club.site, settings=Settings(skip_logout=False, per_host=4))
    assert club.site.visits("/logout")
    assert orders(found.items) == ALL


async def test_a_crawl_without_a_login_skips_logout_links_only_if_its_headers_have_a_cookie(
    autojump_clock: MockClock,
) -> None:
    site = FakeSite({"/": "<a href=/logout>x</a>", "/logout": "x"})

    class Plain(Members):
        start_urls = ["https://site.test/"]
        login = None

    await collect(Plain(), site, settings=Settings(headers={"Cookie": "id=7"}))
    assert not site.visits("/logout")
    await collect(Plain(), site, settings=Settings(headers={"Accept-Language": "de"}))
    assert len(site.visits("/logout")) == 1
    await collect(Plain(), site, settings=Settings(skip_logout=True))
    assert len(site.visits("/logout")) == 1


async def test_the_login_page_is_fetched_although_robots_txt_forbids_it(autojump_clock: MockClock) -> None:
    club = Club(extra=NO_HOME | {"/robots.txt": "User-agent: *\nDisallow: /login\nDisallow: /enter"})
    found = await collect(Members(), club.site, settings=Settings(obey_robots=True))
    assert orders(found.items) == ALL


async def test_a_crawl_with_one_request_at_a_time_does_not_wait_for_itself(autojump_clock: MockClock) -> None:
    club = Club(lasts=8, extra=NO_HOME)
    with trio.fail_after(3600):
        found = await collect(Members(), club.site, settings=Settings(per_host=1, workers=4, delay=0.5))
    assert orders(found.items) == ALL


async def test_a_login_page_without_the_form_names_its_forms(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    club = Club(extra=NO_HOME | {"/login": "<form action=/find><input name=q></form>"})
    found = await collect(Members(), club.site)
    assert found.report.finished == "login_failed"
    assert "no form with the fields 'user', 'password'; it has the form with 'q'" in caplog.text


async def test_a_login_that_is_misdeclared_starts_nothing(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    club = Club()

    class Missing(Members):
        login = Login(f"{HOST}/login", {"user": "ada", "password": "env:NO_SUCH_PASSWORD"})

    with pytest.raises(ConfigError, match="'NO_SUCH_PASSWORD' is not set"):
        await collect(Missing(), club.site)

    class Url(Members):
        login = f"{HOST}/login"

    with pytest.raises(ConfigError, match="login must be a Login"):
        await collect(Url(), club.site)
    assert not club.site.log


async def test_a_spider_may_have_a_callback_named_login(autojump_clock: MockClock) -> None:
    class Old(Members):
        start_urls = ["https://site.test/"]

        def login(self, response: Response) -> Produced:
            yield {"url": response.url}

        def parse(self, response: Response) -> Produced:
            yield response.follow("/a", self.login)

    found = await collect(Old(), FakeSite({"/": "x", "/a": "x"}))
    assert found.items == [{"url": "https://site.test/a"}]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("per_host", [1, 4])
async def test_a_login_does_not_wait_for_the_pages_that_wait_for_it_while_the_site_refuses(
    status: int, per_host: int, autojump_clock: MockClock
) -> None:
    """After a refusal one request goes alone: it is that of the login, not a page that has sent nothing yet."""
    refused = Page("no", status, headers={"Retry-After": "10"})
    club = Club(extra=NO_HOME, lasts=11)
    for url, page in list(club.site.pages.items()):
        refusals = iter([refused] * 3)

        def answer(request: Any, page: Any = page, refusals: Any = refusals) -> Any:
            return next(refusals, page if not callable(page) else None) or page(request)

        if url.endswith(("/login", "/orders", "/order/1")):
            club.site.pages[url] = answer
    with trio.fail_after(100_000):
        found = await collect(Members(), club.site, settings=Settings(per_host=per_host, slow_start=False))
    assert (orders(found.items), found.report.failed) == (ALL, 0)


@pytest.mark.parametrize("obey_robots", [False, True])
def test_a_crawl_with_a_delay_logs_in(obey_robots: bool, tmp_path: Path) -> None:
    """A delay counts from the bytes of the last request, which a page that waits for the login has not sent."""

    def order(asked: Asked) -> Answer:
        is_member = "id=" in asked.headers.get("cookie", "")
        return Answer("<h1>1</h1><p>ada</p>", headers=HTML) if is_member else Answer("who?", 401)

    enter = Answer("welcome", headers={"Set-Cookie": "id=ada1; Path=/"})
    pages = {"/order/1": order, "/order/2": order, "/login": Answer(FORM.format("t"), headers=HTML), "/enter": enter}
    with local_site(pages) as site:

        class Own(Members):
            start_urls = [f"{site.url}order/1", f"{site.url}order/2"]
            login = Login(f"{site.url}login", {"user": "ada", "password": "engine 1"})

        report = run(Own(), settings=Settings(delay=0.2, max_seconds=20.0, obey_robots=obey_robots))
    assert (report.pages, report.finished) == (2, "finished")
    times = [asked.at for asked in site.log if asked.path != "/robots.txt"]
    assert len(times) == 4
    assert all(later - earlier > 0.15 for earlier, later in itertools.pairwise(times))


async def test_the_pages_of_other_sites_and_those_that_say_so_need_no_login(autojump_clock: MockClock) -> None:
    club = Club(extra=NO_HOME | {"https://other.test/": "x"})

    class Public(Members):
        def start(self) -> Produced:
            yield Request("https://other.test/")
            yield Request(f"{HOST}/home", plugins={"sessions": False})

        def parse(self, response: Response) -> Produced:
            yield {"url": response.url}

    found = await collect(Public(), club.site)
    assert len(found.items) == 2
    assert not club.logins


async def test_a_failure_of_a_logged_out_page_reaches_its_errback(autojump_clock: MockClock) -> None:
    club = Club(forbidden=frozenset({1}), extra=NO_HOME)

    class Errback(Members):
        def start(self) -> Produced:
            yield Request(f"{HOST}/order/0")
            yield Request(f"{HOST}/order/1", errback=self.lost)

        def parse(self, response: Response) -> Produced:
            return None

        def lost(self, failure: Failure) -> Produced:
            yield {"lost": failure.request.url, "reason": failure.reason}

    found = await collect(Errback(), club.site, settings=Settings(per_host=1))
    assert found.items == [{"lost": f"{HOST}/order/1", "reason": "logged_out"}]


async def test_redirects_of_many_pages_to_one_target_are_counted_by_target(autojump_clock: MockClock) -> None:
    club = Club(extra=NO_HOME)

    class Without(Members):
        login = None
        start_urls = [f"{HOST}/order/{n}" for n in range(ORDERS)]

    spider = Without()
    found = await collect(spider, club.site)
    assert found.report.exit_code() == 4
    [line] = [loss.message for loss in found.report.losses if loss.kind == "redirected"]
    assert line.startswith(f"{ORDERS} pages were redirected to {HOST}/login (")
    assert spider.crawl.stats.redirected == {f"{HOST}/login": ORDERS}
    assert len(spider.crawl.stats.redirected_from[f"{HOST}/login"]) == 5


async def test_a_crawl_that_logs_itself_out_says_that_its_pages_were_redirected(autojump_clock: MockClock) -> None:
    club = Club(lasts=12, extra=NO_HOME)

    class ByHand(Members):
        login = None
        start_urls = [f"{HOST}/login"]

        def parse(self, response: Response) -> Produced:
            if response.url == f"{HOST}/login" and not club.logins:
                form = response.form(fields=["user", "password"])
                yield form.submit({"user": "ada", "password": "engine 1"}, callback=self.inside)
            yield from super().parse(response)

        def inside(self, response: Response) -> Produced:
            yield response.follow("/orders")

    found = await collect(ByHand(), club.site, settings=Settings(skip_logout=True))
    assert len(found.items) < ORDERS
    [line] = [loss.message for loss in found.report.losses if loss.kind == "redirected"]
    assert f" pages were redirected to {HOST}/login (" in line
    assert found.report.exit_code() == 4


@pytest.mark.parametrize("seconds", [0.7, 0.97, 1.3, 1.55])
async def test_a_job_that_is_interrupted_at_any_time_has_every_page_once(
    autojump_clock: MockClock, tmp_path: Path, seconds: float
) -> None:
    club = Club(lasts=9, extra=NO_HOME)
    items, job = tmp_path / "orders.jsonl", tmp_path / "job"
    settings = Settings(per_host=4)
    with trio.move_on_after(seconds):
        await crawl(Members(), settings=settings, job=job, outputs=[items], transport=club.site.transport)
    report = await crawl(Members(), settings=settings, job=job, outputs=[items], transport=club.site.transport)
    found = [json.loads(line)["order"] for line in items.read_text().splitlines()]
    assert (report.finished, report.failed, sorted(found)) == ("finished", 0, ALL)


@pytest.mark.usefixtures("use_threads")
def test_callbacks_in_several_processes_have_the_pages_of_the_session() -> None:
    club = Club(lasts=9, delay=0.0, extra=NO_HOME)
    items: list[Any] = []

    class Keep(Plugin):
        name = "keep"

        async def persist(self, batch: Sequence[Row]) -> None:
            items.extend(row.item for row in batch)

    settings = Settings(processes=2, per_host=4)
    report = run(Members(), settings=settings, outputs=[Keep()], transport=club.site.transport)
    assert (report.failed, orders(items)) == (0, ALL)
    assert report.filtered["logout"] >= 2


async def test_a_lifespan_may_fetch_pages_of_the_session(autojump_clock: MockClock) -> None:
    club = Club(extra=NO_HOME)
    seen: list[str] = []

    class Early(Members):
        @asynccontextmanager
        async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
            seen.append((await crawl.fetch(Request(f"{HOST}/order/3"))).text[:10])
            yield

    found = await collect(Early(), club.site)
    assert (seen, orders(found.items), club.logins) == (["<h1>3</h1>"], ALL, {"ada": 1})


async def test_the_proxy_of_a_login_is_that_of_all_requests_of_its_session(autojump_clock: MockClock) -> None:
    club = Club(extra=NO_HOME)
    seen: set[str | None] = set()

    class Proxied(Members):
        login = Login(f"{HOST}/login", {"user": "ada", "password": "engine 1"}, proxy="http://proxy.test:3128")

    class Note(Plugin):
        name = "note"

        async def fetch(self, request: Request, send: Any) -> Any:
            seen.add(request.proxy)
            return await send(request.replace(proxy=None))

    found = await collect(Proxied(), club.site, plugins=[Note()])
    assert orders(found.items) == ALL
    assert seen == {"http://proxy.test:3128"}
