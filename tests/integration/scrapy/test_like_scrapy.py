"""Each spider of the corpus makes the same requests, items, errors and statistics here as with Scrapy.

`golden.json` has what Scrapy did; ``.ci/run scrapy`` proves that it still does.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import httpx
import pytest
from crawler_plugins.scrapy import ScrapySpider
from integration.scrapy.outcome import PROJECT, in_folder, outcome
from integration.scrapy.site import ADDRESS, Refused, Site, TimedOut
from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader

from crawler import crawl

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text(encoding="utf-8"))
LEGACY = (
    "contracts", "csv_feed", "loaders", "logs", "pipeline_drops", "rules", "sitemaps", "start_list", "start_urls",
)  # fmt: skip
"""Spiders of which there is one more, with names that Scrapy has removed."""


@pytest.mark.parametrize("name", sorted(GOLDEN))
async def test_a_spider_does_the_same_as_with_scrapy(name: str, tmp_path: Path, autojump_clock: Any) -> None:
    assert await outcome_of(name, tmp_path, *_given(name, tmp_path)) == GOLDEN[name]


@pytest.mark.parametrize("name", LEGACY)
async def test_a_spider_with_removed_names_does_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: Any
) -> None:
    monkeypatch.setenv("SCRAPY_PROJECT", "legacy")
    assert await outcome_of(name, tmp_path, {}, {}) == GOLDEN[name]


def test_every_spider_of_the_project_is_compared() -> None:
    assert sorted(_loader().list()) == sorted(GOLDEN)


async def outcome_of(name: str, folder: Path, arguments: dict[str, str], settings: dict[str, Any]) -> dict[str, Any]:
    """Return what a spider does here."""
    site = Site()
    with pytest.MonkeyPatch.context() as environment, warnings.catch_warnings():
        environment.setenv("SCRAPY_SETTINGS_MODULE", "")  # restored, also if it was not set
        warnings.simplefilter("ignore")
        spider = ScrapySpider(PROJECT, name, arguments, settings)
        await crawl(spider, plugins=spider.feeds("error", None), transport=transport(site))
    return outcome(site, spider.scrapy, folder)


def transport(site: Site) -> httpx.MockTransport:
    """Return a transport that asks the canned site."""

    def handle(request: httpx.Request) -> httpx.Response:
        fields: dict[str, str] = {}
        for name, value in request.headers.raw:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            fields[key] = f"{fields[key]}, {text}" if key in fields else text
        try:
            status, sent, body = site.answer(request.method, str(request.url), fields, request.read())
        except Refused:
            raise httpx.ConnectError("refused", request=request) from ConnectionRefusedError()
        except TimedOut:
            raise httpx.ReadTimeout("no answer", request=request) from None
        raw = [(name.encode(), value.encode()) for name, value in sent]
        content, known = b"" if request.method == "HEAD" else body, {"http_version": b"HTTP/1.1", "primary_ip": ADDRESS}
        return httpx.Response(status, headers=raw, content=content, request=request, extensions=known)

    return httpx.MockTransport(handle)


def _given(name: str, folder: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the arguments of a spider, and its settings that name a folder."""
    kind = _loader().load(name)
    settings = {key: value for key, value in (kind.custom_settings or {}).items() if "{folder}" in repr(value)}
    return getattr(kind, "arguments", {}), in_folder(settings, folder)


def _loader() -> SpiderLoader:
    if str(PROJECT) not in sys.path:
        sys.path.insert(0, str(PROJECT))
    return SpiderLoader.from_settings(Settings({"SPIDER_MODULES": ["corpus.spiders"]}))
