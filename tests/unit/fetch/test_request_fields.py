"""The header fields of a request, with its cookies and credentials."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from support.downloads import URL, Site, downloader, sent_fields

from crawler import Request, Settings
from crawler.fetch import request_fields
from crawler.fetch.auth import OriginAuth
from crawler.fetch.request_fields import DefaultFields, StartOrigins

BASIC = {"User-Agent": "me", "Accept": "*/*"}
STARTS = {"https://start.test"}


def fields(headers: dict[str, Any], url: str) -> dict[str, str]:
    """Return the default fields for a URL, without those of `BASIC`."""
    found = DefaultFields(BASIC, Settings(headers=headers).headers, STARTS).of(url)
    assert found.encoded == tuple((name.encode(), value.encode()) for name, value in found.pairs)
    assert not found.cookies or "Cookie" not in dict(found.pairs)
    return {name: value for name, value in [*found.pairs, ("Cookie", found.cookies)] if value and name not in BASIC}


@pytest.mark.parametrize("name", ["X-Api-Key", "Authorization", "Cookie", "X-Auth-Token", "api-key"])
def test_secret_fields_go_to_the_origins_of_start_pages_only(name: str) -> None:
    headers = {"A": "1", name: "secret"}
    assert fields(headers, "https://start.test/page") == headers
    for url in ("https://other.test/", "http://start.test/", "https://start.test:444/", "https://www.start.test/"):
        assert fields(headers, url) == {"A": "1"}


def test_fields_of_a_glob_go_to_its_hosts_only() -> None:
    headers = {
        "A": "1",
        "*.api.test": {"X-Api-Key": "k", "A": "2"},
        "https://b.test": {"Cookie": "a=b"},
        "*": {"C": "3"},
    }
    assert fields(headers, "https://v1.api.test/") == {"X-Api-Key": "k", "A": "2"}
    assert fields(headers, "https://b.test/") == {"A": "1", "Cookie": "a=b"}
    assert fields(headers, "http://b.test/") == {"A": "1", "C": "3"}
    assert fields(headers, "https://start.test/") == {"A": "1", "C": "3"}


def test_the_fields_of_a_glob_replace_those_of_all_hosts() -> None:
    headers = {"X-Api-Key": "one", "start.test": {"x-api-key": "two"}, "other.test": {"X-Api-Key": None, "A": "1"}}
    assert fields(headers, "https://start.test/") == {"x-api-key": "two"}
    assert fields(headers, "https://other.test/") == {"A": "1"}
    assert fields(headers, "https://third.test/") == {}


def test_fields_without_secrets_are_the_same_for_all_origins() -> None:
    defaults = DefaultFields(BASIC, {"Accept": "", "A": "1"}, STARTS)
    assert defaults.of("https://start.test/") is defaults.of("https://other.test/")
    assert defaults.of("https://start.test/").pairs == [("User-Agent", "me"), ("A", "1")]
    assert not defaults.has_secrets


def test_an_origin_counts_as_soon_as_a_page_has_started_there() -> None:
    starts: set[str] = set()
    defaults = DefaultFields(BASIC, {"X-Api-Key": "k"}, starts)
    assert defaults.has_secrets
    assert ("X-Api-Key", "k") not in defaults.of("https://late.test/").pairs
    starts.add("https://late.test")
    assert ("X-Api-Key", "k") in defaults.of("https://late.test/").pairs


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


def test_an_origin_is_scheme_host_and_port() -> None:
    origins = StartOrigins()
    origins.add_all(["https://a.test/x", "http://b.test:8080/", "nothing", 5])
    assert [origin in origins for origin in ("https://a.test", "http://b.test:8080")] == [True, True]
    assert not any(origin in origins for origin in ("http://a.test", "https://a.test:444", "http://b.test", "nothing"))


def test_new_origins_are_saved_once_and_restored() -> None:
    origins, restored = StartOrigins(), StartOrigins()
    assert origins.take_unsaved() is None
    origins.add("https://a.test/")
    data = origins.take_unsaved()
    assert data is not None
    origins.add("https://a.test/b")
    assert origins.take_unsaved() is None
    restored.restore(data)
    assert "https://a.test" in restored
    assert restored.take_unsaved() is None


def test_their_number_is_limited(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(request_fields, "MAX_ORIGINS", 2)
    origins = StartOrigins()
    origins.add_all([f"https://{n}.test/" for n in range(4)])
    assert ("https://1.test" in origins, "https://2.test" in origins) == (True, False)
    assert len(caplog.messages) == 1
    assert "https://2.test and others do not get the secret headers" in caplog.text
