"""`HttpxSender`: when a request counts as sent, and how its exceptions are translated."""

from __future__ import annotations

import httpx
import pytest
from support.downloads import URL, Site, downloader

from crawler import Request
from crawler.errors import BrokenExchange, ConnectFailed, FetchError


@pytest.mark.parametrize(
    ("raised", "kind", "sent"),
    [
        (httpx.ConnectError("refused"), ConnectFailed, 0),
        (httpx.ReadError("reset"), BrokenExchange, 1),
        (httpx.ProxyError("no"), ConnectFailed, 0),
        (KeyError("a bug"), FetchError, 1),
    ],
)
async def test_exceptions_are_translated_and_sending_is_reported_unless_it_never_began(raised, kind, sent):
    times = []
    with pytest.raises(kind) as caught:
        await downloader(Site(raised)).fetch(Request(URL), on_sent=times.append)
    assert caught.value.request.url == URL
    assert caught.value.__cause__ is raised
    assert len(times) == sent
