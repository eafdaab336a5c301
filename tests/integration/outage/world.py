"""Sites, name server and proxy on a network of their own, and crawls of them whose results are checked.

::

    with world(folder) as lab:
        crawl = lab.start_crawl()
        lab.wait_for_pages(8)
        lab.a.stop()              # connections are refused
        ...
        lab.a.start()
        result = lab.finish(crawl)

Three sites: ``a.test`` has pages enough for an outage in their midst, ``b.test`` is found on its start page, and
``c.test`` on a page that is fetched during the outage, so that its name is looked up then.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme
from integration.outage.network import DNS, Network, network
from support.environments import environment

__all__ = ["A_6", "DEAD", "PROXY", "A", "Result", "Site", "World", "world"]

SPIDER = Path(__file__).parents[1] / "kills" / "everything.py"
A, A_6, B, PROXY = "10.77.0.10", "fd77::10", "10.77.0.11", "10.77.0.20"
DEAD = "10.77.0.3"
"""An address that the servers have only to drop packets from. It is nearer to the crawler than `A`, so the system's
resolver puts it first (RFC 6724 rule 9)."""
PAGES = {"a.test": 32, "b.test": 12, "c.test": 4}
C_IS_ON = 20
"""Number of the page of ``a.test`` that links to ``c.test``."""
SETTINGS = {
    "delay": 0.08, "per_host": 2, "connect_timeout": 1, "request_deadline": 3, "grace": 1, "backoff_base": 0.1,
}  # fmt: skip
LONGEST = 60.0
"""Seconds that a crawl may take."""

# One process, whose pid is our child's. `$host` is the folder, also for requests that a proxy forwards.
CONFIG = """\
daemon off;
master_process off;
pid {scratch}/nginx.pid;
error_log {scratch}/error.log;
events {{ worker_connections 256; }}
http {{
    types {{ text/html html; }}
    log_format hits '$msec $status $scheme://$host$uri';
    access_log {log} hits;
    access_log off;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    server {{
{listens}        {serve}
    }}
}}
"""
FILES = "root {pages}/$host; index index.html; access_log {log} hits;"
FORWARD = "location / {{ proxy_pass http://{target}; proxy_set_header Host $host; }}"


class Site:
    """nginx at some addresses of the servers: files or a proxy.

    Parameters:
        net: The network.
        folder: An empty folder for its own files.
        serve: The part of the configuration that says what is served.
        log: The access log.
        listens: Addresses with ports, as ``listen`` has them.
        tls: Further lines for addresses with TLS.
    """

    def __init__(
        self, net: Network, folder: Path, serve: str, log: Path, listens: Sequence[str], tls: str = ""
    ) -> None:
        self.net, self.folder = net, folder
        folder.mkdir()
        lines = "".join(f"        listen {address};\n" for address in listens) + tls
        config = CONFIG.format(scratch=folder, log=log, listens=lines, serve=serve)
        (folder / "nginx.conf").write_text(config, encoding="ascii")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens: nginx then writes its pid.

        Raises:
            RuntimeError: It did not start; the message contains its output.
        """
        program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if program is None:
            raise RuntimeError("nginx is missing; install it with: apt-get install nginx-light")
        pid = self.folder / "nginx.pid"
        pid.unlink(missing_ok=True)
        command = [program, "-p", self.folder, "-c", self.folder / "nginx.conf", "-e", self.folder / "error.log"]
        with (self.folder / "output").open("w") as output:
            self._process = self.net.popen(self.net.servers, command, stdout=output, stderr=output)
        process = self._process
        if not _soon(lambda: process.poll() is not None or (pid.exists() and pid.read_text().strip() != "")):
            raise RuntimeError("nginx does not listen")
        if process.poll() is not None:
            raise RuntimeError((self.folder / "output").read_text() + (self.folder / "error.log").read_text())

    def stop(self) -> None:
        """Kill it: its system closes its connections, and refuses new ones."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@dataclass
class Result:
    """What a crawl and its servers say about it."""

    code: int
    """Exit code of the last run."""
    said: str
    """Standard error of all runs."""
    report: dict[str, Any]
    """The report of the last run."""
    items: Counter[str]
    """Number of items by URL."""
    expected: set[str]
    """URLs of all pages."""
    hits: list[tuple[float, int, str]]
    """Requests that the sites answered: seconds since the epoch, status, URL."""
    connections: int
    """Connections that the crawler tried to open, as its kernel counts them."""
    questions: int
    """Questions that the name server received."""
    finished: float
    """When the crawl ended, in seconds since the epoch."""
    began: float = 0.0
    """When the fault began, in seconds since the epoch."""
    ended: float = 0.0
    """When the fault ended, in seconds since the epoch."""

    @property
    def before(self) -> int:
        """Number of pages of ``a.test`` before the fault."""
        return self.served("a.test", until=self.began)

    @property
    def lost(self) -> int:
        """Number of pages without an item."""
        return len(self.expected - self.items.keys())

    @property
    def twice(self) -> int:
        """Number of items that repeat another one."""
        return sum(count - 1 for count in self.items.values())

    @property
    def refetches(self) -> int:
        """Number of answers that repeat an earlier one."""
        pages = Counter(url for _, status, url in self.hits if status == 200)
        return sum(count - 1 for count in pages.values())

    def served(self, host: str, *, since: float = 0.0, until: float = float("inf")) -> int:
        """Return the number of pages that a host served in some time, in seconds since the epoch."""
        return sum(since <= at < until and f"//{host}/" in url for at, _, url in self.hits)


class World:
    """The network with its servers; created by `world`."""

    def __init__(self, net: Network, folder: Path, scheme: str) -> None:
        self.net, self.folder, self.scheme = net, folder, scheme
        self.log = folder / "hits.log"
        self.log.touch()
        self.zone = folder / "zone.json"
        self.records = {"a.test": [A], "b.test": [B], "c.test": [B]}
        self.set_dns("")
        self.crawls: list[subprocess.Popen[str]] = []
        """All crawls that were started."""
        for address in (A, A_6, B, PROXY, DEAD):
            net.add_address(address)
        pages = _write_pages(folder / "pages", scheme)
        files = FILES.format(pages=pages, log=self.log)
        self.authority = folder / "authority.pem"
        valid, expired = _certificates(folder, self.authority)
        tls = scheme == "https"
        port, lines = ("443 ssl", valid) if tls else ("80", "")
        self.a = Site(net, folder / "a", files, self.log, [f"{A}:{port}", f"[{A_6}]:{port}"], lines)
        self.unkept = Site(
            net, folder / "unkept", f"{files} keepalive_timeout 0;", self.log, [f"{A}:{port}", f"[{A_6}]:{port}"], lines
        )
        """``a.test`` that closes each connection after one response."""
        self.b = Site(net, folder / "b", files, self.log, [f"{B}:{port}"], lines)
        self.plain = Site(net, folder / "plain", files, self.log, [f"{A}:443"])
        """HTTP without TLS on the port for HTTPS of ``a.test``: TLS handshakes fail."""
        self.expired = Site(net, folder / "expired", files, self.log, [f"{A}:443 ssl"], expired)
        """``a.test`` with a certificate that has expired."""
        self.gateway = Site(net, folder / "gateway", "location / { return 502; }", self.log, [f"{A}:80"])
        """A gateway in the place of ``a.test`` that cannot reach it."""
        self.proxy = Site(net, folder / "proxy", FORWARD.format(target=A), self.log, [f"{PROXY}:3128"])
        self.sites = (self.a, self.unkept, self.b, self.plain, self.expired, self.gateway, self.proxy)

    def set_dns(self, fault: str, *names: str) -> None:
        """Let the name server answer some names by a fault: ``servfail``, ``nxdomain``, ``silent`` or ``garbage``."""
        state = {"records": self.records, "fault": fault, "names": names}
        beside = self.zone.with_suffix(".new")
        beside.write_text(json.dumps(state), encoding="ascii")
        beside.replace(self.zone)

    def start_crawl(self, *, job: bool = False, settings: Mapping[str, Any] | None = None) -> Any:
        """Start a crawl of all sites, in a process of its own."""
        given = ["--job", "job"] if job else []
        for name, value in (SETTINGS | dict(settings or {})).items():
            given += ["-s", f"{name}={value}"]
        command = [
            sys.executable, "-m", "crawler", "run", SPIDER, "-o", "items.jsonl", "--report", "report.json", *given,
            "-a", f"front={self.scheme}://a.test/", "-a", f"hosts={json.dumps(list(PAGES))}",
        ]  # fmt: skip
        with (self.folder / "said").open("a") as said:
            crawl = self.net.popen(
                self.net.crawler, command, cwd=self.folder, env=environment(SSL_CERT_FILE=str(self.authority)),
                stdin=subprocess.DEVNULL, stderr=said,
            )  # fmt: skip
        self.crawls.append(crawl)
        return crawl

    def wait_for_pages(self, pages: int, crawl: Any) -> None:
        """Wait until ``a.test`` has served some pages.

        Raises:
            AssertionError: It did not.
        """
        assert _soon(lambda: crawl.poll() is not None or sum("//a.test/" in hit[2] for hit in self.hits()) >= pages)
        assert crawl.poll() is None, self.output()

    def hits(self) -> list[tuple[float, int, str]]:
        """Return what the sites have answered: seconds since the epoch, status, URL."""
        lines = [line.split() for line in self.log.read_text(encoding="utf-8").split("\n")[:-1]]
        return [(float(at), int(status), url) for at, status, url in lines]

    def output(self) -> str:
        """Return what the crawls have written to standard error."""
        return (self.folder / "said").read_text(encoding="utf-8")

    def finish(self, crawl: Any) -> Result:
        """Wait for the end of a crawl, and return its result."""
        code = crawl.wait(timeout=LONGEST)
        finished = time.time()
        items, report = self.folder / "items.jsonl", self.folder / "report.json"
        found = Counter(json.loads(line)["url"] for line in items.read_text().splitlines()) if items.exists() else {}
        return Result(
            code=code,
            said=self.output(),
            report=json.loads(report.read_text()) if report.exists() else {},
            items=Counter(found),
            expected={url_of(self.scheme, host, n) for host, pages in PAGES.items() for n in range(pages)},
            hits=self.hits(),
            connections=self._connections(),
            questions=len((self.folder / "questions").read_text().splitlines()) - 1,
            finished=finished,
        )

    def _connections(self) -> int:
        with self.net.popen(self.net.crawler, ["cat", "/proc/net/snmp"], stdout=subprocess.PIPE) as counters:
            names, values = (line.split() for line in counters.stdout or () if line.startswith("Tcp:"))
        return int(values[names.index("ActiveOpens")])


@contextmanager
def world(folder: Path, *, scheme: str = "http") -> Iterator[World]:
    """Create the network and start its servers, except the proxy; stop and remove all when the block is left.

    Parameters:
        folder: An empty folder.
        scheme: ``http`` or ``https``, of all sites.
    """
    with network() as net:
        lab = World(net, folder, scheme)
        program = [sys.executable, Path(__file__).parent / "dns_server.py", DNS, lab.zone]
        with (folder / "questions").open("w") as questions:
            server = net.popen(net.servers, program, stdout=questions)
        try:
            lab.a.start()
            lab.b.start()
            if not _soon(lambda: "ready" in (folder / "questions").read_text()):
                raise RuntimeError("the name server did not start")
            yield lab
        finally:
            for site in lab.sites:
                site.stop()
            for process in (server, *lab.crawls):
                process.kill()
                process.wait()


def url_of(scheme: str, host: str, number: int) -> str:
    """Return the URL of a page."""
    return f"{scheme}://{host}/" if number == 0 else f"{scheme}://{host}/{number}.html"


def _write_pages(folder: Path, scheme: str) -> Path:
    """Write the pages of all sites: page `n` links to 2n + 1 and 2n + 2, and some to the start pages of other sites."""
    for host, pages in PAGES.items():
        (folder / host).mkdir(parents=True)
        for n in range(pages):
            links = [url_of(scheme, host, child) for child in (2 * n + 1, 2 * n + 2) if child < pages]
            if host == "a.test" and n in (0, C_IS_ON):
                links.append(url_of(scheme, "b.test" if n == 0 else "c.test", 0))
            text = f"<h1>{n}</h1>" + "".join(f"<a href='{link}'>x</a>" for link in links)
            (folder / host / (f"{n}.html" if n else "index.html")).write_text(text, encoding="ascii")
    return folder


def _certificates(folder: Path, authority: Path) -> tuple[str, str]:
    """Write an authority; return the lines of nginx for a valid and for an expired certificate that it has signed."""
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(authority)
    lines = []
    for name, days in (("valid", 1), ("expired", -1)):
        path = folder / f"{name}.pem"
        until = datetime.now(UTC) + timedelta(days=days)
        issued = issuer.issue_cert(*PAGES, not_before=until - timedelta(days=2), not_after=until)
        issued.private_key_and_cert_chain_pem.write_to_path(path)
        lines.append(f"        ssl_certificate {path};\n        ssl_certificate_key {path};\n")
    return lines[0], lines[1]


def _soon(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Return whether a condition becomes true within some seconds."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.01)
    return True
