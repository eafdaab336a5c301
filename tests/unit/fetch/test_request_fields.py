"""The header fields of a request, with its cookies and credentials."""

from __future__ import annotations

import base64

import httpx
from support.downloads import URL, Site, downloader, sent_fields

from crawler import Request, Settings
from crawler.fetch.auth import OriginAuth


async def test_a_request_has_the_fields_of_the_crawl_and_its_own_in_their_place():
    site = Site()
    loader = downloader(site, Settings(user_agent="Bot/1", headers={"X-All": "1", "Accept-Language": "de"}))
    await loader.fetch(Request(URL, headers={"accept-language": "en", "X-ALL": "", "X-Own": "2"}))
    fields = dict(sent_fields(site))
    assert fields["User-Agent"] == "Bot/1"
    assert fields["Accept"].startswith("text/html")
    assert (fields["accept-language"], fields["X-Own"]) == ("en", "2")
    assert "X-All" not in fields
    assert "X-ALL" not in fields


async def test_cookies_of_a_session_come_back_and_those_of_the_request_go_before():
    site = Site(lambda: httpx.Response(200, headers=[("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; Path=/")]))
    loader = downloader(site)
    await loader.fetch(Request(URL, session="me"))
    await loader.fetch(Request(URL, session="me", cookies={"b": "own", "c": "3"}))
    assert dict(sent_fields(site))["Cookie"] == "a=1; b=own; c=3"
    await loader.fetch(Request(URL, session="me", headers={"Cookie": "only=this"}))
    assert [value for name, value in sent_fields(site) if name.lower() == "cookie"] == ["only=this"]
    await loader.fetch(Request(URL, session="another"))
    assert "Cookie" not in dict(sent_fields(site))


async def test_credentials_go_to_their_origin_unless_the_request_has_its_own():
    site = Site()
    loader = downloader(site, credentials=OriginAuth({"https://site.test": ("me", "pä:ss")}))
    await loader.fetch(Request(URL))
    assert dict(sent_fields(site))["Authorization"] == "Basic " + base64.b64encode("me:pä:ss".encode()).decode()
    await loader.fetch(Request(URL, auth="Bearer own"))
    assert dict(sent_fields(site))["Authorization"] == "Bearer own"
    await loader.fetch(Request("https://other.test/"))
    assert "Authorization" not in dict(sent_fields(site))
