"""HAProxy with a stick table of rates: ``http_req_rate(5s)`` by address, and three ways to refuse.

It does not declare the limit, and counts the requests that it refuses.
"""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["TARPIT_SECONDS", "prepare"]

TARPIT_SECONDS = 0.5
"""Seconds after which a request in the tarpit is refused."""
WAYS = {
    "429": "deny deny_status 429",
    "503": "deny deny_status 503",
    "403": "deny",
    "tarpit": "tarpit deny_status 429",
}
"""The action for requests beyond the limit; the default status of a denied request is 403."""

# Pages are made of their paths, since there is no server behind the proxy. With several threads, a request too many is
# sometimes served.
CONFIG = """\
global
    log stdout format raw local0
    maxconn 2000
    nbthread 1
defaults
    mode http
    log global
    log-format '{{"ended":%[date(0,ms)]e-3,"took":%[txn.timer.total]e-3,"uri":"%HU","status":%ST}}'
    timeout client 75s
    timeout server 75s
    timeout connect 5s
    timeout tarpit {tarpit:.0f}ms
frontend site
    bind fd@{fd}
    http-request return status 404 if {{ path /robots.txt }}
    http-request track-sc0 src table rates
    http-request {deny} if {{ sc_http_req_rate(0) gt 20 }}
    http-request return status 200 content-type text/html file {front} if {{ path / }}
    http-request return status 200 content-type text/html lf-file {page} if {{ path_reg ^/page/[0-9]{{1,2}}$ }}
    http-request return status 404
backend rates
    stick-table type ipv6 size 1k expire 60s store http_req_rate(5s)
"""


def prepare(way: str, *, fd: int, scratch: Path, pages: int) -> list[str]:
    """Write the configuration and return the command.

    Parameters:
        way: a key of `WAYS`.
        fd: the listening socket that the child inherits.
        scratch: an empty folder for the child.
        pages: number of pages, at most a hundred.

    Raises:
        FileNotFoundError: HAProxy is not installed.
    """
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise FileNotFoundError("HAProxy is missing; install it with: apt-get install haproxy")
    links = "\n".join(f'<a href="/page/{n}">{n}</a>' for n in range(pages))
    (scratch / "front.html").write_text(f"<!doctype html><title>Front</title>{links}")
    number = "%[path,field(3,/)]"
    (scratch / "page.html").write_text(f"<!doctype html><title>Page {number}</title><p>This is page {number}.</p>\n")
    config = scratch / "haproxy.cfg"
    config.write_text(
        CONFIG.format(
            fd=fd,
            deny=WAYS[way],
            tarpit=1000 * TARPIT_SECONDS,
            front=scratch / "front.html",
            page=scratch / "page.html",
        )
    )
    return [program, "-db", "-f", str(config)]
