"""The server of the web pages: its options, its address, and the names that it is known by."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from crawler_plugins.web.web_server import WebServer
from starlette.responses import PlainTextResponse

from crawler import ConfigError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": -1}, "port must be"),
        ({"port": 70_000}, "port must be"),
        ({"token": "short"}, "at least 8 characters"),
        ({"token": "Schlüssel"}, "printable ASCII"),
        ({"token": "line\nbreak"}, "printable ASCII"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        WebServer(**{"host": "127.0.0.1", "port": 0, "token": ""} | options)


async def served(scope, receive, send):
    await PlainTextResponse("served")(scope, receive, send)


async def test_the_server_answers_while_the_block_runs_whichever_characters_the_token_has() -> None:
    token = 'a&b=c#d;"e, +\\%41'
    async with (
        WebServer("127.0.0.1", 0, token).serving(served) as address,
        httpx.AsyncClient(trust_env=False, follow_redirects=True) as client,
    ):
        assert (await client.get(address)).text == "served"
        assert (await client.get(address, headers={"Host": "other.test"})).status_code == 403
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(address)


async def test_a_port_that_is_taken_is_named() -> None:
    async with WebServer("127.0.0.1", 0, "").serving(served) as address:
        port = httpx.URL(address).port
        with pytest.raises(ConfigError, match=f"web: cannot listen on 127.0.0.1:{port}: address already in use"):
            async with WebServer("127.0.0.1", port, "").serving(served):
                raise AssertionError("not reached")


@pytest.mark.parametrize(("port", "names"), [(80, {"127.0.0.1", "127.0.0.1:80"}), (8080, {"127.0.0.1:8080"})])
def test_clients_leave_the_port_of_http_out_of_host(port: int, names: set[str]) -> None:
    found = WebServer("127.0.0.1", 0, "")._names(port)
    assert names <= found
    assert ("localhost" in found) == (port == 80)
    assert WebServer("0.0.0.0", 0, "")._names(port) == set()
