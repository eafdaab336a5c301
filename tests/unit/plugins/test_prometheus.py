"""The plugin `prometheus`."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from crawler_plugins import prometheus
from crawler_plugins.prometheus import MAX_LABELS, OTHERS, Prometheus
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from support.trees import Follow
from trio.testing import MockClock, memory_stream_pair

from crawler import ConfigError, Produced, Response, Settings, crawl
from crawler.testing import FakeSite, Page, collect

SITE = {
    "/": "<a href='/a'>x</a><a href='/b'>x</a><a href='/gone'>x</a>",
    "/a": Page("x", delay=2, headers={"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "40"}),
    "/b": Page(status=503),
    "/gone": Page(status=410),
}
LANE = "https://site.test"


def samples(text: str, parse: Callable[[str], Any] = parse_text) -> dict[str, float]:
    """Return the samples by name and the values of their labels but the spider."""
    found = {}
    for family in parse(text):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "spider"}
            found[sample.name + "".join(f" {value}" for value in labels.values())] = sample.value
    return found


async def test_the_file_has_the_counts_of_the_crawl_at_its_end(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "crawl.prom"
    plugin = Prometheus(textfile=path, lanes=1)
    found = await collect(Follow(), FakeSite(SITE), plugins=[plugin], settings=Settings(attempts=2, delay=1))
    report, metrics = found.report, samples(path.read_text(encoding="utf-8"))
    assert metrics["crawler_pages_total"] == report.pages == 2
    assert metrics["crawler_items_total"] == 2
    assert metrics["crawler_requests_total 200"] == 2
    assert metrics["crawler_requests_total 503"] >= 2
    assert metrics[f"crawler_failures_total {next(iter(report.failures))}"] == report.failed == 1
    assert metrics["crawler_queue_length"] == metrics["crawler_in_flight"] == 0
    assert metrics[f"crawler_wait_seconds_total {LANE} delay"] == pytest.approx(
        report.lanes[LANE]["waited"]["delay"], rel=1e-6
    )
    assert metrics[f"crawler_quota_remaining {LANE} {next(iter(report.lanes[LANE]['quotas']))}"] == 40
    assert metrics["crawler_response_seconds_count"] == report.requests
    assert metrics["crawler_response_seconds_bucket 1.0"] == report.requests - 1
    assert 'spider="follow"' in path.read_text(encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["crawl.prom"]


async def test_the_file_is_replaced_while_the_crawl_runs(autojump_clock: MockClock, tmp_path: Path) -> None:
    path, seen = tmp_path / "crawl.prom", []

    class Look(Follow):
        def parse(self, response: Response) -> Produced:
            seen.append(samples(path.read_text(encoding="utf-8"))["crawler_pages_total"])
            return super().parse(response)

    links = {"/": "<a href='/1'>x</a><a href='/2'>x</a>", "/1": "x", "/2": "x"}
    await collect(Look(), FakeSite(links), plugins=[Prometheus(textfile=path, every=4)], settings=Settings(delay=10))
    assert seen == [0, 1, 2]


async def ask(plugin: Prometheus, *requests: bytes) -> list[bytes]:
    """Return the responses to requests on one connection."""
    client, server = memory_stream_pair()
    found = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(plugin._serve, server)
        for request in requests:
            await client.send_all(request)
            answer = b""
            while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < length(answer):
                piece = await client.receive_some()
                if not piece:
                    break
                answer += piece
                if request.startswith(b"HEAD"):
                    break
            found.append(answer)
        await client.aclose()
    return found


def length(answer: bytes) -> int:
    return int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)


class Asking(Prometheus):
    """Asks itself while the crawl runs."""

    name = "prometheus"

    def __init__(self, *requests: bytes, **options: Any) -> None:
        super().__init__(port=1, **options)
        self.requests = requests
        self.answers: list[bytes] = []

    async def _listen(self) -> list[Any]:
        return []

    async def parse(self, response: Response) -> None:  # type: ignore[override]
        self.answers = self.answers or await ask(self, *self.requests)


def get(path: str = "/metrics", *, method: str = "GET", accept: str = "") -> bytes:
    fields = f"Host: localhost\r\n{f'Accept: {accept}' if accept else 'X: y'}\r\n"
    return f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode()


async def test_the_endpoint_answers_in_both_formats_on_one_connection(autojump_clock: MockClock) -> None:
    plugin = Asking(get(), get(accept="application/openmetrics-text; version=1.0.0"), get(method="HEAD"))
    await collect(Follow(), FakeSite({"/": "x"}), plugins=[plugin])
    text, openmetrics, head = plugin.answers
    assert b"HTTP/1.1 200" in text
    assert b"text/plain; version=" in text
    assert samples(text.partition(b"\r\n\r\n")[2].decode())["crawler_in_flight"] == 1
    assert b"application/openmetrics-text" in openmetrics
    assert samples(openmetrics.partition(b"\r\n\r\n")[2].decode(), parse_openmetrics)["crawler_in_flight"] == 1
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/"), b"404"),
        (get("/metrics?x=1"), b"200"),
        (get(method="PUT"), b"405"),
        (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", b"405"),
        (b"nonsense\r\n\r\n", b""),
        (b"GET /metrics HTTP/1.1\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n", b""),
        (b"GET /metrics", b""),
    ],
)
async def test_a_bad_request_does_not_disturb_the_crawl(
    autojump_clock: MockClock, request_: bytes, status: bytes
) -> None:
    plugin = Asking(request_)
    found = await collect(Follow(), FakeSite({"/": "x"}), plugins=[plugin])
    assert found.report.pages == 1
    assert plugin.answers[0].partition(b" ")[2][: len(status) or 1] == status


async def test_prometheus_listens_on_loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, str]] = []
    addresses: list[Any] = []

    async def listeners(port: int, *, host: str) -> list[trio.SocketListener]:
        asked.append((port, host))
        found = await real(0, host=host)
        addresses.append(found[0].socket.getsockname())
        return found

    class Scrape(Follow):
        async def parse(self, response: Response) -> Produced:
            async with await trio.open_tcp_stream(*addresses[0]) as stream:
                await stream.send_all(get())
                answers.append(await stream.receive_some())

    real, answers = trio.open_tcp_listeners, []
    monkeypatch.setattr(prometheus.trio, "open_tcp_listeners", listeners)
    await crawl(Scrape(), plugins=[Prometheus(port=9090)], transport=FakeSite({"/": "x"}).transport)
    assert asked == [(9090, "127.0.0.1")]
    assert answers[0].startswith(b"HTTP/1.1 200")
    with pytest.raises(OSError):
        await trio.open_tcp_stream(*addresses[0])


async def test_a_port_in_use_is_refused_before_the_first_request() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        site = FakeSite({"/": "x"})
        with pytest.raises(ConfigError, match=r"prometheus: cannot listen on port \d+: .*in use"):
            await collect(Follow(), site, plugins=[Prometheus(port=taken.getsockname()[1])])
        assert site.log == []


async def test_labels_are_bounded(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Counting(Follow):
        def parse(self, response: Response) -> None:
            for number in range(1000):
                self.crawl.count(f"name {number}", number)

    path = tmp_path / "crawl.prom"
    urls = [f"https://h{n}.test/" for n in range(10)]
    await collect(Counting(start_urls=urls), FakeSite(dict.fromkeys(urls, "x")), plugins=[Prometheus(textfile=path)])
    metrics = samples(path.read_text(encoding="utf-8"))
    counters = {name: value for name, value in metrics.items() if name.startswith("crawler_counter ")}
    assert len(counters) == MAX_LABELS
    assert sum(counters.values()) == 10 * sum(range(1000))
    assert f"crawler_counter {OTHERS}" in counters
    assert [name for name in metrics if "h1.test" in name] == []


async def test_a_full_disk_does_not_end_the_crawl(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()

    class Remove(Follow):
        def parse(self, response: Response) -> Produced:
            for entry in folder.iterdir():
                entry.unlink()
            folder.rmdir()
            return super().parse(response)

    found = await collect(Remove(), FakeSite({"/": "x"}), plugins=[Prometheus(textfile=folder / "crawl.prom")])
    assert found.report.pages == 1
    assert caplog.text.count("cannot write") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "give port or textfile"),
        ({"port": 65_536}, "port must be from 0 to 65535"),
        ({"port": 9090, "every": 0}, "every must be above 0"),
        ({"port": 9090, "lanes": 101}, "lanes must be from 0 to 100"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Prometheus(**options)


async def test_a_device_is_refused_and_not_replaced(autojump_clock: MockClock, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="prometheus: cannot write .*pipe: Not a regular file"):
        await collect(Follow(), FakeSite({"/": "x"}), plugins=[Prometheus(textfile=pipe)])
    assert pipe.is_fifo()


async def test_a_file_that_cannot_be_written_is_refused(autojump_clock: MockClock, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="prometheus: cannot write .*: No such file or directory"):
        await collect(Follow(), FakeSite({"/": "x"}), plugins=[Prometheus(textfile=tmp_path / "none" / "x.prom")])
