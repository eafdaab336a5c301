"""`make_jobs_app`: the page of several jobs, with its JSON API and that of scrapyd."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from crawler import CrawlerError
from crawler_plugins.web.crawl_page import CrawlPage
from crawler_plugins.web.scrapyd import scrapyd_routes
from crawler_plugins.web.web_json import Problem, acting, json_response, reading, text_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from crawler_plugins.web.job_server import JobServer

__all__ = ["make_jobs_app"]

STATIC: Final = Path(__file__).parent / "static"
ENDINGS: Final = ("jsonl", "csv", "json")
"""File endings that the page offers for an export."""


def make_jobs_app(jobs: JobServer) -> Starlette:
    """Return the application."""
    api = _JobsApi(jobs)
    return Starlette(
        routes=[
            Route("/", _index),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/jobs", reading(api.jobs)),
            Route("/api/job", reading(api.job)),
            Route("/api/export", api.export),
            *(
                Route(f"/api/{function.__name__}", acting(function), methods=["POST"])
                for function in (api.schedule, api.resume, api.stop)
            ),
            Route("/crawl/{name:path}/api/{call}", CrawlPage(jobs.page)),
            Route("/crawl/{name:path}/", _crawl),
            *scrapyd_routes(jobs),
        ]
    )


async def _index(_request: Request) -> Response:  # noqa: ASYNC124 - a plain function would run in a thread
    return FileResponse(STATIC / "jobs.html")


async def _crawl(_request: Request) -> Response:  # noqa: ASYNC124 - a plain function would run in a thread
    return FileResponse(STATIC / "index.html")


class _JobsApi:
    """The endpoints of the API."""

    def __init__(self, jobs: JobServer) -> None:
        self._jobs = jobs

    def jobs(self, _query: dict[str, str]) -> dict[str, Any]:
        """The state of each job, and the spiders that can be started."""
        return {
            "project": self._jobs.project,
            "jobs": self._jobs.jobs(),
            "spiders": sorted(self._jobs.spiders()),
            "exports": ENDINGS,
        }

    def job(self, query: dict[str, str]) -> dict[str, Any]:
        """One job: its runs, compared, its failures and its last messages."""
        return self._jobs.job(query.get("name", ""))

    async def export(self, request: Request) -> Response:
        """Send the items of a job as a file."""
        name, ending = request.query_params.get("name", ""), request.query_params.get("as", ENDINGS[0])
        try:
            path, folder = await self._jobs.export(name, ending)
        except CrawlerError as error:
            return json_response({"error": str(error)}, 400)

        async def remove() -> None:
            await trio.to_thread.run_sync(folder.cleanup)

        return FileResponse(path, filename=path.name, background=BackgroundTask(remove))

    def schedule(self, values: dict[str, Any]) -> dict[str, Any]:
        """Start a crawl, now or when it is its turn."""
        arguments, settings = _texts(values, "arguments"), _texts(values, "settings")
        name = self._jobs.schedule(text_of(values, "spider"), arguments, settings, text_of(values, "name") or None)
        return {"name": name}

    def resume(self, values: dict[str, Any]) -> dict[str, Any]:
        """Continue a job."""
        self._jobs.resume(text_of(values, "name"))
        return {"done": True}

    def stop(self, values: dict[str, Any]) -> dict[str, Any]:
        """Stop a job."""
        return {"before": self._jobs.stop(text_of(values, "name"))}


def _texts(values: dict[str, Any], name: str) -> dict[str, str]:
    """Return a JSON object whose values are texts."""
    found = values.get(name) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Problem(f"{name} must be an object whose values are texts")
    return found
