"""The faults of the lab, and what a crawl makes of each: `observe` runs a crawl and causes a fault in its midst.

``PYTHONPATH=tests python -m integration.outage.faults`` prints the table of `docs/explanation/outages.md`.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration.outage.world import A_6, DEAD, PROXY, A, Result, Site, World, world

__all__ = ["FAULTS", "Fault", "observe", "observe_all"]

SECONDS = 3.0
"""Duration of most faults: longer than all attempts of a request take without regard to outages."""
FLAP = 0.8
"""Seconds that a flapping server is down, and seconds that it is up."""
PAGES_BEFORE = 8
"""Pages of ``a.test`` before the fault begins."""
AT_ONCE = 8
"""Faults that are observed at the same time, each in a network of its own; most of the time is spent waiting."""

Cause = Callable[[World], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """A fault, and how a crawl meets it."""

    what: str
    """The fault in words, for the manual."""
    cause: Cause
    """Causes the fault while its block runs."""
    job: bool = False
    """Whether the crawl is a durable job."""
    seconds: float = SECONDS
    """Duration of the fault."""
    scheme: str = "http"
    settings: Mapping[str, Any] = field(default_factory=dict)
    from_start: bool = False
    """Whether the fault is there before the crawl starts."""
    kill: signal.Signals | None = None
    """The signal that ends the crawl in the fault; it is resumed while the fault lasts."""
    heals: bool = True
    """Whether the fault ends before the crawl does."""
    is_complete: bool = True
    """Whether the crawl can get all pages, although the fault may never end."""


@contextmanager
def refused(lab: World) -> Iterator[None]:
    """``a.test`` is stopped: its system refuses connections."""
    lab.a.stop()
    yield
    lab.a.start()


@contextmanager
def unplugged(lab: World) -> Iterator[None]:
    """The crawler has no network: no route, no name server."""
    lab.net.unplug()
    yield
    lab.net.plug()


def dropped(*addresses: str) -> Cause:
    """Return the fault of addresses whose packets are dropped."""

    @contextmanager
    def cause(lab: World) -> Iterator[None]:
        for address in addresses:
            lab.net.drop(address)
        yield
        for address in addresses:
            lab.net.restore(address)

    return cause


def misled(fault: str, *names: str) -> Cause:
    """Return the fault of a name server that answers some names wrongly."""

    @contextmanager
    def cause(lab: World) -> Iterator[None]:
        lab.set_dns(fault, *names)
        yield
        lab.set_dns("")

    return cause


@contextmanager
def flapping(lab: World) -> Iterator[None]:
    """``a.test`` is down and up in turn."""
    for _ in range(3):
        lab.a.stop()
        time.sleep(FLAP)
        lab.a.start()
        time.sleep(FLAP)
    lab.a.stop()
    yield
    lab.a.start()


def replaced_by(name: str) -> Cause:
    """Return the fault of ``a.test`` whose place another server takes."""

    @contextmanager
    def cause(lab: World) -> Iterator[None]:
        other: Site = getattr(lab, name)
        lab.a.stop()
        other.start()
        yield
        other.stop()
        lab.a.start()

    return cause


def published(*addresses: str) -> Cause:
    """Return the fault of a name with several addresses, of which the first one is dead. No connection is kept."""

    @contextmanager
    def cause(lab: World) -> Iterator[None]:
        lab.records["a.test"] = list(addresses)
        lab.set_dns("")
        with replaced_by("unkept")(lab), dropped(addresses[0])(lab):
            yield

    return cause


@contextmanager
def proxy_refused(lab: World) -> Iterator[None]:
    """The only proxy is stopped."""
    lab.proxy.stop()
    yield
    lab.proxy.start()


THROUGH_PROXY = {"proxies": f"http://{PROXY}:3128"}

FAULTS: dict[str, Fault] = {
    "refused": Fault("connections are refused", refused),
    "refused, job": Fault("connections are refused", refused, job=True),
    "link down": Fault("the network of the crawler is down", unplugged),
    "link down, job": Fault("the network of the crawler is down", unplugged, job=True),
    "link down at start": Fault("the network is down before the start", unplugged, from_start=True, seconds=5),
    "dropped": Fault("packets are dropped", dropped(A), seconds=5),
    "servfail": Fault("DNS: SERVFAIL for a new name", misled("servfail", "c.test")),
    "silent": Fault("DNS: no answer for a new name", misled("silent", "c.test")),
    "garbage": Fault("DNS: garbage for a new name", misled("garbage", "c.test")),
    "nxdomain": Fault("DNS: NXDOMAIN for a new name", misled("nxdomain", "c.test")),
    "servfail at start": Fault(
        "DNS: SERVFAIL before the start", misled("servfail", "a.test"), from_start=True, seconds=5
    ),
    "flapping": Fault("down and up in turn", flapping, seconds=FLAP),
    "one address dead": Fault("the first of two A records is dead", published(DEAD, A), from_start=True, heals=False),
    "IPv6 dead": Fault("the AAAA record is dead", published(A_6, A), from_start=True, heals=False),
    "no such name": Fault("DNS: a name does not exist", misled("nxdomain", "c.test"), heals=False, is_complete=False),
    "given up": Fault(
        "refused for good, with 3 s of patience", refused, settings={"outage_patience": 3},
        heals=False, is_complete=False,
    ),
    "proxy": Fault("the proxy refuses connections", proxy_refused, settings=THROUGH_PROXY),
    "TLS": Fault("TLS handshakes fail", replaced_by("plain"), scheme="https"),
    "certificate": Fault("the certificate has expired", replaced_by("expired"), scheme="https"),
    "bad gateway": Fault("502 from a gateway", replaced_by("gateway"), settings={"backoff_base": 0.5}),
    "killed": Fault("refused, killed and resumed meanwhile", refused, job=True, kill=signal.SIGKILL),
    "interrupted": Fault("refused, interrupted and resumed meanwhile", refused, job=True, kill=signal.SIGINT),
    "killed, nxdomain": Fault(
        "DNS: NXDOMAIN for a known name, killed and resumed meanwhile", misled("nxdomain", "a.test", "b.test"),
        job=True, kill=signal.SIGKILL,
    ),
}  # fmt: skip


def observe(fault: Fault, folder: Path) -> Result:
    """Run a crawl in an empty folder with a fault in its midst, and return its result.

    Raises:
        RuntimeError: A program is missing, or this process may not create namespaces.
    """
    with world(folder, scheme=fault.scheme) as lab:
        if fault.settings:
            lab.proxy.start()
        options: dict[str, Any] = {"job": fault.job, "settings": fault.settings}
        if fault.from_start:
            with fault.cause(lab):
                began = time.time()
                crawl = lab.start_crawl(**options)
                if not fault.heals:
                    return _dated(lab.finish(crawl), began)
                time.sleep(fault.seconds)
        else:
            crawl = lab.start_crawl(**options)
            lab.wait_for_pages(PAGES_BEFORE, crawl)
            began = time.time()
            with fault.cause(lab):
                if not fault.heals:
                    return _dated(lab.finish(crawl), began)
                if fault.kill is not None:
                    time.sleep(fault.seconds / 3)
                    crawl.send_signal(fault.kill)
                    crawl.wait(timeout=10)
                    crawl = lab.start_crawl(**options)
                time.sleep(fault.seconds)
        ended = time.time()
        return _dated(lab.finish(crawl), began, ended)


def _dated(result: Result, began: float, ended: float = float("inf")) -> Result:
    result.began, result.ended = began, ended
    return result


def observe_all(folder: Path) -> dict[str, Future[Result]]:
    """Observe all faults, some at a time; return their results as they will come."""
    pool = ThreadPoolExecutor(AT_ONCE)
    futures = {}
    for number, (name, fault) in enumerate(FAULTS.items()):
        own = folder / str(number)
        own.mkdir()
        futures[name] = pool.submit(observe, fault, own)
    pool.shutdown(wait=False)
    return futures


def table(results: Mapping[str, Result]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| fault | job | duration | pages | lost | twice | connections | questions | end |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        fault = FAULTS[name]
        lines.append(
            f"| {fault.what} | {'yes' if fault.job else 'no'} "
            f"| {f'{result.ended - result.began:.1f} s' if fault.heals else 'for ever'} "
            f"| {len(result.items)} of {len(result.expected)} | {result.lost} | {result.twice} | {result.connections} "
            f"| {result.questions} | {f'{result.finished - result.ended:.1f} s' if fault.heals else '–'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        everything = observe_all(Path(scratch))
        sys.stdout.write(table({name: result.result() for name, result in everything.items()}) + "\n")
