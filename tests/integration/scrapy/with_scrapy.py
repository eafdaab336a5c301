"""Crawls the corpus with Scrapy itself, in one process, and compares with `golden.json` or writes it:

    PYTHONPATH=tests python -m integration.scrapy.with_scrapy --check
    PYTHONPATH=tests python -m integration.scrapy.with_scrapy --write

With names of spiders it prints what these do, and their log.

Spiders with `start_requests`, and spider middlewares that are plain generators, run as in the versions of Scrapy that
support them.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import scrapy
from integration.scrapy.outcome import PROJECT, in_folder, outcome
from integration.scrapy.site import ADDRESS, Refused, Site, TimedOut
from scrapy import signals
from scrapy.core.spidermw import SpiderMiddlewareManager
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.exceptions import DownloadConnectionRefusedError, DownloadTimeoutError
from scrapy.http import Headers
from scrapy.utils._download_handlers import check_stop_download, make_response
from scrapy.utils.defer import deferred_from_coro
from scrapy.utils.log import configure_logging
from scrapy.utils.project import get_project_settings
from scrapy.utils.reactor import install_reactor

GOLDEN: Final = Path(__file__).parent / "golden.json"


class Handler:
    """A download handler that asks the canned site."""

    lazy = False

    def __init__(self, crawler: Any) -> None:
        self._site = crawler.site
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Any) -> Handler:
        return cls(crawler)

    async def download_request(self, request: scrapy.Request) -> Any:
        await asyncio.sleep(0)
        request.meta["download_latency"] = 0.0
        fields = {
            name.decode().lower(): b", ".join(values).decode("latin-1") for name, values in request.headers.items()
        }
        try:
            status, sent, body = self._site.answer(request.method, request.url.partition("#")[0], fields, request.body)
        except Refused:
            raise DownloadConnectionRefusedError("refused") from None
        except TimedOut:
            raise DownloadTimeoutError("no answer") from None
        headers = Headers(sent)
        body = b"" if request.method == "HEAD" else body
        size = int(headers.get("Content-Length") or -1)
        stop = self._stop(signals.headers_received, request, headers=headers, body_length=size)
        if stop is not None:
            body = b""
        elif body:
            stop = self._stop(signals.bytes_received, request, data=body)
        return make_response(
            request.url.partition("#")[0], status, headers, body, ip_address=ip_address(ADDRESS), protocol="HTTP/1.1",
            stop_download=stop,
        )  # fmt: skip

    def _stop(self, signal: object, request: scrapy.Request, **arguments: Any) -> Any:
        return check_stop_download(signal, self._crawler, request, **arguments)

    async def close(self) -> None:
        return None


async def start(self: scrapy.Spider) -> Any:
    """Start as Scrapy did as long as it called `start_requests`."""
    if hasattr(self, "start_requests"):
        for one in self.start_requests():
            yield one
    else:
        for url in self.start_urls:
            yield scrapy.Request(url, dont_filter=True)


def output_method(
    middleware: Any, supported: Callable[[Any], Any] = SpiderMiddlewareManager._get_process_spider_output
) -> Any:
    """Return `process_spider_output`; a plain generator, as Scrapy ran it as long as it supported these."""
    method = getattr(middleware, "process_spider_output", None)
    if method is None or inspect.isasyncgenfunction(method) or hasattr(middleware, "process_spider_output_async"):
        return supported(middleware)

    async def process_spider_output(response: Any, result: Any, spider: Any) -> Any:
        for one in method(response, [one async for one in result], spider):
            yield one

    return process_spider_output


async def crawl_all(names: list[str], folder: Path) -> dict[str, Any]:
    settings = get_project_settings()
    runner = AsyncCrawlerRunner(settings)
    crawlers = {}
    for name in names or sorted(runner.spider_loader.list()):
        crawler = crawlers[name] = runner.create_crawler(name)
        crawler.site = Site()
        handlers = {**crawler.settings.getdict("DOWNLOAD_HANDLERS"), "http": Handler, "https": Handler}
        crawler.settings.set("DOWNLOAD_HANDLERS", handlers, priority="cmdline")
        (folder / name).mkdir()
        for key, value in (crawler.spidercls.custom_settings or {}).items():
            if "{folder}" in repr(value):
                crawler.settings.set(key, in_folder(value, folder / name), priority="cmdline")
    runs = [runner.crawl(crawler, **getattr(crawler.spidercls, "arguments", {})) for crawler in crawlers.values()]
    ends = await asyncio.gather(*runs, return_exceptions=True)
    for name, end in zip(crawlers, ends, strict=True):
        if isinstance(end, BaseException):
            print(f"{name}: {end!r}", file=sys.stderr)
    return {
        name: outcome(crawler.site, crawler, folder / name)
        for (name, crawler), end in zip(crawlers.items(), ends, strict=True)
        if end is None
    }


def written(found: dict[str, Any]) -> str:
    """Return the outcomes as JSON, with a line for each request, item, error and note."""
    spiders = ",\n".join(f"{one_line(name)}: {{\n{of_parts(parts)}}}" for name, parts in sorted(found.items()))
    return f"{{\n{spiders}}}\n"


def of_parts(parts: dict[str, Any]) -> str:
    return ",\n".join(
        f" {one_line(part)}: "
        + ("[\n  " + ",\n  ".join(map(one_line, value)) + "]" if type(value) is list else one_line(value))
        for part, value in sorted(parts.items())
    )


def one_line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def main() -> int:
    options = [one for one in sys.argv[1:] if one.startswith("-")]
    names = [one for one in sys.argv[1:] if not one.startswith("-")]
    sys.path.insert(0, str(PROJECT))
    os.environ["SCRAPY_SETTINGS_MODULE"] = "corpus.settings"
    scrapy.Spider.start = start
    SpiderMiddlewareManager._get_process_spider_output = staticmethod(output_method)
    warnings.simplefilter("ignore")
    install_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
    if names:
        configure_logging({"LOG_LEVEL": "DEBUG"})
    else:
        logging.disable()
    from twisted.internet import reactor

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        done = deferred_from_coro(crawl_all(names, Path(folder)))
        done.addCallback(found.update).addErrback(lambda failure: failure.printTraceback(sys.stderr))
        done.addBoth(lambda _: reactor.stop())
        reactor.run(installSignalHandlers=False)
    text = written(found)
    if "--write" in options:
        GOLDEN.write_text(text, encoding="utf-8")
    elif "--check" in options:
        golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
        differ = sorted(name for name in found.keys() | golden.keys() if found.get(name) != golden.get(name))
        print(
            f"Scrapy {scrapy.__version__}: {len(found)} spiders, {len(differ)} differ from golden.json {differ or ''}"
        )
        return 1 if differ or not found else 0
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
