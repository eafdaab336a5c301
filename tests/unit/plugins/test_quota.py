"""The plugin `quota`."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from crawler_plugins.quota import Quota
from trio.testing import MockClock

from crawler import ConfigError, Produced, Request, Response, Settings, Spider, crawl
from crawler.hooks.load import construct, load_plugin
from crawler.testing import FakeSite, Page, collect


class Numbers(Spider):
    settings = Settings(obey_robots=False, per_host=1)

    def start(self) -> Iterator[Request]:
        for n in range(60):
            yield Request(f"https://api.test/{n}")

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url}


def daily(limit: int = 50, window: float = 86_400.0) -> FakeSite:
    """A site that takes so many requests a day and says so."""
    used = 0

    def page(_: object) -> Page:
        nonlocal used
        used += 1
        left = max(0, limit - used)
        fields = {"RateLimit-Policy": f'"daily";q={limit};w={window:g}'}
        fields["RateLimit"] = f'"daily";r={left};t={window - trio.current_time():.0f}'
        if used > limit:
            return Page(status=429, headers={"Retry-After": f"{window - trio.current_time():.0f}"})
        return Page("x", headers=fields)

    return FakeSite({f"https://api.test/{n}": page for n in range(60)})


async def test_each_event_is_logged_once(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "crawler.quota"):
        await collect(Numbers(), daily(), plugins=[Quota()], settings=Settings(max_pages=49))
    told = [record.getMessage() for record in caplog.records if record.name == "crawler.quota"]
    low = [line for line in told if "quota daily of 50 is low, 10 left (20%)" in line]
    assert len(low) == 1, told
    assert low[0].startswith("https://api.test: ")
    assert ", resets at " in low[0]
    assert len(told) == len(set(told))


async def test_a_message_about_short_windows_is_logged_once_a_minute(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Many(Numbers):
        def start(self) -> Iterator[Request]:
            for n in range(240):
                yield Request(f"https://api.test/{n}")

    begun = used = 0.0

    def page(_: object) -> Page:
        nonlocal begun, used
        if trio.current_time() >= begun + 10:
            begun, used = trio.current_time(), 0
        used += 1
        left = begun + 10 - trio.current_time()
        return Page(
            "x",
            headers={"RateLimit-Policy": '"p";q=20;w=10', "RateLimit": f'"p";r={20 - used:.0f};t={math.ceil(left)}'},
        )

    site = FakeSite({f"https://api.test/{n}": page for n in range(240)})
    with caplog.at_level(logging.WARNING, "crawler.quota"):
        found = await collect(Many(), site, plugins=[Quota()])
    assert found.report.seconds > 90
    assert sum(" is low" in record.getMessage() for record in caplog.records) == 2


async def test_quota_stops_the_crawl_at_the_threshold(autojump_clock: MockClock) -> None:
    site = daily()
    found = await collect(Numbers(), site, plugins=[Quota(threshold=0.2, then="stop")])
    assert found.report.finished == "quota daily of https://api.test"
    assert found.report.exit_code() == 3
    assert len(site.log) == 40


async def test_quota_pauses_until_the_reset(autojump_clock: MockClock) -> None:
    site = daily(limit=30, window=600.0)
    found = await collect(
        Numbers(), site, plugins=[Quota(threshold=0.5, then="pause")], settings=Settings(max_pages=16)
    )
    assert found.report.pages == 16
    assert site.log[15].at >= 599.0 > site.log[14].at


async def test_other_policies_are_ignored(autojump_clock: MockClock) -> None:
    found = await collect(
        Numbers(), daily(), plugins=[Quota(threshold=0.5, then="stop", policies="hourly*")],
        settings=Settings(max_pages=30),
    )  # fmt: skip
    assert found.report.finished == "max_pages"


def test_quota_is_installed_and_its_options_are_converted_from_text() -> None:
    made = construct(load_plugin("quota"), {"threshold": "0.25", "then": "pause"}, what="plugin quota")
    assert isinstance(made, Quota)
    assert (made.threshold, made.then) == (0.25, "pause")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threshold": "1"}, "threshold must be a share from 0 to below 1"),
        ({"threshold": "-0.1"}, "threshold must be a share from 0 to below 1"),
        ({"then": "panic"}, "must be log, pause or stop, not 'panic'"),
        ({"webhook": "hooks.test/T0/secret"}, "webhook must be an http or https URL"),
        ({"command": "no-such-program -x"}, "no such program: no-such-program"),
        ({"command": "'"}, "cannot be split into arguments"),
        ({"pause": "0"}, "pause must be above 0 and at most 86400 seconds"),
        ({"every": "-1"}, "every must be from 0 to 86400 seconds"),
        ({"thresold": "0.5"}, "threshold"),
    ],
)
def test_bad_options_are_refused_in_one_line(options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        construct(Quota, options, what="plugin quota")
    assert "\n" not in str(caught.value)


def rising_and_falling(*remaining: int) -> FakeSite:
    """A site whose quota has so many of 100 units left after each request."""
    left = iter(remaining)

    def page(_: object) -> Page:
        return Page("x", headers={"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": f"{next(left)}"})

    return FakeSite({f"https://api.test/{n}": page for n in range(60)})


async def low_alerts(caplog: pytest.LogCaptureFixture, plugin: Quota, *remaining: int) -> list[str]:
    site = rising_and_falling(*remaining)
    await collect(Numbers(), site, plugins=[plugin], settings=Settings(max_pages=len(remaining), delay=1))
    return [message for record in caplog.records if " is low" in (message := record.getMessage())]


async def test_each_time_a_quota_becomes_low_there_is_one_alert(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    found = await low_alerts(caplog, Quota(every=0), 30, 20, 15, 10, 90, 60, 19, 18)
    assert [line.partition("low, ")[2].partition(",")[0] for line in found] == ["20 left (20%)", "19 left (19%)"]


async def test_a_quota_that_hovers_at_the_threshold_alerts_at_most_once_per_interval(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(await low_alerts(caplog, Quota(every=3600), *[20, 21] * 8)) == 1


async def test_the_report_counts_the_alerts_of_each_quota(autojump_clock: MockClock) -> None:
    found = await collect(Numbers(), daily(), plugins=[Quota()], settings=Settings(max_pages=49))
    counted = {name: n for name, n in found.report.counters.items() if name.startswith("quota daily of https://api")}
    assert counted["quota daily of https://api.test: low"] == 1
    assert found.report.lanes["https://api.test"]["quotas"]["daily"]["limit"] == 50


async def test_a_new_run_of_a_job_does_not_repeat_an_alert(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    site = daily()
    for pages in (42, 44):
        await crawl(
            Numbers(), plugins=[Quota(every=0)], job=tmp_path, transport=site.transport,
            settings=Settings(max_pages=pages),
        )  # fmt: skip
    assert sum(" is low" in record.getMessage() for record in caplog.records) == 1


async def test_alerts_reach_the_webhook_while_the_crawl_runs(autojump_clock: MockClock) -> None:
    hooks = FakeSite({"https://hooks.test/T0/secret": "ok"})

    class Hooked(Quota):
        name = "quota"
        transport = hooks.transport

    site = daily()
    found = await collect(
        Numbers(), site, plugins=[Hooked(webhook="https://hooks.test/T0/secret")], settings=Settings(max_pages=49)
    )
    assert len(hooks.log) == sum(n for name, n in found.report.counters.items() if name.startswith("quota "))
    assert list(found.report.lanes) == ["https://api.test"]
    assert found.report.requests == len(site.log)


async def test_an_alert_in_a_page_that_fails_is_counted(autojump_clock: MockClock) -> None:
    class Failing(Numbers):
        async def parse(self, response: Response) -> Produced:
            await self.crawl.fetch(Request("https://other.test/"))
            raise ValueError("broken")

    headers = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "1"}
    site = FakeSite({"https://api.test/0": "x", "https://other.test/": Page("x", headers=headers)})
    spider = Failing()
    spider.start = lambda: iter([Request("https://api.test/0")])  # type: ignore[method-assign]
    found = await collect(spider, site, plugins=[Quota()])
    assert found.report.failed == 1
    assert sum(name.endswith(": low") for name in found.report.counters) == 1
