"""The page of several jobs and its JSON API, on a folder of real jobs."""

from __future__ import annotations

import httpx
import pytest
from crawler_plugins.web.jobs_api import make_jobs_app
from unit.plugins.web.test_job_folders import job
from unit.plugins.web.test_job_server import Server


@pytest.fixture
async def client(tmp_path):
    transport = httpx.ASGITransport(make_jobs_app(Server(tmp_path).jobs))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def test_the_list_and_one_job(autojump_clock, client, tmp_path):
    await job(tmp_path / "jobs" / "one", max_pages=1)
    listed = (await client.get("/api/jobs")).json()
    assert (listed["project"], listed["spiders"]) == (tmp_path.name, ["books", "walk"])
    assert [(entry["name"], entry["state"], entry["items"]) for entry in listed["jobs"]] == [("one", "stopped", 1)]
    found = (await client.get("/api/job?name=one")).json()
    assert [run["finished"] for run in found["runs"]] == ["max_pages"]
    assert found["waiting"] == {"https://site.test": 1}
    assert (await client.get("/api/job?name=none")).status_code == 400


async def test_crawls_are_scheduled_stopped_and_resumed(autojump_clock, client, tmp_path):
    await job(tmp_path / "jobs" / "one", max_pages=1)
    values = {"spider": "walk", "arguments": {"n": "3"}, "settings": {"delay": "1"}, "name": "two"}
    assert (await client.post("/api/schedule", json=values)).json() == {"name": "two"}
    assert (await client.post("/api/resume", json={"name": "one"})).json() == {"done": True}
    states = {entry["name"]: entry["state"] for entry in (await client.get("/api/jobs")).json()["jobs"]}
    assert states == {"one": "pending", "two": "pending"}
    assert (await client.post("/api/stop", json={"name": "one"})).json() == {"before": "pending"}


@pytest.mark.parametrize(
    ("path", "values", "words"),
    [
        ("schedule", {"spider": "wolk"}, "did you mean walk?"),
        ("schedule", {"spider": "walk", "arguments": [1]}, "arguments must be an object whose values are texts"),
        ("schedule", {"spider": "walk", "settings": {"delay": 1}}, "settings must be an object whose values are texts"),
        ("schedule", {"spider": 7}, "spider must be a text"),
        ("resume", {"name": "none"}, "no such job: none"),
        ("stop", {}, "no such job: "),
    ],
)
async def test_a_call_that_cannot_be_fulfilled_is_refused_with_the_reason(client, path, values, words):
    response = await client.post(f"/api/{path}", json=values)
    assert response.status_code == 400
    assert words in response.json()["error"]


async def test_an_export_is_a_file_that_is_removed_when_it_is_sent(autojump_clock, client, tmp_path, monkeypatch):
    (tmp_path / "exports").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "exports"))
    await job(tmp_path / "jobs" / "one")
    response = await client.get("/api/export?name=one&as=csv")
    assert response.headers["content-disposition"] == 'attachment; filename="one.csv"'
    assert response.text.split() == ["url", "https://site.test/", "https://site.test/1"]
    assert (await client.get("/api/export?name=one&as=xyz")).status_code == 400
    assert list((tmp_path / "exports").iterdir()) == []


async def test_the_page_and_its_files_are_served(client):
    page = (await client.get("/")).text
    for name in ("page.js", "jobs.js", "style.css"):
        assert f"/static/{name}" in page
        assert (await client.get(f"/static/{name}")).status_code == 200
