"""Endpoints that speak JSON."""

from __future__ import annotations

import httpx
import pytest
from crawler_plugins.web.web_json import Problem, acting, encoded, number, reading, text_of
from starlette.applications import Starlette
from starlette.routing import Route

from crawler import ConfigError


def fails(values):
    raise ConfigError("not like this")


APP = Starlette(
    routes=[
        Route("/read", reading(lambda query: query)),
        Route("/act", acting(lambda values: values), methods=["POST"]),
        Route("/fails", acting(fails), methods=["POST"]),
    ]
)


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/act", b'{"a": 1}', 200, '{"a":1}'),
        ("/act", b"", 200, "{}"),
        ("/act", b"[1]", 400, "the body is not a JSON object"),
        ("/act", b"{", 400, "the body is not a JSON object"),
        ("/act", b"x" * 70_000, 413, "the body is too large"),
        ("/fails", b"", 400, "not like this"),
    ],
)
async def test_bodies(path: str, body: bytes, status: int, words: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://a.test") as client:
        response = await client.post(path, content=body)
        assert (response.status_code, words in response.text) == (status, True)
        assert (await client.get("/read?a=1&b=2")).json() == {"a": "1", "b": "2"}


def test_values_of_requests() -> None:
    assert number({"n": "7"}, "n", 3) == 7
    assert number({}, "n", 3) == 3
    for text in ("-1", "x", "2001", "1.5"):
        with pytest.raises(Problem, match="n must be a number from 0 to 2000"):
            number({"n": text}, "n", 3)
    assert text_of({}, "name") == ""
    with pytest.raises(Problem, match="name must be a text"):
        text_of({"name": 5}, "name")


def test_texts_that_utf_8_does_not_have_are_encoded_as_json_escapes() -> None:
    assert encoded({"a": "\udc80"}) == b'{"a": "\\udc80"}'
