"""Access to the web page needs the token."""

from __future__ import annotations

import httpx
import trio
from crawler_plugins.web.web_guard import Guard
from starlette.responses import PlainTextResponse
from trio.testing import MockClock

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


async def served(scope, receive, send):
    await PlainTextResponse("served")(scope, receive, send)


def client_of(guard: Guard) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://127.0.0.1")


async def test_the_address_opens_the_page_and_its_cookie_opens_no_data() -> None:
    async with client_of(Guard(served, TOKEN, ["127.0.0.1"], 8700)) as client:
        response = await client.get(f"/?token={TOKEN}")
        assert (response.status_code, response.text) == (200, "served")
        cookie = response.headers["set-cookie"]
        assert cookie.startswith("crawler_page_8700=")
        assert cookie.endswith("; HttpOnly; Path=/; SameSite=Strict")
        assert TOKEN not in cookie
        for path in ("/", "/static/page.js", "/crawl/one/"):
            assert (await client.get(path)).status_code == 200
        for path in ("/api/snapshot", "/crawl/one/api/snapshot", "/daemonstatus.json"):
            assert (await client.get(path)).status_code == 403
            assert (await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
        assert (await client.post("/")).status_code == 403
        client.cookies.clear()
        assert (await client.get("/", headers=[(b"Cookie", b"=;;\x80")])).status_code == 403
        assert (await client.get("/")).status_code == 403


async def test_a_link_opens_one_path_once_and_for_half_a_minute(autojump_clock: MockClock) -> None:
    known = {"Authorization": f"Bearer {TOKEN}"}
    async with client_of(Guard(served, TOKEN, ["127.0.0.1"])) as client:

        async def link(path: str) -> str:
            return (await client.post("/api/link", json={"path": path}, headers=known)).json()["link"]

        key = await link("/api/export")
        assert (await client.get(f"/api/export?name=a&link={key}")).status_code == 200
        assert (await client.get(f"/api/export?name=a&link={key}")).status_code == 403
        key = await link("/crawl/a%20b/api/events")
        assert (await client.get(f"/crawl/a%20b/api/events?link={key}")).status_code == 200
        key = await link("/api/export")
        assert (await client.get(f"/api/jobs?link={key}")).status_code == 403
        key = await link("/api/export")
        await trio.sleep(31)
        assert (await client.get(f"/api/export?link={key}")).status_code == 403
        first = await link("/api/export")
        for _ in range(100):
            await link("/api/export")
        assert (await client.get(f"/api/export?link={first}")).status_code == 403
        key = await link("/api/link")
        assert (await client.post(f"/api/link?link={key}", json={"path": "/api/jobs"})).status_code == 403
        assert (await client.post("/api/link", json={"path": "/api/jobs"})).status_code == 403
        for wrong in ("", "[]", "{}", '{"path": 1}', "x" * 70_000):
            assert (await client.post("/api/link", content=wrong, headers=known)).status_code == 400


async def test_clients_of_scrapyd_send_the_token_as_a_password() -> None:
    async def app(scope, receive, send):
        await PlainTextResponse("served")(scope, receive, send)

    transport = httpx.ASGITransport(Guard(app, TOKEN, ["127.0.0.1"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get("/", auth=("anybody", TOKEN))).status_code == 200
        assert (await client.get("/", auth=(TOKEN, "wrong"))).status_code == 403
        for value in ("Basic", "Basic !", "Basic é".encode("latin-1"), "Basic /////w=="):
            assert (await client.get("/", headers={"Authorization": value})).status_code == 403
