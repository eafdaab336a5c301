"""The API of scrapyd: requests and answers as its documentation and its clients have them."""

from __future__ import annotations

import httpx
import pytest
import trio
from crawler_plugins.web.jobs_api import make_jobs_app
from unit.plugins.web.test_job_folders import job
from unit.plugins.web.test_job_server import Server


@pytest.fixture
def server(tmp_path):
    return Server(tmp_path)


@pytest.fixture
async def client(server):
    transport = httpx.ASGITransport(make_jobs_app(server.jobs))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def get(client, path):
    response = await client.get(path)
    assert response.status_code == 200
    return response.json()


async def test_a_crawl_from_schedule_to_cancel(autojump_clock, server, client, tmp_path):
    project = tmp_path.name
    async with server.running():
        data = {"project": project, "spider": "walk", "setting": ["delay=1", "workers=2"], "n": "3", "jobid": "mine"}
        made = (await client.post("/schedule.json", data=data)).json()
        assert (made["status"], made["jobid"]) == ("ok", "mine")
        assert made["node_name"]
        await trio.sleep(1)
        assert server.processes[0].arguments[-6:] == ["-a", "n=3", "-s", "delay=1", "-s", "workers=2"]
        later = (await client.post("/schedule.json", data={"project": "default", "spider": "books"})).json()["jobid"]
        listed = await get(client, f"/listjobs.json?project={project}")
        [running] = listed["running"]
        assert (running["id"], running["spider"], running["pid"]) == ("mine", "walk", 4711)
        assert listed["pending"] == [{"project": project, "spider": "books", "id": later}]
        assert (await get(client, "/status.json?job=mine"))["currstate"] == "running"
        assert (await get(client, "/status.json?job=none"))["currstate"] is None
        status = await get(client, "/daemonstatus.json")
        assert (status["running"], status["pending"], status["finished"]) == (1, 1, 0)
        for name, state in (("mine", "running"), (later, "pending")):
            cancelled = (await client.post("/cancel.json", data={"project": project, "job": name})).json()
            assert cancelled["prevstate"] == state
        assert server.processes[0].calls == ["stop"]


async def test_finished_jobs_have_their_times_and_items(autojump_clock, server, client, tmp_path):
    await job(tmp_path / "jobs" / "one")
    [finished] = (await get(client, f"/listjobs.json?project={tmp_path.name}"))["finished"]
    assert finished["start_time"] <= finished["end_time"]
    assert len(finished["end_time"]) == len("2030-01-31 12:00:00.000000")
    assert (await client.get(finished["items_url"])).text.count("\n") == 2
    assert (await client.post("/cancel.json", data={"project": tmp_path.name, "job": "one"})).json()[
        "prevstate"
    ] is None


@pytest.mark.parametrize("slash", ["/", "//"])
async def test_projects_versions_and_spiders(client, tmp_path, slash):
    project = tmp_path.name
    assert (await get(client, f"http://127.0.0.1{slash}listprojects.json"))["projects"] == [project]
    assert (await get(client, f"http://127.0.0.1{slash}listversions.json?project={project}"))["versions"] == ["crawler"]
    assert (await get(client, f"http://127.0.0.1{slash}listspiders.json?project={project}"))["spiders"] == [
        "books",
        "walk",
    ]


@pytest.mark.parametrize(
    ("path", "data", "message"),
    [
        ("schedule", {"spider": "walk"}, "'project' parameter is required"),
        ("schedule", {"project": "other", "spider": "walk"}, "no such project: other; this server has "),
        ("schedule", {"project": "default"}, "'spider' parameter is required"),
        ("schedule", {"project": "default", "spider": "wolk"}, "no spider named 'wolk' in "),
        ("schedule", {"project": "default", "spider": "walk", "setting": "x"}, "setting takes NAME=VALUE, not 'x'"),
        ("schedule", {"project": "default", "spider": "walk", "setting": "LOG=1"}, "no such setting: LOG"),
        ("schedule", {"project": "default", "spider": "walk", "jobid": "../x"}, "'../x' cannot be the name of a job"),
        ("schedule", {"project": "default", "spider": "walk", "n": "x" * 70_000}, "the body is too large"),
        ("cancel", {"project": "default", "job": "none"}, "no such job: none"),
        ("addversion", {"project": "default"}, "addversion.json is not served: nothing is deployed: "),
        ("delversion", {"project": "default"}, "delversion.json is not served: nothing is deployed: "),
        ("delproject", {"project": "default"}, "delproject.json is not served: nothing is deployed: "),
    ],
)
async def test_a_call_that_cannot_be_fulfilled_is_a_named_error(client, path, data, message):
    response = await client.post(f"/{path}.json", data=data)
    answer = response.json()
    assert (response.status_code, answer["status"]) == (200, "error")
    assert answer["message"].startswith(message)
