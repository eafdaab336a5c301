"""A WSGI application, with a log of its responses, served by waitress on a listening socket."""

from __future__ import annotations

import socket
import sys
import time

import waitress
from site_pages import log

__all__ = ["serve"]


def counted(app):
    """Return a WSGI application that logs every response of `app`."""

    def outer(environ, start_response):
        began = time.time()

        def start(status, headers, exc_info=None):
            log(began, environ["REQUEST_URI"], int(status.split()[0]))
            return start_response(status, headers, exc_info)

        return app(environ, start)

    return outer


def serve(app, *, threads: int = 8) -> None:
    """Serve an application on the socket that the command line names first."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    waitress.create_server(counted(app), sockets=[listener], threads=threads).run()
