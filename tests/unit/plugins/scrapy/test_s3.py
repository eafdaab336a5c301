"""Objects of S3: Scrapy's own handler signs requests, and the crawl fetches them over https."""

from __future__ import annotations

import sys

import httpx
import pytest
import scrapy
from support.scrapy_site import run_scrapy

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


class Objects(scrapy.Spider):
    name = "objects"
    meta: dict[str, object] = {}

    def start_requests(self):
        yield scrapy.Request("s3://bucket/a/b?c=d", errback=self.failed, meta=self.meta)

    def parse(self, response):
        yield {"url": response.url, "text": response.text}

    def failed(self, failure):
        yield {"error": f"{type(failure.value).__name__}: {failure.value}"}


async def test_an_object_is_fetched_over_https():
    ran = await run_scrapy(Objects, {"/a/b?c=d": "hello"})
    assert [str(visit.url) for visit in ran.visits] == ["https://bucket.s3.amazonaws.com/a/b?c=d"]
    assert "authorization" not in ran.visits[0].headers
    assert ran.items == [{"url": "https://bucket.s3.amazonaws.com/a/b?c=d", "text": "hello"}]
    assert ran.stats["downloader/request_count"] == 1


async def test_a_request_is_signed_with_the_keys_of_the_settings():
    ran = await run_scrapy(Objects, {"/a/b": "hello"}, KEYS | {"AWS_SESSION_TOKEN": "token"})
    [visit] = ran.visits
    assert visit.headers["authorization"].startswith("AWS key:")
    assert visit.headers["x-amz-security-token"] == "token"
    assert "date" in visit.headers


@pytest.mark.filterwarnings("ignore:Passing is_secure=False")
async def test_http_is_used_if_the_request_says_so():
    class Plain(Objects):
        meta = {"is_secure": False}

    ran = await run_scrapy(Plain, {"/a/b": "hello"})
    assert str(ran.visits[0].url) == "http://bucket.s3.amazonaws.com/a/b?c=d"


async def test_what_the_request_fails_with_reaches_the_errback():
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request) from ConnectionRefusedError()

    [item] = (await run_scrapy(Objects, {"/a/b": refuse}, {"RETRY_TIMES": 0})).items
    assert "Refused" in item["error"]


async def test_without_botocore_the_scheme_is_unknown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    [item] = (await run_scrapy(Objects, {})).items
    assert item == {"error": "NotSupported: Unsupported URL scheme 's3': missing botocore library"}
