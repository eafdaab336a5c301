"""The site behind flask-limiter, served by waitress: ``flask_app.py FD STRATEGY [silent]``.

FD is a listening socket, STRATEGY a strategy of flask-limiter, such as ``fixed-window``. With ``silent``, the limit is
not declared.
"""

from __future__ import annotations

import socket
import sys
import time

import flask
import waitress
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from site_pages import FRONT, log, page


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


def counted(app):
    """Return a WSGI application that logs every response of `app`."""

    def outer(environ, start_response):
        began = time.time()

        def start(status, headers, exc_info=None):
            log(began, environ["REQUEST_URI"], int(status.split()[0]))
            return start_response(status, headers, exc_info)

        return app(environ, start)

    return outer


if __name__ == "__main__":
    listener = socket.socket(fileno=int(sys.argv[1]))
    waitress.create_server(
        counted(application(sys.argv[2], silent="silent" in sys.argv[3:])), sockets=[listener], threads=8
    ).run()
