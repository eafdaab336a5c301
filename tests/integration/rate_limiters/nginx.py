"""nginx with its own two ways to limit: ``limit_req`` (a rate) and ``limit_conn`` (requests at once).

Neither says a word of the limit: a refusal is a bare 503.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

__all__ = ["AT_ONCE", "PAGE_SECONDS", "prepare"]

AT_ONCE = 4
"""Requests in flight that ``limit_conn`` lets be."""
CHUNK, RATE, PADDING = 8000, 10_000, 8800
PAGE_SECONDS = 0.845
"""Seconds that a page takes behind ``limit_conn``: nginx sends one chunk, waits as long as the rate wants, and sends
the rest. A page is larger than a chunk and smaller than what the rate gives to a second: nginx counts whole seconds of
the clock, and would stop once more at the end of one."""

# The bucket lets `burst` + 1 through at once and then one each 250 ms: 20 in 5 seconds, restored bit by bit.
LIMITS = {
    "req": (
        "limit_req_zone $binary_remote_addr zone=limited:1m rate=4r/s;",
        "limit_req zone=limited burst=19 nodelay;",
    ),
    "conn": (
        "limit_conn_zone $binary_remote_addr zone=limited:1m;",
        f"limit_conn limited {AT_ONCE}; limit_rate {RATE}; sendfile_max_chunk {CHUNK};",
    ),
}

# One process, whose pid is our child's. `return` would answer before a limit is asked, so the pages are files.
CONFIG = """\
daemon off;
master_process off;
pid {scratch}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    default_type text/html;
    log_format hits escape=json
        '{{"ended":$msec,"took":$request_time,"uri":"$request_uri","status":$status}}';
    access_log {log} hits;
    sendfile on;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    {zone}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {root};
        index index.html;
        location = /robots.txt {{ }}
        location / {{ {limit} }}
    }}
}}
"""


def prepare(
    kind: str, *, listener: socket.socket, scratch: Path, log: Path, pages: int
) -> tuple[list[str], dict[str, str]]:
    """Lay out the site and the configuration; gives the command to run and what to add to its environment.

    Parameters:
        kind: ``req`` or ``conn``.
        listener: the socket that the child inherits; it listens already.
        scratch: an empty folder of the child's own.
        log: the file that gets a line of JSON for each answer.
        pages: how many pages there are.

    Raises:
        FileNotFoundError: nginx is not installed.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise FileNotFoundError("nginx is missing; install it with: apt-get install nginx-light")
    root = scratch / "root"
    (root / "page").mkdir(parents=True)
    links = "\n".join(f'<a href="/page/{n}">{n}</a>' for n in range(pages))
    (root / "index.html").write_text(f"<!doctype html><title>Front</title>{links}")
    padding = f"<!--{'.' * PADDING}-->" if kind == "conn" else ""
    for n in range(pages):
        text = f"<!doctype html><title>Page {n}</title><p>This is page {n}.</p>{padding}\n"
        (root / "page" / str(n)).write_text(text)
    zone, limit = LIMITS[kind]
    port = listener.getsockname()[1]
    config = scratch / "nginx.conf"
    config.write_text(CONFIG.format(scratch=scratch, log=log, zone=zone, limit=limit, port=port, root=root))
    command = [program, "-p", str(scratch), "-c", str(config), "-e", "stderr"]
    # How nginx hands its sockets to its successor when it is upgraded while it runs.
    return command, {"NGINX": f"{listener.fileno()};"}
