"""The hooks from outside: when each is called, the effect of its result, and the effect of an exception."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from support.trees import FREE, Follow
from trio.testing import MockClock

from crawler import (
    ConfigError,
    Crawl,
    CrawlFailed,
    Drop,
    Failure,
    Pause,
    Plugin,
    PluginError,
    Produced,
    Request,
    Response,
    Retry,
    Row,
    Settings,
    Spider,
    Stop,
    Usage,
    WouldExceedDeadline,
    crawl,
)
from crawler.testing import FakeSite, Page, collect

LINKS = {"/": "<a href='/a'>x</a><a href='/b'>x</a>", "/a": "x", "/b": "x"}


async def test_lifespans_nest_in_the_order_of_the_plugins(autojump_clock: MockClock) -> None:
    events: list[str] = []

    class Outer(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            events.append(f"{self.name} in {crawl is self.crawl}")
            yield
            events.append(f"{self.name} out {crawl.stats.pages}")

    class Inner(Outer):
        pass

    await collect(Follow(), FakeSite(LINKS), plugins=[Outer(), Inner()])
    assert events == ["outer in True", "inner in True", "inner out 3", "outer out 3"]


async def test_a_lifespan_that_raises_prevents_the_start(autojump_clock: MockClock) -> None:
    class Broken(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            raise OSError("no database")
            yield

    site = FakeSite(LINKS)
    with pytest.raises(CrawlFailed, match=r"broken.lifespan failed: OSError: no database"):
        await collect(Follow(), site, plugins=[Broken()])
    assert site.log == []


async def test_admit_changes_and_drops_requests(autojump_clock: MockClock) -> None:
    class Admit(Plugin):
        def admit(self, request: Request) -> Request | Drop | None:
            if request.url.endswith("/b"):
                return Drop("no b")
            return request.replace(headers={"X-Depth": str(request.depth)})

    site = FakeSite(LINKS)
    report = (await collect(Follow(), site, plugins=[Admit()])).report
    assert [(visit.url, visit.headers["x-depth"]) for visit in site.log] == [
        ("https://site.test/", "0"),
        ("https://site.test/a", "1"),
    ]
    assert report.filtered["no b"] == 1


async def test_an_admit_that_raises_fails_that_request(autojump_clock: MockClock) -> None:
    class Admit(Plugin):
        def admit(self, request: Request) -> None:
            if request.url.endswith("/b"):
                raise ValueError("b")

    report = (await collect(Follow(), FakeSite(LINKS), plugins=[Admit()])).report
    assert (report.pages, report.failed) == (2, 1)


async def test_answer_replaces_the_network_and_ignores_the_pace(autojump_clock: MockClock) -> None:
    class Cache(Plugin):
        async def answer(self, request: Request) -> Response | None:
            return Response(request.url, body="cached", headers={"Content-Type": "text/html"})

    sources: list[str] = []

    class Keep(Follow):
        def parse(self, response: Response) -> Produced:
            sources.append(f"{response.source} {response.text}")

    site = FakeSite({})
    started = trio.current_time()
    await collect(
        Keep(start_urls=[f"https://site.test/{n}" for n in range(9)]),
        site,
        plugins=[Cache()],
        settings=Settings(delay=60),
    )
    assert sources == ["cache cached"] * 9
    assert site.log == []
    assert trio.current_time() - started < 1


async def test_fetch_hooks_nest_in_the_order_of_the_plugins(autojump_clock: MockClock) -> None:
    events: list[str] = []

    class Outer(Plugin):
        async def fetch(self, request: Request, send: Any) -> Response:
            events.append(f"{self.name} before")
            response: Response = await send(request.replace(headers={**request.headers, f"x-{self.name}": "1"}))
            events.append(f"{self.name} after")
            return response

    class Inner(Outer):
        pass

    site = FakeSite({"/": "x"})
    await collect(Follow(), site, plugins=[Outer(), Inner()])
    assert events == ["outer before", "inner before", "inner after", "outer after"]
    assert {"x-outer", "x-inner"} <= set(site.log[0].headers)


async def test_a_fetch_that_returns_none_leaves_the_response_unchanged_and_sends_once(
    autojump_clock: MockClock,
) -> None:
    class Look(Plugin):
        async def fetch(self, request: Request, send: Any) -> None:
            await send(request)

    class Pass(Plugin):
        name = "pass"

        async def fetch(self, request: Request, send: Any) -> None:
            return None

    site = FakeSite({"/": "x"})
    report = (await collect(Follow(), site, plugins=[Pass(), Look()])).report
    assert (len(site.log), report.pages) == (1, 1)


async def test_a_fetch_may_retry_or_drop_the_request(autojump_clock: MockClock) -> None:
    class Ban(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            response = await send(request)
            if response.text == "banned":
                return Retry("banned", after=100)
            return Drop("useless") if response.text == "useless" else response

    site = FakeSite({"/": ["banned", "<a href='/u'>x</a>"], "/u": "useless"})
    started = trio.current_time()
    report = (await collect(Follow(), site, plugins=[Ban()])).report
    assert trio.current_time() - started >= 100
    assert (report.pages, report.retries, report.failed) == (1, 1, 0)
    assert report.filtered["useless"] == 1


async def test_a_fetch_may_return_a_request_that_takes_the_place_of_this_one(autojump_clock: MockClock) -> None:
    class Login(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            response = await send(request)
            return request.replace(url="https://site.test/b") if response.text == "go to b" else response

    class Depths(Follow):
        def parse(self, response: Response) -> Produced:
            yield {"url": response.url, "depth": response.request.depth}
            yield from response.follow_all()

    site = FakeSite(
        {"/": "<a href='/a'>x</a><a href='/b'>x</a><a href='/c'>x</a>", "/a": "go to b", "/b": "x", "/c": "x"}
    )
    found = await collect(Depths(), site, plugins=[Login()])
    assert sorted((item["url"][-1], item["depth"]) for item in found.items) == [("/", 0), ("b", 1), ("c", 1)]
    assert (found.report.requests, found.report.failed, found.report.redirects) == (4, 0, 1)


async def test_an_inline_fetch_goes_to_the_request_that_a_fetch_hook_returns(autojump_clock: MockClock) -> None:
    class Mirror(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            return request.replace(url="https://site.test/b") if request.url.endswith("/a") else await send(request)

    class Inline(Spider):
        start_urls = ("https://site.test/",)
        settings = FREE

        async def parse(self, response: Response) -> Any:
            return {"text": (await self.crawl.fetch(Request("https://site.test/a"))).text}

    site = FakeSite({"/": "x", "/b": "of the mirror"})
    found = await collect(Inline(), site, plugins=[Mirror()])
    assert found.items == [{"text": "of the mirror"}]
    assert [request.url for request in site.log] == ["https://site.test/", "https://site.test/b"]


async def test_a_fetch_hook_may_say_where_the_robots_txt_is(autojump_clock: MockClock) -> None:
    class Elsewhere(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            if request.url.endswith("/robots.txt"):
                return request.replace(url="https://site.test/rules")
            return await send(request)

    class Obedient(Follow):
        settings = Settings(obey_robots=True)

    pages = {"/": "<a href='/a'>x</a><a href='/b'>x</a>", "/a": "x", "/b": "x", "/rules": "User-agent: *\nDisallow: /a"}
    report = (await collect(Obedient(), FakeSite(pages), plugins=[Elsewhere()])).report
    assert (report.pages, report.filtered["robots"]) == (2, 1)


async def test_a_fetch_that_raises_fails_the_attempt(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Plugin):
        async def fetch(self, request: Request, send: Any) -> None:
            raise KeyError("x")

    report = (await collect(Follow(), FakeSite({"/": "x"}), plugins=[Broken()])).report
    assert (report.pages, report.failed, report.failures) == (0, 1, {"hook_error": 1})
    assert "broken.fetch failed for https://site.test/" in caplog.text


async def test_plugins_parse_every_page_in_addition_to_the_callback(autojump_clock: MockClock) -> None:
    class Titles(Plugin):
        def parse(self, response: Response) -> Produced:
            yield {"by": self.name}

    found = await collect(Follow(), FakeSite(LINKS), plugins=[Titles()])
    assert len(found.items) == 6


async def test_a_request_may_opt_out_of_a_plugin(autojump_clock: MockClock) -> None:
    class Titles(Plugin):
        def parse(self, response: Response) -> Produced:
            yield {"by": self.name}

    class Out(Follow):
        def start(self) -> Produced:
            yield Request("https://site.test/a", plugins={"titles": False})

    assert (await collect(Out(), FakeSite(LINKS), plugins=[Titles()])).items == [{"url": "https://site.test/a"}]


async def test_a_parse_hook_that_raises_fails_the_whole_page(autojump_clock: MockClock) -> None:
    class Broken(Plugin):
        def parse(self, response: Response) -> Produced:
            raise ValueError("x")

    found = await collect(Follow(), FakeSite({"/": "x"}), plugins=[Broken()])
    assert (found.items, found.report.failed) == ([], 1)


async def test_refine_changes_and_drops_items_in_order(autojump_clock: MockClock) -> None:
    class Mark(Plugin):
        async def refine(self, item: Any, response: Response) -> Any:
            await trio.sleep(1)
            return item | {"marked": True}

    class Only(Plugin):
        async def refine(self, item: Any, response: Response) -> Any:
            return None if item["marked"] and item["url"].endswith("/a") else Drop("not a")

    found = await collect(Follow(), FakeSite(LINKS), plugins=[Mark(), Only()])
    assert found.items == [{"url": "https://site.test/a", "marked": True}]
    assert found.report.dropped == {"not a": 2}


async def test_the_field_of_an_item_that_cannot_be_serialized_is_named(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Prices(Follow):
        def parse(self, response: Response) -> Produced:
            yield {"url": response.url, "price": response.css("b")[0], "title": response.css("b")[0]}

    found = await collect(Prices(), FakeSite({"/": "<b>9.50</b>"}))
    assert (found.items, found.report.failed) == ([], 1)
    words = "an item cannot be written as JSON: its field 'price': Encoding objects of type Selector is unsupported"
    assert words in caplog.text


@pytest.mark.parametrize("answer", [5, "text", [], Request("https://site.test/other")])
async def test_a_refine_that_does_not_return_an_item_is_reported(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    class Wrong(Plugin):
        async def refine(self, item: Any, response: Response) -> Any:
            return answer

    found = await collect(Follow(), FakeSite({"/": "x"}), plugins=[Wrong()])
    assert (found.items, found.report.failed) == ([], 1)
    words = f"returned {type(answer).__name__}, not an item or Drop"
    assert f"wrong.refine failed for https://site.test/: {words}" in caplog.messages


@pytest.mark.parametrize("hook", ["answer", "fetch"])
async def test_a_hook_that_fails_for_a_robots_txt_is_logged_with_its_traceback(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, hook: str
) -> None:
    class Broken(Plugin):
        async def answer(self, request: Request) -> Any:
            return 1 / 0 if hook == "answer" else None

        async def fetch(self, request: Request, send: Any) -> Any:
            return 1 / 0

    settings = Settings(obey_robots=True)
    await collect(Follow(), FakeSite({"/": "x"}), plugins=[Broken()], settings=settings)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert errors[0].getMessage() == (
        f"broken.{hook} failed for https://site.test/robots.txt: ZeroDivisionError: division by zero"
    )
    [(kind, _, trace)] = [record.exc_info for record in errors if record.exc_info]
    assert kind is ZeroDivisionError
    assert trace.tb_frame.f_code.co_name == hook


async def test_the_traceback_of_an_admit_that_raises_is_logged_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Plugin):
        def admit(self, request: Request) -> Any:
            raise KeyError(request.url)

    start = [f"https://site.test/{n}" for n in range(3)]
    await collect(Follow(start_urls=start), FakeSite({}), plugins=[Broken()])
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert errors[1].getMessage() == f"broken.admit failed 2 more times like this: KeyError: '{start[0]}'"
    assert [record.exc_info is not None for record in errors] == [True, False]


async def test_persist_sees_only_committed_items(autojump_clock: MockClock) -> None:
    class Half(Follow):
        def parse(self, response: Response) -> Produced:
            yield {"url": response.url}
            if response.url.endswith("/a"):
                raise ValueError("too late")
            yield from response.follow_all()

    rows: list[Row] = []

    class Keep(Plugin):
        async def persist(self, batch: Sequence[Row]) -> None:
            rows.extend(batch)

    await crawl(Half(), plugins=[Keep()], transport=FakeSite(LINKS).transport)
    assert sorted(row.item["url"] for row in rows) == ["https://site.test/", "https://site.test/b"]
    assert {row.page for row in rows} == {"https://site.test/", "https://site.test/b"}


async def test_measure_sees_every_attempt_and_may_pause_a_lane(autojump_clock: MockClock) -> None:
    seen: list[tuple[str, int]] = []

    class Meter(Plugin):
        def measure(self, usage: Usage) -> Pause | None:
            seen.append((usage.event, usage.requests))
            return Pause(50) if len(seen) == 1 else None

    site = FakeSite({"/": [Page(status=503), "<a href='/a'>x</a>"], "/a": "x"})
    await collect(Follow(), site, plugins=[Meter()])
    assert seen == [("refused", 1), ("answer", 2), ("recovered", 2), ("answer", 3)]
    assert site.log[1].at - site.log[0].at >= 50


async def test_measure_may_stop_the_crawl_with_exit_code_3(autojump_clock: MockClock) -> None:
    class Budget(Plugin):
        def measure(self, usage: Usage) -> Stop | None:
            return Stop("budget spent") if usage.requests >= 2 else None

    report = (await collect(Follow(), FakeSite(LINKS), plugins=[Budget()], settings=Settings(workers=1))).report
    assert report.finished == "budget spent"
    assert report.exit_code() == 3


async def test_a_measure_that_raises_ends_the_crawl(autojump_clock: MockClock) -> None:
    class Broken(Plugin):
        def measure(self, usage: Usage) -> None:
            raise ValueError("x")

    with pytest.raises(CrawlFailed, match=r"broken.measure failed: ValueError: x"):
        await collect(Follow(), FakeSite(LINKS), plugins=[Broken()])


async def test_failed_may_yield_items_and_its_exceptions_are_logged(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Lost(Plugin):
        async def failed(self, failure: Failure) -> Any:
            return [{"lost": failure.request.url, "reason": failure.reason}]

    class Broken(Plugin):
        async def failed(self, failure: Failure) -> None:
            raise ValueError("x")

    found = await collect(Follow(), FakeSite({"/": Page(status=500)}), plugins=[Lost(), Broken()])
    assert found.items == [{"lost": "https://site.test/", "reason": "status_500"}]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "broken.failed failed" in caplog.text


async def test_bad_plugins_are_refused_before_the_first_request(autojump_clock: MockClock) -> None:
    class Typo(Plugin):
        async def presist(self, batch: Sequence[Row]) -> None: ...

    class NotAsync(Plugin):
        def refine(self, item: Any, response: Response) -> Any: ...  # type: ignore[override]

    site = FakeSite(LINKS)
    for plugins, message in (
        ([Typo()], r"Typo.presist\(\) is not a hook \(did you mean persist\(\)\?\)"),
        ([NotAsync()], r"NotAsync.refine\(\) must be `async def`"),
        ([Plugin(), Plugin()], "two plugins have the name"),
        ([Plugin], "is a class: pass an instance, Plugin"),
    ):
        with pytest.raises(PluginError, match=message):
            await collect(Follow(), site, plugins=plugins)  # type: ignore[arg-type]
    assert site.log == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"settings": {"delay": 1}}, "settings must be Settings, as in Settings"),
        ({"plugins": 5}, "plugins must be a list, not 5"),
        ({"plugins": Plugin()}, "plugins must be a list, not <"),
        ({"outputs": "items.jsonl"}, "outputs must be a list, not 'items.jsonl'"),
        ({"outputs": [5]}, "an output is the name of a file or a plugin, not 5"),
        ({"job": 5}, "job must be the name of a folder or a URL, not 5"),
        ({"transport": 5}, "transport must be an httpx.AsyncBaseTransport, not 5"),
    ],
)
async def test_arguments_of_a_wrong_type_are_rejected_by_name(
    autojump_clock: MockClock, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        await crawl(Follow(), **given)


async def test_a_spider_has_its_own_plugins_and_settings(autojump_clock: MockClock) -> None:
    class Mark(Plugin):
        async def refine(self, item: Any, response: Response) -> Any:
            return item | {"marked": True}

    class Brings(Follow):
        plugins = [Mark()]
        settings = Settings(max_depth=0)

    found = await collect(Brings(), FakeSite(LINKS))
    assert found.items == [{"url": "https://site.test/", "marked": True}]


@pytest.mark.parametrize("spider", [Follow, "spider", None])
async def test_an_object_that_is_not_a_spider_is_rejected(autojump_clock: MockClock, spider: Any) -> None:
    with pytest.raises(ConfigError, match="not a spider"):
        await crawl(spider)


async def test_background_tasks_end_with_the_crawl_and_their_errors_end_it(autojump_clock: MockClock) -> None:
    class Ticker(Plugin):
        ticks = 0

        def __init__(self, *, fail: bool) -> None:
            self.fail = fail

        async def answer(self, request: Request) -> None:
            if not self.ticks:
                self.ticks = 1
                self.crawl.start_soon(self.tick)

        async def tick(self) -> None:
            while True:
                await trio.sleep(1)
                self.ticks += 1
                if self.fail:
                    raise OSError("ticker broke")

    site = FakeSite({"/": Page("x", delay=10.5)})
    quiet = Ticker(fail=False)
    await collect(Follow(), site, plugins=[quiet])
    assert quiet.ticks == 11
    with pytest.raises(CrawlFailed, match="OSError: ticker broke"):
        await collect(Follow(), site, plugins=[Ticker(fail=True)])


async def test_requests_may_be_added_outside_callbacks(autojump_clock: MockClock) -> None:
    class Feed(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            crawl.add(Request("https://site.test/a"))
            yield

    found = await collect(Follow(), FakeSite(LINKS), plugins=[Feed()], settings=Settings(max_depth=0))
    assert sorted(item["url"] for item in found.items) == ["https://site.test/", "https://site.test/a"]


async def test_each_plugin_has_its_own_state(autojump_clock: MockClock) -> None:
    class One(Plugin):
        def parse(self, response: Response) -> Produced:
            self.state["n"] = self.state.get("n", 0) + 1

    class Two(One):
        def parse(self, response: Response) -> Produced:
            self.state["n"] = 10

    one, two = One(), Two()
    await collect(Follow(), FakeSite(LINKS), plugins=[one, two])
    assert (one.state["n"], two.state["n"]) == (3, 10)


async def test_a_misspelt_hook_of_a_spider_is_warned_about(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Typo(Follow):
        async def presist(self, batch: Sequence[Row]) -> None: ...

    await collect(Typo(), FakeSite({"/": "x"}))
    assert "did you mean persist()?" in caplog.text


def test_a_spider_is_a_plugin() -> None:
    assert issubclass(Spider, Plugin)
    assert FREE.obey_robots is False


async def test_a_lifespan_that_cancels_itself_ends_the_crawl_with_one_line(autojump_clock: MockClock) -> None:
    class Impatient(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            with trio.move_on_after(5):
                yield

    with pytest.raises(CrawlFailed, match="impatient.lifespan cancelled the crawl"):
        await collect(Follow(), FakeSite({"/": Page("x", delay=100)}), plugins=[Impatient()])


async def test_a_lifespan_sees_why_a_crawl_failed_and_cannot_hide_it(autojump_clock: MockClock) -> None:
    seen: list[str] = []

    class Hide(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            try:
                yield
            except Exception as error:
                seen.append(type(error).__name__)

    class Broken(Follow):
        def start(self) -> Produced:
            raise OSError("no seeds")

    with pytest.raises(CrawlFailed, match="OSError: no seeds"):
        await collect(Broken(), FakeSite({}), plugins=[Hide()])
    assert seen == ["ExceptionGroup"]


IDIOMS = {
    "link": lambda page: [page.follow(link) for link in page.links()],
    "url": lambda page: [page.follow(link.url) for link in page.links()],
    "href": lambda page: [page.follow(href) for href in page.css("a::attr(href)").getall()],
    "selector": lambda page: [page.follow(anchor) for anchor in page.css("a")],
    "request": lambda page: [Request(page.urljoin(href)) for href in page.css("a::attr(href)").getall()],
    "options": lambda page: [page.follow(link, "parse", meta={"from": page.url}) for link in page.links()],
    "all": lambda page: list(page.follow_all()),
}


@pytest.mark.parametrize("idiom", IDIOMS)
async def test_known_links_are_counted_and_cost_no_hook_however_a_spider_writes_them(
    autojump_clock: MockClock, idiom: str
) -> None:
    """Each page links to all pages, twice: every idiom finds the same, and `admit` sees each new page."""

    class Everything(Spider):
        start_urls = ("https://site.test/0",)
        allowed_domains = ("site.test",)

        def parse(self, response: Response) -> Produced:
            yield {"url": response.url, "depth": response.depth}
            yield from IDIOMS[idiom](response)

    class Seen(Plugin):
        name = "seen"

        def __init__(self) -> None:
            self.urls: list[str] = []

        def admit(self, request: Request) -> None:
            self.urls.append(request.url)

    links = "".join(f"<a href='/{n}'>{n}</a><a href='{n}#top'>{n}</a>" for n in range(5))
    hook = Seen()
    found = await collect(Everything(), FakeSite({f"/{n}": links for n in range(5)}), plugins=[hook])
    assert sorted((item["url"], item["depth"]) for item in found.items) == [
        (f"https://site.test/{n}", min(n, 1)) for n in range(5)
    ]
    assert set(hook.urls) == {f"https://site.test/{n}" for n in range(5)}
    assert found.report.filtered["duplicate"] == (5 if idiom == "all" else 10) * 5 - 4
    assert len(hook.urls) == (5 if idiom == "all" else 9)  # twice on the page that links to it first


async def test_each_refine_hook_sees_all_items_of_a_page_before_the_next_hook_does(autojump_clock):
    seen = []

    class First(Plugin):
        async def refine(self, item, response):
            seen.append(("first", item["n"]))
            return Drop("two") if item["n"] == 2 else item | {"n": item["n"] * 10}

    class Second(Plugin):
        async def refine(self, item, response):
            seen.append(("second", item["n"]))

    class Three(Spider):
        start_urls = ["https://site.test/"]
        settings = Settings(obey_robots=False)

        def parse(self, response):
            yield from ({"n": n} for n in (1, 2, 3))

    found = await collect(Three(), FakeSite({"/": "x"}), plugins=[First(), Second()])
    assert seen == [("first", 1), ("first", 2), ("first", 3), ("second", 10), ("second", 30)]
    assert found.items == [{"n": 10}, {"n": 30}]
    assert found.report.dropped == {"two": 1}


async def test_a_state_that_a_lifespan_changes_at_its_end_is_kept_in_the_job(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    found: list[int] = []

    class Runs(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
            found.append(self.state.get("runs", 0))
            yield
            self.state["runs"] = self.state.get("runs", 0) + 1

    for _ in range(3):
        await crawl(Follow(), plugins=[Runs()], job=tmp_path / "job", transport=FakeSite(LINKS).transport)
    assert found == [0, 1, 2]


async def test_a_problem_that_a_plugin_reports_makes_the_exit_code_1(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Judge(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
            yield
            crawl.report_problem("too few of https://a:b@site.test/")

    found = await collect(Follow(), FakeSite(LINKS), plugins=[Judge()])
    assert found.report.problems == ["too few of https://***@site.test/"]
    assert (found.report.finished, found.report.exit_code()) == ("finished", 1)
    assert found.report.to_dict()["problems"] == found.report.problems
    assert [record.message for record in caplog.records] == found.report.problems


async def test_a_fetch_hook_that_raises_would_exceed_deadline_puts_the_request_off(autojump_clock: MockClock) -> None:
    class Later(Plugin):
        until = 0.0

        async def fetch(self, request: Request, send: Any) -> Response | None:
            self.until = self.until or self.crawl.clock() + 60
            if self.crawl.clock() < self.until:
                raise WouldExceedDeadline("not yet", retry_at=self.until, scope="mine", request=request)
            return None

    site = FakeSite(LINKS)
    found = await collect(Follow(), site, plugins=[Later()], settings=Settings(attempts=1))
    assert (found.report.pages, found.report.failed) == (3, 0)
    assert site.log[0].at >= 60


async def test_a_fetch_hook_may_wrap_the_responses_of_answer_hooks(autojump_clock: MockClock) -> None:
    class Kept(Plugin):
        async def answer(self, request: Request) -> Response:
            return Response(request.url, body="kept", headers={"Content-Type": "text/plain"})

    class Upper(Plugin):
        wraps_answers = True
        result: Any = None

        async def fetch(self, request: Request, send: Any) -> Any:
            response = await send(request)
            return self.result or Response(request.url, body=response.body.upper(), source=self.name)

    class Other(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            raise AssertionError("it does not wrap them")

    seen: list[tuple[str, str]] = []

    class Keeping(Follow):
        async def parse(self, response: Response) -> None:
            seen.append((response.text, response.source))
            seen.append(((await self.crawl.fetch(Request(response.url))).text, "inline"))

    upper = Upper()
    site = FakeSite({})
    await collect(Keeping(), site, plugins=[Other(), upper, Kept()])
    assert seen == [("KEPT", "upper"), ("KEPT", "inline")]
    assert site.log == []
    upper.result = Drop("no")
    report = (await collect(Keeping(), site, plugins=[upper, Kept()])).report
    assert report.failures == {"hook_error": 1}


async def test_plugins_read_and_set_cookies(autojump_clock: MockClock) -> None:
    class Cookies(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
            crawl.set_cookie("https://site.test/", "a=1; HttpOnly")
            crawl.set_cookie("https://site.test/", "b=2; Path=/x")
            crawl.set_cookie("https://site.test/", "c=3", session="other")
            with pytest.raises(ValueError, match="nowhere"):
                crawl.cookies("nowhere")
            yield

    plugin, site = Cookies(), FakeSite({"/": "x"})
    await collect(Follow(), site, plugins=[plugin])
    assert site.visits("/")[0].headers["cookie"] == "a=1"
    [cookie] = plugin.crawl.cookies("https://site.test/")
    assert (cookie.name, cookie.value, cookie.http_only) == ("a", "1", True)
    assert [cookie.name for cookie in plugin.crawl.cookies("https://site.test/x/", session="")] == ["b", "a"]
    assert [cookie.value for cookie in plugin.crawl.cookies("https://site.test/", session="other")] == ["3"]


async def test_a_fetch_hook_may_reach_the_server_by_other_means(autojump_clock: MockClock) -> None:
    class Other(Plugin):
        def __init__(self) -> None:
            self.times: list[float] = []

        async def fetch(self, request: Request, send: Any) -> Response:
            self.crawl.mark_sent()
            self.times.append(trio.current_time())
            return Response(request.url, body="x", headers={"Content-Type": "text/html"})

        @asynccontextmanager
        async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
            with pytest.raises(RuntimeError, match="for fetch hooks"):
                crawl.mark_sent()
            yield

    plugin = Other()
    spider = Follow(start_urls=[f"https://site.test/{number}" for number in range(4)])
    report = (await collect(spider, FakeSite({}), settings=Settings(delay=2.0), plugins=[plugin])).report
    assert [time - plugin.times[0] for time in plugin.times] == pytest.approx([0, 2, 4, 6], abs=0.1)
    assert (report.pages, report.requests) == (4, 4)
