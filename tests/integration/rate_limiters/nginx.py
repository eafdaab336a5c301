"""nginx with its two limiters: ``limit_req`` (a rate) and ``limit_conn`` (concurrency).

Neither declares the limit: a refusal is a 503, or a 429, without further header fields.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

__all__ = ["AT_ONCE", "PAGE_SECONDS", "prepare"]

AT_ONCE = 4
"""Requests in flight that ``limit_conn`` allows."""
CHUNK, RATE, PADDING = 8000, 10_000, 8800
PAGE_SECONDS = 0.845
"""Seconds that a page takes with ``limit_conn``: nginx sends one chunk, waits as the rate requires, and sends the rest.
A page is larger than a chunk and smaller than the bytes that the rate allows per second: nginx counts whole seconds of
the clock and would otherwise pause again at the end of one."""

# The first bucket accepts `burst` + 1 at once and then one every 250 ms: 20 in 5 seconds, refilled continuously. The
# second one is small, and refilled every 50 ms.
LIMITS = {
    "req": (
        "limit_req_zone $binary_remote_addr zone=limited:1m rate=4r/s;",
        "limit_req zone=limited burst=19 nodelay;",
    ),
    "burst": (
        "limit_req_zone $binary_remote_addr zone=limited:1m rate=20r/s;",
        "limit_req zone=limited burst=5 nodelay; limit_req_status 429;",
    ),
    "conn": (
        "limit_conn_zone $binary_remote_addr zone=limited:1m;",
        f"limit_conn limited {AT_ONCE}; limit_rate {RATE}; sendfile_max_chunk {CHUNK};",
    ),
}

# One process, whose pid is our child's. `return` would respond before the limits are checked, so the pages are files.
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
    """Write the site and the configuration; return the command and its additional environment variables.

    Parameters:
        kind: a key of `LIMITS`.
        listener: the socket that the child inherits, already listening.
        scratch: an empty folder for the child.
        log: the file that receives a line of JSON for each response.
        pages: number of pages.

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
    # nginx passes its sockets in this variable to its successor when it is upgraded at run time.
    return command, {"NGINX": f"{listener.fileno()};"}
