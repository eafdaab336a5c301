"""The site behind flask-limiter, served by waitress: ``flask_app.py FD STRATEGY [silent]``.

FD is a listening socket, STRATEGY a strategy of flask-limiter, such as ``fixed-window``. With ``silent``, the limit is
not declared.
"""

from __future__ import annotations

import sys

import flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from site_pages import FRONT, page
from wsgi_site import serve


def application(strategy: str, *, silent: bool) -> flask.Flask:
    """Return the limited application: 20 requests in 5 seconds for all pages together."""
    app = flask.Flask(__name__)
    # A limit of the application: a default limit would count each route separately.
    limiter = Limiter(
        get_remote_address,
        app=app,
        application_limits=["20 per 5 second"],
        strategy=strategy,
        storage_uri="memory://",
        headers_enabled=not silent,
    )

    @app.get("/")
    def front() -> str:
        return FRONT

    @app.get("/page/<int:n>")
    def one(n: int) -> str:
        return page(n) or flask.abort(404)

    @app.get("/robots.txt")
    @limiter.exempt
    def robots() -> str:
        flask.abort(404)

    return app


if __name__ == "__main__":
    serve(application(sys.argv[2], silent="silent" in sys.argv[3:]))
