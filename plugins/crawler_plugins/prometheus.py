"""`Prometheus`: metrics of the crawl for Prometheus, over HTTP on loopback or in a file."""

from __future__ import annotations

import errno
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h11
import trio

from crawler import ConfigError, Crawl, Plugin, Usage

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["Prometheus"]

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histograms, in seconds."""
MAX_LABELS = 100
"""Maximum number of values of one label. The rest is counted as ``(others)``."""
OTHERS = "(others)"
IDLE = 10.0
"""Seconds after which a connection without a request is closed."""
log = logging.getLogger("crawler.plugins.prometheus")


class Prometheus(Plugin):
    """Exports metrics of the crawl for Prometheus, over HTTP on loopback, to a file, or both.

    ``http://127.0.0.1:PORT/metrics`` answers while the crawl runs. The file is for the textfile collector of the node
    exporter: it is replaced as a whole, and stays after the crawl. Every metric has the label ``spider``. Counters of a
    job continue in its next run, but ``crawler_requests_total`` and the histograms count from 0 again.

    Parameters:
        port: A TCP port on loopback; 0: none.
        textfile: A file, such as ``crawl.prom``.
        every: Seconds between two writes of the file, above 0.
        lanes: Number of lanes with labels of their own in ``crawler_wait_seconds_total`` and the quotas. All others are
            counted together.

    Raises:
        ConfigError: An option is out of range, or there is neither a port nor a file.
    """

    requires = {"prometheus_client": "trio-crawler[prometheus]"}  # noqa: RUF012

    def __init__(self, *, port: int = 0, textfile: Path | None = None, every: float = 15.0, lanes: int = 0) -> None:
        if not 0 <= port <= 65_535:
            raise ConfigError(f"prometheus: port must be from 0 to 65535, not {port}")
        if not port and textfile is None:
            raise ConfigError("prometheus: give port or textfile, such as prometheus.port=9090")
        if textfile is not None and not textfile.name:
            raise ConfigError(f"prometheus: textfile must be a file, not {textfile}")
        if not 0 < every <= 86_400:
            raise ConfigError(f"prometheus: every must be above 0 and at most 86400 seconds, not {every}")
        if not 0 <= lanes <= MAX_LABELS:
            raise ConfigError(f"prometheus: lanes must be from 0 to {MAX_LABELS}, not {lanes}")
        self.port = port
        self.textfile = textfile
        self.every = every
        self.lanes = lanes
        self._requests: Counter[str] = Counter()
        self._has_warned = False

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Serve and write the metrics while the crawl runs, and write them once more at the end."""
        from prometheus_client import CollectorRegistry, Histogram, ProcessCollector  # noqa: PLC0415 - an extra

        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(_Collector(self))
        elapsed = Histogram(
            "crawler_response_seconds", "Time from the start of a request to the end of its response.", ["spider"],
            buckets=BUCKETS, registry=self._registry,
        )  # fmt: skip
        first_byte = Histogram(
            "crawler_first_byte_seconds", "Time from sending a request to the first byte of its response.", ["spider"],
            buckets=BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._elapsed, self._first_byte = elapsed.labels(crawl.spider.name), first_byte.labels(crawl.spider.name)
        listeners = await self._listen()
        if self.textfile is not None:
            self._write(self.textfile)
            crawl.start_soon(self._keep_writing, self.textfile)
        if listeners:
            crawl.start_soon(trio.serve_listeners, self._serve, listeners)
        try:
            yield
        finally:
            for listener in listeners:
                listener.socket.close()
            if self.textfile is not None:
                self._write(self.textfile)

    def measure(self, usage: Usage) -> None:
        """Count an attempt, and measure its response."""
        if usage.quota is not None:
            return
        response = usage.response
        if response is None:
            self._requests[getattr(usage.error, "reason", "error")] += 1
        elif response.source == "network":
            self._requests[str(response.status)] += 1
            self._elapsed.observe(response.elapsed)
            self._first_byte.observe(response.first_byte)

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics that the crawl counts itself."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - an extra

        stats, now, spider = self.crawl.stats, self.crawl.control.statistics(), self.crawl.spider.name

        def metric(cls: Any, name: str, about: str, values: Mapping[tuple[str, ...], float], *labels: str) -> Metric:
            made: Metric = cls(f"crawler_{name}", about, labels=("spider", *labels))
            for key, value in values.items():
                made.add_metric((spider, *key), value)  # type: ignore[attr-defined]
            return made

        def total(name: str, about: str, value: float) -> Metric:
            return metric(CounterMetricFamily, name, about, {(): value})

        def by(name: str, about: str, counts: Mapping[Any, float], label: str) -> Metric:
            values: dict[tuple[str, ...], float] = {(key,): n for key, n in _largest(counts).items()}
            return metric(CounterMetricFamily, name, about, values, label)

        yield total("pages", "Responses whose callback succeeded.", stats.pages)
        yield total("items", "Committed items.", stats.items)
        yield by("requests", "Attempts, by HTTP status or error.", self._requests, "status")
        yield total("retries", "Attempts that were followed by another one.", stats.retries)
        yield total("redirects", "Responses that redirect.", stats.redirects)
        yield total("response_bytes", "Size of all decoded bodies, in bytes.", stats.bytes)
        yield by("failures", "Requests that failed after all attempts, by reason.", stats.failures, "reason")
        yield by("filtered", "Requests that were not made, by reason.", stats.filtered, "reason")
        yield by("dropped", "Items that plugins dropped, by reason.", stats.dropped, "reason")
        counters: dict[tuple[str, ...], float] = {(name,): n for name, n in _largest(stats.counters).items()}
        yield metric(GaugeMetricFamily, "counter", "Counters of the spider and the plugins.", counters, "name")
        yield metric(GaugeMetricFamily, "queue_length", "Requests that wait.", {(): now.waiting})
        yield metric(GaugeMetricFamily, "in_flight", "Pages that are fetched or handled.", {(): now.in_flight})
        yield metric(GaugeMetricFamily, "outages", "Hosts and proxies that cannot be reached.", {(): len(now.outages)})
        yield from self._by_lane(metric, CounterMetricFamily, GaugeMetricFamily)

    def _by_lane(self, metric: Any, counter: Any, gauge: Any) -> Iterator[Metric]:
        """Yield what depends on lanes: refusals, waits, and the quotas of those that have labels of their own."""
        lanes = self.crawl.stats.lanes
        own = set(sorted(lanes, key=lambda name: lanes[name].requests, reverse=True)[: self.lanes])
        refusals: Counter[tuple[str, ...]] = Counter()
        waits: dict[tuple[str, ...], float] = {}
        for name, lane in lanes.items():
            label = name if name in own else OTHERS
            refusals[label,] += lane.refusals
            for reason, seconds in lane.waited.items():
                waits[label, reason] = waits.get((label, reason), 0.0) + seconds
        quotas = [(name, policy, known) for name in own for policy, known in lanes[name].quotas.items()]
        yield metric(counter, "refusals", "Responses by which servers refused load.", refusals, "lane")
        about = "Time for which requests were ready but had to wait, by reason, in this run."
        yield metric(counter, "wait_seconds", about, waits, "lane", "reason")
        for field in ("limit", "remaining"):
            values = {(name, policy): known[field] for name, policy, known in quotas if known.get(field) is not None}
            yield metric(gauge, f"quota_{field}", f"{field.title()} of a server's quota.", values, "lane", "policy")

    # ---- the file ----------------------------------------------------------------------------------------------------

    async def _keep_writing(self, path: Path) -> None:
        while True:
            await trio.sleep(self.every)
            self._write(path)

    def _write(self, path: Path) -> None:
        """Replace the file. At the start an error is one of the options, later it is logged once."""
        from prometheus_client import generate_latest  # noqa: PLC0415 - an extra

        draft = path.with_name(f".{path.name}.new")  # the collector reads names that end in .prom
        try:
            if path.exists() and not path.is_file():
                raise OSError(errno.EINVAL, "Not a regular file")  # a device would be replaced
            draft.write_bytes(generate_latest(self._registry))
            os.replace(draft, path)  # noqa: PTH105 - no new Path object
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            if self.crawl.reason is None and not self.crawl.stats.requests:
                raise ConfigError(f"prometheus: cannot write {path}: {error.strerror}") from error
            if not self._has_warned:
                log.warning("cannot write %s: %s", path, error.strerror)
            self._has_warned = True

    # ---- the endpoint ------------------------------------------------------------------------------------------------

    async def _listen(self) -> list[trio.SocketListener]:
        """Return the listeners of the port, if there is one."""
        if not self.port:
            return []
        try:
            return await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        except OSError as error:
            raise ConfigError(f"prometheus: cannot listen on port {self.port}: {error.strerror}") from error

    async def _serve(self, stream: trio.abc.Stream) -> None:
        """Answer the requests of one connection. Whatever a client does, the crawl does not notice."""
        connection = h11.Connection(h11.SERVER)
        try:
            while True:
                with trio.fail_after(IDLE):
                    request = await _next_request(connection, stream)
                    if request is None:
                        return
                    for event in self._answer(request):
                        await stream.send_all(connection.send(event) or b"")
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return
                connection.start_next_cycle()
        except (trio.TooSlowError, trio.BrokenResourceError, h11.ProtocolError):
            return
        finally:
            with trio.move_on_after(1, shield=True):
                await stream.aclose()

    def _answer(self, request: h11.Request) -> Iterator[h11.Event]:
        """Yield the events of the response to a request."""
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415 - an extra

        status, kind, body = 200, "text/plain; charset=utf-8", b""
        if request.target.partition(b"?")[0] != b"/metrics":
            status, body = 404, b"the metrics are at /metrics\n"
        elif request.method not in (b"GET", b"HEAD"):
            status, body = 405, b"GET and HEAD only\n"
        else:
            accept = dict(request.headers).get(b"accept", b"").decode("latin-1")
            encode, kind = choose_encoder(accept)
            body = encode(self._registry)
        fields = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        yield h11.Response(status_code=status, headers=fields)
        if request.method != b"HEAD":
            yield h11.Data(data=body)
        yield h11.EndOfMessage()


class _Collector:
    """The collector that the registry calls for metrics."""

    def __init__(self, plugin: Prometheus) -> None:
        self._plugin = plugin

    def collect(self) -> Iterator[Metric]:
        return self._plugin.metrics()


async def _next_request(connection: h11.Connection, stream: trio.abc.Stream) -> h11.Request | None:
    """Return the next request of a connection, without its body; `None` at its end."""
    request = None
    while True:  # noqa: ASYNC913 - it waits for the client unless a whole request has arrived
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some(4096)))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.EndOfMessage):
            return request
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            return None


def _largest(counts: Mapping[Any, float]) -> dict[str, float]:
    """Return the largest counts by label, and all others together."""
    if len(counts) <= MAX_LABELS:
        return {str(key): n for key, n in counts.items()}
    ordered = sorted(counts.items(), key=lambda entry: entry[1], reverse=True)
    found = {str(key): n for key, n in ordered[: MAX_LABELS - 1]}
    found[OTHERS] = sum(n for _, n in ordered[MAX_LABELS - 1 :])
    return found
