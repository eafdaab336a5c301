"""A pytest plugin with which the crawls of Scrapy's own tests run on this engine.

`Crawler.crawl` and `Crawler.crawl_async` are those of this module: whatever starts a crawl in the process of a test
goes through them. Coroutines of tests run in trio, with the reactor of the bridge in the place of Twisted's.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import trio
from crawler_plugins.scrapy import ScrapySpider, creation, processes
from crawler_plugins.scrapy import spider as bridge
from crawler_plugins.scrapy.deferreds import result_of
from crawler_plugins.scrapy.reactor import TrioReactor
from scrapy.crawler import Crawler
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.python.failure import Failure

from crawler import ConfigError, crawl

DEADLINE: Final = 60.0
"""Seconds that a test has, at most: the slowest takes 10 s."""
RESULTS: Final = os.environ.get("RESULTS", "")
"""The file that gets the outcomes of the tests; empty for none."""
STARTED: Final = os.environ.get("STARTED", "")
"""The file that gets the ids of the tests that start a crawl; empty for none."""

apply_settings = Crawler._apply_settings
nurseries: list[trio.Nursery] = []
current: list[str] = []
outcomes: dict[str, str] = {}


# ---- tests -----------------------------------------------------------------------------------------------------------


def coroutine_test(function: Callable[..., Any]) -> Callable[..., None]:
    """Return a test that runs a function, which returns a coroutine or a Deferred, in trio."""

    @functools.wraps(function)
    def test(*args: Any, **kwargs: Any) -> None:
        trio.run(_in_trio, functools.partial(function, *args, **kwargs))

    return test


def inline_callbacks_test(function: Callable[..., Any]) -> Callable[..., None]:
    """Return a test that runs a generator of Deferreds in trio."""
    return functools.wraps(function)(coroutine_test(inlineCallbacks(function)))


async def _in_trio(function: Callable[[], Any]) -> None:
    """Call a function, and wait for its coroutine or Deferred."""
    reactor = TrioReactor.install()
    reactor.put_in_place()
    raised: BaseException | None = TimeoutError(f"the test takes longer than {DEADLINE:g} s")
    with trio.move_on_after(DEADLINE):
        async with trio.open_nursery() as nursery:
            await nursery.start(reactor.keep)
            nurseries.append(nursery)
            try:
                await result_of(function())
                raised = None
            except trio.Cancelled:
                raise
            except BaseException as error:  # of which the skips of pytest are some
                raised = error
            nurseries.remove(nursery)
            nursery.cancel_scope.cancel(reason="the test has ended")
    if raised is not None:
        raise raised


# ---- crawls ----------------------------------------------------------------------------------------------------------


async def crawl_async(self: Any, *args: Any, **kwargs: Any) -> None:
    """Crawl: takes the place of `Crawler.crawl_async`."""
    done = start(self, *args, **kwargs)
    loop = TrioReactor.install().loop
    await (done if asyncio.current_task(loop) is None else done.asFuture(loop))


def start(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Start a crawl: takes the place of `Crawler.crawl`."""
    done: Any = Deferred()
    if STARTED:
        with Path(STARTED).open("a", encoding="utf-8") as file:
            file.write(f"{current[-1]}\n")
    if self.crawling:
        done.errback(RuntimeError("Crawling already taking place"))
    elif self._started:
        done.errback(RuntimeError("Cannot run Crawler.crawl() more than once on the same instance."))
    else:
        self.crawling = self._started = True
        nurseries[-1].start_soon(_finish, done, self, args, kwargs)
    return done


async def _finish(done: Any, crawler: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        await _crawl(crawler, args, kwargs)
    except Exception as error:
        crawler.crawling = False
        done.errback(Failure(_cause_of(error)))
    else:
        done.callback(None)


def _cause_of(error: BaseException) -> BaseException:
    """Return what a component of the project raised, which Scrapy passes on: the cause of a `ConfigError`."""
    if isinstance(error, BaseExceptionGroup):
        return _cause_of(error.exceptions[0])
    return error if not isinstance(error, ConfigError) or error.__cause__ is None else _cause_of(error.__cause__)


async def _crawl(crawler: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Run a crawl with a `Crawler` that exists already, as its receivers of signals do."""

    def adopt(spider_class: Any, *_: object) -> Any:
        creation._refuse(spider_class.__name__, crawler.settings, spider_class)
        crawler.spider = crawler._create_spider(*args, **kwargs)
        crawler._apply_settings()
        return crawler

    bridge.create_crawler = adopt
    spider = ScrapySpider.of(crawler.spidercls, kwargs, base=crawler.settings)
    await crawl(spider, plugins=spider.feeds("error", None))


def _apply_settings(self: Any) -> None:
    """Apply the settings as the bridge does when it makes a crawler."""
    if not self.settings.frozen:
        creation._override(self.settings, creation.FORCED)
        creation._choose_extensions(self.settings)
    apply_settings(self)


# ---- hooks of pytest -------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: Any) -> None:
    """Note which test runs."""
    current[:] = [item.nodeid]


def pytest_runtest_logreport(report: Any) -> None:
    """Note the outcome of a test."""
    if report.when == "call" or report.outcome != "passed":
        outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    """Write the outcomes, unless this is a process of pytest-xdist."""
    if RESULTS and "PYTEST_XDIST_WORKER" not in os.environ:
        Path(RESULTS).write_text(json.dumps(outcomes), encoding="utf-8")


def pytest_configure(config: Any) -> None:
    """Take the place of Scrapy's engine, before the tests are imported."""
    from tests.utils import decorators

    config.addinivalue_line("markers", "flaky: tests that reach real sites, which do not run here")
    processes.install = lambda: None  # tests start crawls with `CrawlerRunner` while the reactor is installed
    ScrapySpider.prepare()
    decorators.coroutine_test, decorators.inline_callbacks_test = coroutine_test, inline_callbacks_test
    Crawler.crawl, Crawler.crawl_async, Crawler._apply_settings = start, crawl_async, _apply_settings
