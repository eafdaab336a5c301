"""`scrapyd_routes`: the API of scrapyd, so that its clients can start, list and cancel crawls.

The spiders are those of one folder, which is the one project. Nothing is deployed: eggs are refused.
"""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from starlette.routing import Route

from crawler import CrawlerError
from crawler_plugins.web.web_json import BodyTooLarge, Problem, body_of, json_response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from crawler_plugins.web.job_server import JobServer

__all__ = ["scrapyd_routes"]

VERSION: Final = "crawler"
"""The one version of the project."""
DEFAULT: Final = "default"
"""A name that clients have for the project if they are given none."""
REFUSED: Final = {
    "addversion": "nothing is deployed: put the spiders into the folder that crawler serve was started in",
    "delversion": "nothing is deployed: spiders are the files in a folder",
    "delproject": "nothing is deployed: spiders are the files in a folder",
}
"""Endpoints of scrapyd that are refused, and why."""
FINISHED: Final = ("finished", "stopped", "failed")
"""States of jobs that scrapyd calls finished."""

Values = list[tuple[str, str]]


def scrapyd_routes(jobs: JobServer) -> list[Route]:
    """Return the routes of the API."""
    api = _Scrapyd(jobs)
    reads = {
        "daemonstatus": api.daemonstatus, "listprojects": api.listprojects, "listversions": api.listversions,
        "listspiders": api.listspiders, "listjobs": api.listjobs, "status": api.status,
    }  # fmt: skip
    actions = {"schedule": api.schedule, "cancel": api.cancel} | {name: _refusing(name) for name in REFUSED}
    return [
        Route(f"{slash}{name}.json", _endpoint(function), methods=[method])
        for slash in ("/", "//")  # scrapyd-client adds a path to an address that ends with a slash
        for method, functions in (("GET", reads), ("POST", actions))
        for name, function in functions.items()
    ]


def _endpoint(function: Callable[[Values], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that answers as scrapyd does: with status 200, also to what cannot be done."""

    async def endpoint(request: Request) -> Response:
        try:
            values = list(request.query_params.multi_items())
            if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
                values += parse_qsl((await body_of(request)).decode("utf-8", "replace"), keep_blank_values=True)
            found = {"status": "ok"} | function(values)
        except (BodyTooLarge, CrawlerError, Problem) as error:
            found = {"status": "error", "message": str(error)}
        return json_response({"node_name": platform.node()} | found)

    return endpoint


def _refusing(name: str) -> Callable[[Values], dict[str, Any]]:
    def refuse(_values: Values) -> dict[str, Any]:
        raise Problem(f"{name}.json is not served: {REFUSED[name]}")

    return refuse


class _Scrapyd:
    """The endpoints of the API."""

    def __init__(self, jobs: JobServer) -> None:
        self._jobs = jobs

    def daemonstatus(self, _values: Values) -> dict[str, Any]:
        """How many jobs there are."""
        states = [job.state for job in self._jobs.jobs()]
        counts = {name: states.count(name) for name in ("pending", "running")}
        return counts | {"finished": sum(state in FINISHED for state in states)}

    def listprojects(self, _values: Values) -> dict[str, Any]:
        """The one project."""
        return {"projects": [self._jobs.project]}

    def listversions(self, values: Values) -> dict[str, Any]:
        """Its one version."""
        self._check_project(dict(values))
        return {"versions": [VERSION]}

    def listspiders(self, values: Values) -> dict[str, Any]:
        """Its spiders."""
        self._check_project(dict(values))
        return {"spiders": sorted(self._jobs.spiders())}

    def listjobs(self, values: Values) -> dict[str, Any]:
        """The jobs by state."""
        if "project" in dict(values):
            self._check_project(dict(values))
        found: dict[str, list[dict[str, Any]]] = {"pending": [], "running": [], "finished": []}
        for job in reversed(self._jobs.jobs()):
            entry: dict[str, Any] = {"project": self._jobs.project, "spider": job.spider, "id": job.name}
            if job.state != "pending":
                entry["start_time"] = _time(job.began)
            if job.state == "running":
                entry["pid"] = job.process
            if job.state in FINISHED:
                entry |= {"end_time": _time(job.ended), "items_url": f"/api/export?name={job.name}", "log_url": ""}
            found["finished" if job.state in FINISHED else job.state].append(entry)
        return found

    def status(self, values: Values) -> dict[str, Any]:
        """The state of one job."""
        name = _needed(dict(values), "job")
        states = [job.state for job in self._jobs.jobs() if job.name == name]
        return {"currstate": ("finished" if states[0] in FINISHED else states[0]) if states else None}

    def schedule(self, values: Values) -> dict[str, Any]:
        """Start a spider. Parameters that scrapyd does not define are arguments of the spider."""
        given = dict(values)
        self._check_project(given)
        settings = dict(_pair(text) for name, text in values if name == "setting")
        known = {"project", "spider", "setting", "jobid", "priority", "_version"}
        arguments = {name: text for name, text in given.items() if name not in known}
        name = self._jobs.schedule(_needed(given, "spider"), arguments, settings, given.get("jobid"))
        return {"jobid": name}

    def cancel(self, values: Values) -> dict[str, Any]:
        """Stop a job that runs or waits."""
        self._check_project(dict(values))
        return {"prevstate": self._jobs.stop(_needed(dict(values), "job"))}

    def _check_project(self, values: Mapping[str, str]) -> None:
        """Refuse another project than the one that is served."""
        if _needed(values, "project") not in (self._jobs.project, DEFAULT):
            raise Problem(f"no such project: {values['project']}; this server has {self._jobs.project}")


def _needed(values: Mapping[str, str], name: str) -> str:
    if not values.get(name):
        raise Problem(f"'{name}' parameter is required")
    return values[name]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Problem(f"setting takes NAME=VALUE, not {text!r}")
    return name, value


def _time(at: float | None) -> str | None:
    """Return a time as scrapyd does: ``2030-01-31 12:00:00.000000``, in UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
