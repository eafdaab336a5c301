"""A real web server for tests: nginx as a child process on loopback, with its own configuration.

::

    with serve({"manual": Path("/usr/share/doc/sqlite3")}, log=Path("access.log")) as urls:
        fetch(urls["manual"])  # http://127.0.0.1:PORT/
    hits = read_log(Path("access.log"))

Each folder has its own port, hence its own origin and ``robots.txt``. The configuration, logs and service of the
system's nginx are neither read nor changed.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme

__all__ = ["MIME_TYPES", "Hit", "free_ports", "read_log", "running", "serve"]

MIME_TYPES = {
    "application/gzip": "gz",
    "application/javascript": "js",
    "application/json": "json",
    "application/pdf": "pdf",
    "application/xml": "xml",
    "image/gif": "gif",
    "image/jpeg": "jpeg jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/x-icon": "ico",
    "text/css": "css",
    "text/html": "html htm",
    "text/plain": "txt",
}
"""File name endings by media type; other files are served as ``application/octet-stream``, except one that is named
``.html``, in which nginx sees no ending."""

# `daemon off` and `master_process off`: one process, whose pid is our child's. It keeps the rights of its caller, so it
# can read every file that the test can read.
CONFIG = """\
daemon off;
master_process off;
pid {scratch}/nginx.pid;
error_log {scratch}/error.log;
events {{ worker_connections 1024; }}
http {{
    types {{ {types} }}
    default_type application/octet-stream;
    log_format hits escape=json '{{"time":$msec,"port":$server_port,"method":"$request_method","uri":"$request_uri",'
        '"status":$status,"bytes":$body_bytes_sent,"connection":$connection,"agent":"$http_user_agent"}}';
    access_log {log};
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 75s;
    keepalive_requests 1000000;
    absolute_redirect off;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
{servers}}}
"""
SERVER = """\
    server {{
        listen 127.0.0.1:{port}{tls} backlog=1024; root "{root}"; index index.html; limit_rate {rate};{more}
        location ~ "/\\.html$" {{ default_type text/html; }}
    }}
"""
CODED = " gzip on; gzip_types *; gzip_min_length 1;"
HTTP2 = ' http2 on; ssl_certificate "{scratch}/server.pem"; ssl_certificate_key "{scratch}/server.pem";'


@dataclass(frozen=True)
class Hit:
    """A request, as nginx logged it after sending the response."""

    time: float
    """Seconds since the epoch, to a millisecond."""
    port: int
    """The port that received it, which identifies the folder."""
    method: str
    uri: str
    """Path and query exactly as sent; empty if nginx could not parse them (400)."""
    status: int
    bytes: int
    """Bytes of body sent."""
    connection: int
    """The serial number of its connection."""
    agent: str
    """The ``User-Agent`` header field; empty if missing."""


def read_log(path: Path) -> list[Hit]:
    """Return the requests of an access log that `serve` wrote, in the order of their responses."""
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        return [Hit(**json.loads(line)) for line in lines]


@contextmanager
def serve(
    folders: Mapping[str, Path],
    *,
    log: Path | None = None,
    rate: int = 0,
    seconds: float = 10.0,
    coded: bool = False,
    http2: trustme.CA | None = None,
) -> Iterator[dict[str, str]]:
    """Serve folders with nginx until the block is left; yield the base URL of each.

    The URL of a folder without a trailing slash is redirected to the one with it (301), a folder without
    ``index.html`` is refused (403), symbolic links are followed, connections are kept alive.

    Parameters:
        folders: the folder to serve under each name.
        rate: bytes per second for each request; 0 means no limit.
        log: the file for the access log, one JSON object per line, read by `read_log`; `None` means no log.
        seconds: time within which every port must accept connections.
        coded: whether text is sent with ``Content-Encoding: gzip`` to clients that accept it.
        http2: the authority that signs the certificate of a server of HTTP/2 over TLS; `None` means HTTP/1.1 in plain.

    Raises:
        FileNotFoundError: nginx is not installed.
        RuntimeError: nginx did not start; the message contains its output.
    """
    with tempfile.TemporaryDirectory(prefix="nginx-") as name:
        scratch = Path(name)
        ports = free_ports(len(folders))
        more = (CODED if coded else "") + (HTTP2.format(scratch=scratch) if http2 is not None else "")
        if http2 is not None:
            http2.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(scratch / "server.pem"))
        servers = "".join(
            SERVER.format(port=port, root=root.resolve(), rate=rate, tls=" ssl" if http2 is not None else "", more=more)
            for port, root in zip(ports, folders.values(), strict=True)
        )
        types = " ".join(f"{kind} {endings};" for kind, endings in MIME_TYPES.items())
        access = "off" if log is None else f'"{log.resolve()}" hits'
        config = CONFIG.format(scratch=scratch, types=types, log=access, servers=servers)
        with running(config, ports, scratch, seconds):
            scheme = "http" if http2 is None else "https"
            yield {name: f"{scheme}://127.0.0.1:{port}/" for name, port in zip(folders, ports, strict=True)}


@contextmanager
def running(config: str, ports: Sequence[int], scratch: Path, seconds: float = 10.0) -> Iterator[None]:
    """Run nginx with a configuration of one process until the block is left.

    Parameters:
        config: its text.
        ports: the ports of loopback at which it listens.
        scratch: a folder for its files.
        seconds: time within which every port must accept connections.

    Raises:
        FileNotFoundError: nginx is not installed.
        RuntimeError: nginx did not start; the message contains its output.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise FileNotFoundError("nginx is missing; install it with: apt-get install nginx-light")
    file = scratch / "nginx.conf"
    file.write_text(config)
    command = [program, "-p", str(scratch), "-c", str(file), "-e", str(scratch / "error.log")]
    with (scratch / "output").open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _wait_until_answering(process, ports, scratch, seconds)
        yield
    finally:
        _stop(process)


def free_ports(count: int) -> list[int]:
    """Return free ports of loopback; all are held until the last one is known, so they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


def _wait_until_answering(
    process: subprocess.Popen[bytes], ports: Sequence[int], scratch: Path, seconds: float
) -> None:
    """Wait until every port accepts connections; fail with nginx's output if it ended or took too long."""
    give_up_at = time.monotonic() + seconds
    for port in ports:
        while True:
            if process.poll() is not None or time.monotonic() > give_up_at:
                files = [scratch / "output", scratch / "error.log"]
                said = "".join(file.read_text() for file in files if file.exists())
                raise RuntimeError(f"nginx does not answer on port {port}, exit code {process.returncode}:\n{said}")
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.01)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate the child; kill it after two seconds."""
    process.terminate()
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
