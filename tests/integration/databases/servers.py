"""Real database servers for tests: child processes with their own data, on sockets in a scratch folder.

::

    with postgresql() as server:
        psycopg.connect(server.url)
        server.stop()   # as by a crash
        server.start()

The configuration, data and services of the system's servers are neither read nor changed. No registry of packages
has MongoDB: SecantusDB, which speaks its protocol and stores with WiredTiger as it does, takes its place. Azurite, of
Microsoft, takes that of Azure.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import pymongo.errors
from integration.rate_limiters.packages import CACHE, installed, node_modules, run

__all__ = [
    "Azure",
    "Server",
    "ask_redis",
    "azure",
    "mariadb",
    "mongodb",
    "postgresql",
    "redis",
    "redis_cluster",
    "redis_pair",
]

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
"""Where Debian installs the programs of PostgreSQL, the newest first."""
PASSWORD = "pass/word@"
LONGEST = 60.0
"""Timeout of a start or a stop, in seconds."""


@dataclass
class Server:
    """A server that can be stopped and started again."""

    url: str
    """The URL of its database, as ``-o`` takes it."""
    command: Sequence[str | Path]
    is_ready: Callable[[], bool]
    scratch: Path
    user: str | None = None
    """The user that it runs as; `None`: the user of the tests."""
    crash: signal.Signals = signal.SIGKILL
    """Ends it at once, with its child processes."""
    process: subprocess.Popen[bytes] | None = None
    namespace: str = ""
    """The network namespace that it runs in; empty: that of the tests."""

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        command, options = self.command, _run_as(self.user)
        if self.namespace:
            command = [*_inside(self.namespace, options), *command]
            options = {}
        with (self.scratch / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **options
            )
        give_up_at = time.monotonic() + LONGEST
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > give_up_at:
                self.stop()
                raise RuntimeError(f"{self.command[0]} does not answer:\n{(self.scratch / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server as a crash does: at once, so that it has to recover at its next start."""
        if self.process is not None:
            self.process.send_signal(self.crash)
            self.process.wait(LONGEST)
            self.process = None


@contextmanager
def postgresql(*, durable: bool = False, namespace: str = "", host: str = "") -> Iterator[Server]:
    """Run PostgreSQL until the block is left.

    Parameters:
        durable: Whether each commit waits for the disk, as it does by default.
        namespace: The network namespace that it runs in; empty: that of the tests.
        host: Its address in that namespace; empty: it accepts connections to its socket only.

    Raises:
        FileNotFoundError: It is not installed.
    """
    initdb, program = _find("initdb"), _find("postgres")
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    with _scratch(user) as scratch:
        data = scratch / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", "crawler", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
            check=True, capture_output=True, cwd="/", **_run_as(user),
        )  # fmt: skip
        fsync = "on" if durable else "off"
        listening = "*" if host else ""
        command = [
            program, "-D", data, "-k", scratch, "-h", listening, "-c", f"fsync={fsync}", "-c", "max_connections=40"
        ]  # fmt: skip
        if host:
            with (data / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {host}/8 trust\n")
        url = f"postgresql:///postgres?host={host or scratch}&user=crawler"
        server = Server(url, command, lambda: _connects("psycopg", url), scratch, user, signal.SIGQUIT)
        server.namespace = namespace
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgresql_standby(primary: Server) -> Iterator[Server]:
    """Run a standby of a server of PostgreSQL, which receives its commits asynchronously, until the block is left."""
    user = primary.user
    with _scratch(user) as scratch:
        data = scratch / "data"
        subprocess.run(
            [_find("pg_basebackup"), "-d", primary.url, "-D", data, "-R", "-c", "fast", "--no-sync"],
            check=True, capture_output=True, cwd="/", **_run_as(user),
        )  # fmt: skip
        command = [
            primary.command[0],
            "-D",
            data,
            "-k",
            scratch,
            "-h",
            "",
            "-c",
            "fsync=off",
            "-c",
            "max_connections=40",
        ]
        url = f"postgresql:///postgres?host={scratch}&user=crawler"
        server = Server(url, command, lambda: _connects("psycopg", url), scratch, user, signal.SIGQUIT)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def mariadb() -> Iterator[Server]:
    """Run MariaDB until the block is left.

    Raises:
        FileNotFoundError: It is not installed.
    """
    install, program = _find("mariadb-install-db"), _find("mariadbd")
    user = pwd.getpwuid(os.geteuid()).pw_name
    with _scratch(None) as scratch:
        data = scratch / "data"
        own = ["--no-defaults", f"--datadir={data}", f"--user={user}", "--innodb-log-file-size=8M"]
        subprocess.run(
            [install, *own, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"],
            check=True, capture_output=True,
        )  # fmt: skip
        port = _free_port()
        command = [
            program, *own, "--bind-address=127.0.0.1", f"--port={port}", f"--socket={scratch}/socket",
            f"--pid-file={scratch}/pid", "--innodb-flush-log-at-trx-commit=2", f"--init-file={scratch}/init.sql",
            "--skip-name-resolve",
        ]  # fmt: skip
        (scratch / "init.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS crawl CHARACTER SET latin1;\n"
            f"CREATE USER IF NOT EXISTS crawler@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON crawl.* TO crawler@'127.0.0.1';\n"
        )
        named = {"host": "127.0.0.1", "port": port, "user": "crawler", "password": PASSWORD, "database": "crawl"}
        url = f"mariadb://crawler:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/crawl"
        server = Server(url, command, lambda: _connects("pymysql", **named), scratch)
        server.start()
        try:
            yield server
        finally:
            server.stop()


SECANTUS: Final = "secantusdb==0.7.0b3"


@contextmanager
def mongodb() -> Iterator[Server]:
    """Run a server that speaks the protocol of MongoDB until the block is left. A write waits for the disk."""
    version = f"py{sys.version_info.major}.{sys.version_info.minor}"
    install = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", ".", SECANTUS]
    packages = installed(CACHE / f"{SECANTUS}-{version}", lambda folder: run(install, folder))
    with _scratch(None) as scratch:
        port = _free_port()
        command = [
            "env", f"PYTHONPATH={packages}", sys.executable, "-m", "secantus",
            "--host", "127.0.0.1", "--port", str(port), "--storage-path", scratch / "data", "--sync-on-commit",
            "--log-level", "WARNING",
        ]  # fmt: skip
        url = f"mongodb://127.0.0.1:{port}/crawl"
        server = Server(url, command, lambda: _pings(url), scratch)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@dataclass
class Azure(Server):
    """A server of Azure Blob Storage."""

    variables: Mapping[str, str] = field(default_factory=dict)
    """The environment variables of its clients."""


ACCOUNT: Final = "devstoreaccount1"
ACCOUNT_KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""What everybody's Azurite has."""


@contextmanager
def azure() -> Iterator[Azure]:
    """Run Azurite, with an empty container ``bucket``, until the block is left."""
    program = node_modules(source=Path(__file__).parent / "node") / "azurite/dist/src/blob/main.js"
    with _scratch(None) as scratch:
        port = _free_port()
        url = f"http://127.0.0.1:{port}/{ACCOUNT}"
        command = [
            "node", program, "--location", scratch / "data", "--blobHost", "127.0.0.1", "--blobPort", str(port),
            "--silent", "--disableTelemetry", "--skipApiVersionCheck",
        ]  # fmt: skip
        variables = {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY,
            "AZURE_ENDPOINT": url, "AZURE_ALLOW_HTTP": "true",
        }  # fmt: skip
        # Killed at once, it would forget what it has acknowledged in the last seconds.
        server = Azure(
            "az://bucket", command, lambda: _answers(url), scratch, None, signal.SIGTERM, variables=variables
        )
        server.start()
        try:
            _create_container(url, "bucket")
            yield server
        finally:
            server.stop()


def _answers(url: str) -> bool:
    try:
        httpx.get(url, trust_env=False)
    except httpx.TransportError:
        return False
    return True


def _create_container(url: str, name: str) -> None:
    """Create a container, which obstore cannot do; the request is signed with the key of the account."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    signed = "".join(f"{key}:{value}\n" for key, value in headers.items())
    text = f"PUT{12 * chr(10)}{signed}/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    signature = hmac.digest(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256)
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}"
    httpx.put(f"{url}/{name}?restype=container", headers=headers, trust_env=False).raise_for_status()


@contextmanager
def redis(
    program: str = "redis-server", *options: str, namespace: str = "", host: str = "127.0.0.1"
) -> Iterator[Server]:
    """Run Redis, or Valkey, with an append-only file that is synced at each write, until the block is left.

    Parameters:
        program: ``redis-server`` or ``valkey-server``.
        *options: Further arguments of the program.
        namespace: The network namespace that it runs in; empty: that of the tests.
        host: Its address in that namespace.

    Raises:
        FileNotFoundError: It is not installed.
    """
    with _scratch(None) as scratch:
        port = _free_port()
        bound = "0.0.0.0" if namespace else host
        own = ["--bind", bound, "--port", str(port), "--dir", str(scratch), "--save", "", "--appendonly", "yes"]
        command = [_find(program), *own, "--appendfsync", "always", "--requirepass", PASSWORD, *options]
        url = f"redis://:{quote(PASSWORD, safe='')}@{host}:{port}"
        server = Server(url, command, lambda: _pongs(host, port), scratch, namespace=namespace)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def ask_redis(server: Server, *words: str) -> str:
    """Return what a server of Redis answers to a command."""
    host, port = server.url.rpartition("@")[2].partition("?")[0].split(":")
    command = [_find("redis-cli"), "--no-auth-warning", "-a", PASSWORD, "-h", host, "-p", port, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=LONGEST).stdout


@dataclass
class RedisPair(Server):
    """A primary and its replica. When both are stopped and started, they have changed places.

    So the primary that is started has what the replica had, as after a failover.
    """

    replica: Server | None = None

    def start(self) -> None:
        """Start both, and wait until the replica follows and has written what it has received."""
        assert self.replica is not None
        super().start()
        self.replica.start()
        give_up_at = time.monotonic() + LONGEST
        while not self._is_ready_to_be_killed():
            assert time.monotonic() < give_up_at
            time.sleep(0.02)

    def _is_ready_to_be_killed(self) -> bool:
        """Return whether the replica follows, and would have everything after a crash.

        A replica that has received all data writes its append-only file again. Before that is done, the file is empty.
        """
        assert self.replica is not None
        if "state=online" not in ask_redis(self, "info", "replication"):
            return False
        found = ask_redis(self.replica, "info", "replication", "persistence").split()
        wanted = ("master_link_status:up", "aof_enabled:1", "aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0")
        return all(each in found for each in wanted)

    def stop(self) -> None:
        """Kill both, the primary first."""
        assert self.replica is not None
        super().stop()
        self.replica.stop()
        own, other = list(self.command), list(self.replica.command)
        place = own.index("--dir") + 1
        own[place], other[place] = other[place], own[place]
        self.command, self.replica.command = own, other


@contextmanager
def redis_pair(*, replicas: int = 1) -> Iterator[RedisPair]:
    """Run Redis with a replica, whose URL asks for so many `replicas`, until the block is left."""
    quick = ("--repl-diskless-sync-delay", "0", "--masterauth", PASSWORD)
    with redis("redis-server", *quick) as first:
        place = first.url.rpartition(":")[2]
        with redis("redis-server", *quick, "--replicaof", f"127.0.0.1 {place}") as second:
            first.stop()
            second.stop()
            url = f"{first.url}?replicas={replicas}"
            pair = RedisPair(url, first.command, first.is_ready, first.scratch, replica=second)
            pair.start()
            try:
                yield pair
            finally:
                pair.stop()


@contextmanager
def redis_cluster(replicas: int = 0) -> Iterator[list[Server]]:
    """Run a cluster of Redis with three primaries, each with so many replicas, and return its nodes."""
    cluster = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--masterauth", PASSWORD)
    quick = ("--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0")
    with ExitStack() as stack:
        nodes = [stack.enter_context(redis("redis-server", *cluster, *quick)) for _ in range(3 + 3 * replicas)]
        places = [node.url.rpartition("@")[2] for node in nodes]
        cli = [_find("redis-cli"), "--no-auth-warning", "-a", PASSWORD]
        options = ["--cluster-replicas", str(replicas), "--cluster-yes"]
        subprocess.run(
            [*cli, "--cluster", "create", *places, *options], check=True, capture_output=True, timeout=LONGEST
        )
        for place in places[:3]:
            asking = [*cli, "-p", place.rpartition(":")[2], "info", "replication"]
            while subprocess.check_output(asking, text=True).count("state=online") < replicas:
                time.sleep(0.05)
        yield nodes


def _pongs(host: str, port: int) -> bool:
    """Return whether a server of Redis has loaded its data."""
    try:
        with socket.create_connection((host, port), 1) as connection:
            connection.sendall(b"AUTH %s\r\nPING\r\n" % PASSWORD.encode())
            answer = b""
            while answer.count(b"\n") < 2 and (part := connection.recv(100)):
                answer += part
            return b"+PONG" in answer
    except OSError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def _find(program: str) -> str:
    path = os.pathsep.join([*map(str, DEBIAN), os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(program, path=path)
    if found is None:
        raise FileNotFoundError(
            f"{program} is missing; install it with: apt-get install postgresql mariadb-server-core "
            "mariadb-client-core redis-server valkey-server"
        )
    return found


@contextmanager
def _scratch(user: str | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="databases-") as name:
        if user is not None:
            shutil.chown(name, user)
        yield Path(name)


def _run_as(user: str | None) -> dict[str, Any]:
    """Return the arguments of `subprocess` that run a program as a user."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _inside(namespace: str, options: Mapping[str, Any]) -> list[str]:
    """Return the programs that run a command in a network namespace, as the user that the options of a child name.

    They replace themselves by the command, so the process is that of the server.
    """
    user = ["setpriv", f"--reuid={options['user']}", f"--regid={options['group']}", "--clear-groups"] if options else []
    return ["ip", "netns", "exec", namespace, *user]


def _connects(module: str, *arguments: Any, **named: Any) -> bool:
    library = __import__(module)
    try:
        library.connect(*arguments, **named).close()
    except library.OperationalError:
        return False
    return True


def _pings(url: str) -> bool:
    with pymongo.MongoClient[Any](url, serverSelectionTimeoutMS=200) as client:
        try:
            client.admin.command("ping")
        except pymongo.errors.ConnectionFailure:
            return False
    return True
