"""Runs the spiders of Scrapy projects by Scrapy and by this framework on the same canned answers, and compares.

::

    pip install -e '.[scrapy]' PACKAGES-OF-THE-PROJECT
    python tests/bench/scrapy_projects.py PROJECT... [--most 100] [--seed 1] [--spider NAME]... [--processes 2] [--show]

A project is a folder with a ``scrapy.cfg``, outside of this repository. Nothing is sent: see `canned_answers`. Each
crawl has a process of its own. If both differ, Scrapy crawls again, with the oldest request first, which is the order
here: what differs between its two runs, by chance or by that order, does not count.
Compared are requests (method, URL, body), items, exceptions and statistics. Spiders that Scrapy cannot run are left
out, as are crawls of more than 400 requests. The exit code is 1 if less than 99 % of the compared spiders are equal.
"""
# a program that prints

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import random
import re
import resource
import signal
import socket
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from canned_answers import CannedAnswers, TooMany, example
from fitted_content import FittedContent
from itemadapter import ItemAdapter, is_item

PARTS: Final = ("requests", "items", "errors", "stats")
STATS: Final = re.compile(
    r"item_|response_received_count|finish_reason|spider_exceptions/|httperror/|downloader/response_status_count"
    r"|offsite/filtered|dupefilter/filtered|atp/|retry/"
)
TIMES: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.]*(?:Z|[+-]\d\d:?\d\d)?|\b1[6-9]\d{8}(?:\d{3})?\b|0x[0-9a-f]+|\d{8}_\d{6}"
)
SETTINGS: Final = {
    "ADDONS": {}, "AUTOTHROTTLE_ENABLED": False, "CLOSESPIDER_TIMEOUT": 0, "CLOSESPIDER_TIMEOUT_NO_ITEM": 0,
    "DOWNLOAD_DELAY": 0, "DOWNLOAD_HANDLERS": {}, "FEEDS": {}, "HTTPCACHE_ENABLED": False, "JOBDIR": None,
    "LOG_ENABLED": False, "MEMUSAGE_ENABLED": False, "RANDOMIZE_DOWNLOAD_DELAY": False, "ROBOTSTXT_OBEY": False,
    "TELNETCONSOLE_ENABLED": False,
}  # fmt: skip
"""Settings of both, which take precedence over those of the project."""
OLDEST_FIRST: Final = {"SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue"}
"""The order of requests here, which decides which of two items with one identity is kept, and how deep a page is."""
PRELOADED: Final = (
    "crawler_plugins.scrapy", "httpx", "integration.scrapy.with_scrapy", "scrapy.core.downloader", "scrapy.core.engine",
    "trio.testing", "twisted.internet.asyncioreactor",
)  # fmt: skip
"""Modules that are imported once for all crawls."""
SECONDS: Final = 60
"""Of CPU time for a crawl."""
LATENCY: Final = 0.01
"""Seconds that a response takes: the requests of a start are known before pages lead to the same URLs."""

Outcome = dict[str, Any]


# ---- one crawl -------------------------------------------------------------------------------------------------------


class Recorder:
    """Keeps items and errors."""

    def __init__(self, crawler: Any) -> None:
        from scrapy import signals

        self.items: list[Any] = []
        self.errors: Counter[str] = Counter()
        crawler.signals.connect(self.item, signals.item_scraped)
        crawler.signals.connect(self.error, signals.spider_error)
        crawler.signals.connect(self.error, signals.item_error)

    def item(self, item: Any) -> None:
        self.items.append(item)  # others who hear of it may change it

    def texts(self) -> list[str]:
        """Return the items in a form that can be compared."""
        return [TIMES.sub("TIME", json.dumps(plain(item), sort_keys=True, default=str)) for item in self.items]

    def error(self, failure: Any) -> None:
        self.errors[failure.type.__name__] += 1


def plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, dict) or is_item(value):
        return {str(key): plain(one) for key, one in ItemAdapter(value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return value if isinstance(value, (str, int, float, bool, type(None))) else TIMES.sub("TIME", repr(value))


def paths_of(spider_class: Any) -> list[str]:
    """Return paths that the rules of a spider allow, so that it finds pages."""
    patterns = [rule[0] for rule in getattr(spider_class, "sitemap_rules", ()) if isinstance(rule[0], str)]
    for rule in getattr(spider_class, "rules", ()):
        patterns += [found.pattern for found in getattr(rule.link_extractor, "allow_res", ())]
    return list(filter(None, map(example, patterns)))


def outcome(site: CannedAnswers, crawler: Any, recorder: Recorder) -> Outcome:
    """Return what a crawl did."""
    counted = crawler.stats.get_stats().items()
    return {
        "exceeded": site.is_exceeded,
        "requests": dict(Counter(TIMES.sub("TIME", json.dumps(call)) for call in site.calls)),
        "items": dict(Counter(recorder.texts())),
        "errors": dict(recorder.errors),
        "stats": {name: value for name, value in counted if STATS.match(name) and isinstance(value, (int, str))},
    }


def by_scrapy(spider_class: Any, settings: Any) -> Outcome:
    """Crawl by Scrapy."""
    from crawler_plugins.scrapy.reactor import TrioReactor
    from integration.scrapy import with_scrapy
    from scrapy import Spider
    from scrapy.core.engine import ExecutionEngine
    from scrapy.core.spidermw import SpiderMiddlewareManager
    from scrapy.crawler import AsyncCrawlerRunner
    from scrapy.exceptions import DownloadConnectionRefusedError
    from scrapy.utils.defer import deferred_from_coro
    from scrapy.utils.reactor import install_reactor

    class Handler(with_scrapy.Handler):
        async def download_request(self, request: Any) -> Any:
            await asyncio.sleep(LATENCY)
            try:
                return await super().download_request(request)
            except TooMany:
                crawler.engine.close_spider(crawler.spider, "too many")
                raise DownloadConnectionRefusedError("too many") from None

    for name in ("crawl", "download"):
        setattr(ExecutionEngine, name, _taking_a_spider(getattr(ExecutionEngine, name)))
    TrioReactor.uninstall()
    if "start_requests" in vars(Spider):  # an alias of this framework, which calls `start`
        del Spider.start_requests
    Spider.start = with_scrapy.start
    SpiderMiddlewareManager._get_process_spider_output = staticmethod(with_scrapy.output_method)
    install_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
    from twisted.internet import reactor

    settings.set("TWISTED_REACTOR", "twisted.internet.asyncioreactor.AsyncioSelectorReactor", priority="cmdline")
    settings.set("DOWNLOAD_HANDLERS", {"http": Handler, "https": Handler}, priority="cmdline")
    runner = AsyncCrawlerRunner(settings)
    crawler = runner.create_crawler(spider_class)
    crawler.site = CannedAnswers(paths_of(spider_class), FittedContent(spider_class))
    recorder = Recorder(crawler)
    failed: list[Any] = []

    async def crawl() -> None:
        await runner.crawl(crawler)

    done = deferred_from_coro(crawl())
    done.addErrback(failed.append)
    done.addBoth(lambda _: reactor.stop())
    reactor.run(installSignalHandlers=False)
    if failed:
        raise failed[0].value
    return outcome(crawler.site, crawler, recorder)


def _taking_a_spider(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of the engine that takes the spider, too, as in the versions of Scrapy that support that."""

    def call(self: Any, request: Any, _spider: Any = None) -> Any:
        return method(self, request)

    return call


def by_bridge(spider_class: Any, settings: Any) -> Outcome:
    """Crawl by this framework."""
    import httpx
    import trio
    import trio.testing
    from crawler_plugins.scrapy import ScrapySpider

    from crawler import crawl

    site = CannedAnswers(paths_of(spider_class), FittedContent(spider_class))

    async def handle(request: httpx.Request) -> httpx.Response:
        await trio.sleep(LATENCY)
        fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers.raw}
        try:
            status, sent, body = site.answer(request.method, str(request.url), fields, request.read())
        except TooMany:
            spider.crawl.stop("too many")
            raise httpx.ConnectError("too many", request=request) from ConnectionRefusedError()
        return httpx.Response(status, headers=sent, content=b"" if request.method == "HEAD" else body, request=request)

    spider = ScrapySpider.of(spider_class, base=settings)
    recorder = Recorder(spider.scrapy)

    async def run() -> None:
        await crawl(spider, transport=httpx.MockTransport(handle))

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0.01))
    return outcome(site, spider.scrapy, recorder)


ENGINES: Final[dict[str, Callable[[Any, Any], Outcome]]] = {
    "scrapy": by_scrapy, "bridge": by_bridge, "again": by_scrapy,
}  # fmt: skip
"""Scrapy crawls again if both differ."""


# ---- processes -------------------------------------------------------------------------------------------------------


class Child:
    """A call of a function in a process of its own."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._place = tempfile.TemporaryFile("w+")  # noqa: SIM115 - until the result is read
        self._pid = os.fork()
        if self._pid == 0:
            try:
                found = function(*args)
            except BaseException as error:
                found = {"failed": f"{type(error).__name__}: {error}"[:300], "trace": traceback.format_exc()[-3000:]}
            json.dump(found, self._place)
            self._place.flush()
            os._exit(0)

    def result(self) -> Any:
        """Wait, and return what the function returned, in JSON; ``{"failed": reason}`` if it raised."""
        _, status = os.waitpid(self._pid, 0)
        with self._place as place:
            if status:
                return {"failed": f"ended by signal {os.WTERMSIG(status)}", "trace": ""}
            place.seek(0)
            return json.load(place)


def crawl_by(engine: str, spider_class: Any, settings: Any) -> Outcome:
    """Return what an engine does with a spider."""
    _isolate()
    return ENGINES[engine](spider_class, settings)


def _isolate() -> None:
    """Let a process reach nothing, wait for nothing, and end."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    signal.alarm(SECONDS * 3)
    random.seed(1)

    def refuse(*_args: object, **_options: object) -> Any:
        raise socket.gaierror(-2, "no network")

    socket.getaddrinfo = refuse
    socket.socket.connect = refuse
    time.sleep = lambda _seconds: None
    logging.disable()
    warnings.simplefilter("ignore")
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends


def spiders_of(folder: Path, only: list[str], most: int, seed: int) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name, the class and the settings of the spiders of a project."""
    from crawler_plugins.scrapy.project import Project

    project = Project(folder)
    loader = project._spiders()
    names = [name for name in only if name in loader.list()] if only else sorted(loader.list())
    if most and len(names) > most:
        names = random.Random(seed).sample(names, most)
    for name in names:
        yield name, loader.load(name), project.settings


def is_compared(found: dict[str, Outcome]) -> bool:
    """Return whether the crawl by Scrapy, if there has been one, can be compared."""
    theirs = found.get("scrapy", {})
    return "failed" not in theirs and not theirs.get("exceeded")


def compared(found: dict[str, Outcome]) -> tuple[str, list[str]]:
    """Return what came of the crawls of a spider, ``equal``, ``differs`` or why they are not compared; and how."""
    theirs, ours, again = (found[engine] for engine in ENGINES)
    if "failed" in theirs or "failed" in again:
        failed = theirs if "failed" in theirs else again
        return "not run by Scrapy", [failed["failed"], failed.get("trace", "")]
    if theirs["exceeded"] or again["exceeded"]:
        return "too many requests", []
    if "failed" in ours:
        return "differs", [ours["failed"], ours.get("trace", "")]
    lines = []
    for part in PARTS:
        one, two, mine = theirs[part], again[part], ours[part]
        lines += [
            f"{part}: {key}: {one.get(key)} by Scrapy, {mine.get(key)} here"
            for key in sorted(one.keys() | mine.keys())
            if one.get(key) == two.get(key) != mine.get(key)
        ]
    return ("differs" if lines else "equal"), lines


def run_project(folder: Path, options: argparse.Namespace) -> Counter[str]:
    """Compare the spiders of one project, and print its line."""
    os.chdir(folder)
    for module in PRELOADED:
        import_module(module)
    spiders = list(spiders_of(folder, options.spider, options.most, options.seed))
    gc.collect()
    gc.freeze()  # or each crawl would look through all modules of the project
    end = time.monotonic() + options.minutes * 60
    parts = [Child(run_part, spiders[n :: options.processes], options, end) for n in range(options.processes)]
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for part in [part.result() for part in parts]:
        if "failed" in part:
            raise RuntimeError(part["failed"])
        counts += Counter(part["counts"])
        reasons += Counter(part["reasons"])
    for reason, n in reasons.most_common(20):
        print(f"  not compared: {n} x {reason}")
    words = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
    print(f"{folder.name}: {words}", flush=True)
    return counts


def run_part(spiders: list[tuple[str, Any, Any]], options: argparse.Namespace, end: float) -> dict[str, Any]:
    """Compare some spiders of a project, and print those that differ."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for name, spider_class, settings in spiders:
        if time.monotonic() > end:
            break
        found: dict[str, Outcome] = {}
        for engine in ENGINES:
            if is_compared(found) and (engine != "again" or found["scrapy"] != found["bridge"]):
                copied = settings.copy()
                copied.setdict(SETTINGS | (OLDEST_FIRST if engine == "again" else {}), priority="cmdline")
                found[engine] = Child(crawl_by, engine, spider_class, copied).result()
            else:
                found[engine] = found["scrapy"]
        verdict, lines = compared(found)
        counts[verdict] += 1
        if verdict in ("equal", "differs"):
            counts["requests"] += sum(found["scrapy"]["requests"].values())
            counts["items"] += sum(found["scrapy"]["items"].values())
        else:
            reasons[(lines or [verdict])[0]] += 1
        if verdict == "differs" or options.show:
            shown = lines if options.show else lines[:6]
            print(f"  {name}: {verdict}", *(f"      {line[:400]}" for line in shown), sep="\n", flush=True)
    return {"counts": counts, "reasons": reasons}


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("projects", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=0, help="spiders of a project, chosen by chance (all)")
    parser.add_argument("--minutes", type=float, default=1440, help="for a project; the others are left out")
    parser.add_argument("--seed", type=int, default=1, help="of that choice (1)")
    parser.add_argument("--spider", action="append", default=[], help="only this one")
    parser.add_argument("--processes", type=int, default=1, help="spiders at a time (1)")
    parser.add_argument("--show", action="store_true", help="print everything about each spider")
    options = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    total: Counter[str] = Counter()
    for folder in options.projects:
        found = Child(run_project, folder.resolve(), options).result()
        if "failed" in found:
            print(f"{folder}: {found['failed']}\n{found['trace']}")
            return 2
        total += Counter(found)
    run = total["equal"] + total["differs"]
    print(f"{total['equal']} of {run} spiders are equal ({total['equal'] / max(run, 1):.1%})")
    return 0 if run and total["equal"] >= 0.99 * run else 1


if __name__ == "__main__":
    sys.exit(main())
