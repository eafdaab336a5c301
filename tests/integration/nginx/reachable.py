"""The URLs of a folder that a crawl must find, computed from the files without a server or code of the framework.

::

    expected = reachable(Path("/usr/share/doc/sqlite3"), "http://127.0.0.1:8080/")
    assert set(crawled) == set(expected)

It follows ``<a href>`` from the front page and maps each URL to a file as `integration.nginx.nginx` does:
``index.html`` for a folder, a redirect for a folder without a trailing slash (the final URL is the page), no page for
404 and 403, another URL for another query. A file that is not HTML is a page without a title and links.
"""

from __future__ import annotations

import posixpath
import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from integration.nginx.page import read

__all__ = ["Found", "locate", "reachable", "resolve"]

HTML_ENDINGS = (".htm", ".html")

# URL Standard, section 1.3: the characters that are kept in a path and in a query; the rest is percent-encoded.
PATH_SAFE = "/%!$&'()*+,;=:@[]|"
QUERY_SAFE = "/%!$&()*+,;=:@[]|?^`{}\\"

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
# URL Standard, section 3.1: forbidden in a host; manuals write <host> as a placeholder.
NO_HOST = re.compile(r"[\0-\x20<>^|%]")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True)
class Found:
    """The content of one page that a crawl must find."""

    title: str | None
    """The text of the first ``<title>``, white space collapsed; `None` if there is none."""
    links: int
    """Number of distinct web URLs of its ``<a href>``, on any host, without fragments."""


def reachable(root: Path, front: str) -> dict[str, Found]:
    """Return every page under `front` that is reachable by links, by its final URL.

    Parameters:
        root: the folder that is served.
        front: the URL under which it is served, ``http://127.0.0.1:8080/``.
    """
    origin = front.rstrip("/")
    pages: dict[str, Found] = {}
    asked = {front}
    waiting = deque([front])
    while waiting:
        place = locate(root, origin, waiting.popleft())
        if place is None or place[0] in pages:
            continue
        url, file = place
        targets: set[str] = set()
        title = None
        if file.suffix.lower() in HTML_ENDINGS:
            page = read(file.read_bytes())
            title = page.title
            base = (page.base is not None and resolve(url, page.base)) or url
            targets = {target for href in page.hrefs if (target := resolve(base, href)) is not None}
        pages[url] = Found(title=title, links=len(targets))
        fresh = {target for target in targets if target.startswith(origin + "/")} - asked
        asked |= fresh
        waiting.extend(fresh)
    return pages


def locate(root: Path, origin: str, url: str) -> tuple[str, Path] | None:
    """Return the final URL and the file that nginx serves for `url`; `None` if it responds with an error."""
    escaped, mark, query = url.removeprefix(origin).partition("?")
    if BAD_ESCAPE.search(escaped):
        return None
    path = posixpath.normpath(re.sub("/+", "/", unquote(escaped, errors="surrogateescape")))
    file = root / path.lstrip("/")
    if not escaped.endswith("/") and file.is_dir():
        escaped = quote(path, safe=PATH_SAFE, errors="surrogateescape") + "/"
    elif escaped.endswith("/") and not file.is_dir():
        return None
    if file.is_dir():
        file /= "index.html"
    return (origin + escaped + mark + query, file) if file.is_file() else None


def resolve(base: str, href: str) -> str | None:
    """Resolve `href` on a page at `base` as a browser does, without the fragment; `None` if it is not a web URL."""
    href = re.sub("[\t\n\r]", "", href.strip("".join(map(chr, range(33)))))
    href = href.partition("#")[0]
    scheme = SCHEME.match(href)
    if scheme is not None:
        name, rest = scheme[1].lower(), href[scheme.end() :]
        if name not in DEFAULT_PORTS:
            return None
        # `http:page` is relative if the base has the same scheme; otherwise `page` is the host.
        relative = base.startswith(name + ":") and not rest.startswith("//")
        href = rest if relative else f"{name}://{rest.lstrip('/')}"
    path, mark, query = href.partition("?")
    path = path.replace("\\", "/")
    if not path:
        return f"{base.partition('?')[0]}{mark}{quote(query, safe=QUERY_SAFE)}" if mark else base
    here = urlsplit(base)
    name, host, there = here.scheme, here.netloc, path
    if SCHEME.match(path):
        name, _, there = path.partition(":")
    if there.startswith("//"):
        host, slash, rest = there[2:].partition("/")
        host = host.lower().removesuffix(DEFAULT_PORTS[name])
        there = slash + rest
    elif not there.startswith("/"):
        there = here.path.rpartition("/")[0] + "/" + there
    if not host or NO_HOST.search(host.rpartition("@")[2]):
        return None
    return f"{name}://{host}{quote(_without_dots(there), safe=PATH_SAFE)}{mark}{quote(query, safe=QUERY_SAFE)}"


def _without_dots(path: str) -> str:
    """Remove ``.`` and ``..`` from an absolute path; empty segments are kept (RFC 3986 section 5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1:] in ([".."], ["."]):
        kept.append("")
    return "/" + "/".join(kept)
