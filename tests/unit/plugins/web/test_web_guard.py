"""Access to the web page needs the token."""

from __future__ import annotations

import httpx
from crawler_plugins.web.web_guard import Guard
from starlette.responses import PlainTextResponse

from crawler import Response, Settings, Spider

TOKEN = "a-token-of-the-tests"
HOST = "https://site.test"


class One(Spider):
    start_urls = [f"{HOST}/"]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> None:
        return None


async def test_the_guard_passes_other_scopes_on() -> None:
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    await Guard(app, TOKEN, ())({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]


async def test_the_token_in_the_address_becomes_a_cookie() -> None:
    async def app(scope, receive, send):
        raise AssertionError("not reached")

    transport = httpx.ASGITransport(Guard(app, TOKEN, ["127.0.0.1"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        response = await client.get(f"/?token={TOKEN}")
        assert (response.status_code, response.headers["location"]) == (303, "/")
        assert "HttpOnly" in response.headers["set-cookie"]
        assert "SameSite=strict" in response.headers["set-cookie"]
        refused = await client.get("/", headers=[(b"Cookie", b"=;;\x80")])
        assert refused.status_code == 403


async def test_clients_of_scrapyd_send_the_token_as_a_password() -> None:
    async def app(scope, receive, send):
        await PlainTextResponse("served")(scope, receive, send)

    transport = httpx.ASGITransport(Guard(app, TOKEN, ["127.0.0.1"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get("/", auth=("anybody", TOKEN))).status_code == 200
        assert (await client.get("/", auth=(TOKEN, "wrong"))).status_code == 403
        for value in ("Basic", "Basic !", "Basic é".encode("latin-1"), "Basic /////w=="):
            assert (await client.get("/", headers={"Authorization": value})).status_code == 403
