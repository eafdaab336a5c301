"""The plugin `opentelemetry`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio
from crawler_plugins.opentelemetry import OpenTelemetry
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from support.trees import Follow
from trio.testing import MockClock

from crawler import ConfigError, Produced, Request, Response, Settings
from crawler.testing import FakeSite, Page, collect


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def plugin(exporter: InMemorySpanExporter) -> OpenTelemetry:
    made = OpenTelemetry()
    made.provider = TracerProvider()
    made.provider.add_span_processor(SimpleSpanProcessor(exporter))
    return made


def spans(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    """Return the spans by URL."""
    finished = exporter.get_finished_spans()
    found = {str(span.attributes["url.full"]).removeprefix("https://site.test"): span for span in finished}
    assert len(found) == len(finished)
    return found


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def seconds(span: ReadableSpan) -> float:
    return (span.end_time - span.start_time) / 1e9


async def test_a_page_has_a_span_from_its_start_to_the_end_of_its_callback(
    autojump_clock: MockClock, exporter: InMemorySpanExporter, plugin: OpenTelemetry
) -> None:
    class Slow(Follow):
        async def parse(self, response: Response) -> Produced:
            await trio.sleep(3)
            return [{"url": response.url}, *response.follow_all()]

    site = FakeSite({"/": Page("<a href='/a?token=s3cret12'>x</a>", delay=2), "/a?token=s3cret12": "x"})
    await collect(Slow(), site, plugins=[plugin], settings=Settings(delay=10))
    first, second = spans(exporter).values()
    found = attributes(first)
    assert first.name == "GET"
    assert first.kind is trace.SpanKind.CLIENT
    assert seconds(first) == pytest.approx(5, abs=0.01)
    assert found["http.response.status_code"] == 200
    assert (found["server.address"], found["server.port"]) == ("site.test", 443)
    assert found["crawler.stage.first_byte"] == pytest.approx(2, abs=0.01)
    assert found["crawler.stage.handler"] == pytest.approx(3, abs=0.01)
    assert found["crawler.stage.wait"] == 0
    assert first.status.status_code is StatusCode.UNSET
    found = attributes(second)
    assert found["crawler.wait.delay"] == found["crawler.stage.wait"] == pytest.approx(5, abs=0.01)
    assert "s3cret12" not in found["url.full"]


async def test_every_attempt_has_a_span_of_its_own(
    autojump_clock: MockClock, exporter: InMemorySpanExporter, plugin: OpenTelemetry
) -> None:
    pages = {"/": [Page(status=503), httpx.ReadTimeout("slow"), "x"], "/robots.txt": ""}
    await collect(Follow(), FakeSite(pages), plugins=[plugin], settings=Settings(obey_robots=True))
    robots, refused, failed, page = exporter.get_finished_spans()
    assert attributes(robots)["url.full"].endswith("/robots.txt")
    assert attributes(refused)["http.response.status_code"] == 503
    assert attributes(refused)["error.type"] == "503"
    assert attributes(failed)["error.type"].startswith("fetch_timeout")
    assert failed.status.status_code is StatusCode.ERROR
    assert attributes(page)["http.request.resend_count"] >= 1
    assert "crawler.stage.handler" in attributes(page)
    assert "crawler.stage.handler" not in attributes(refused)


async def test_redirects_inline_fetches_and_broken_callbacks_end_their_spans(
    autojump_clock: MockClock, exporter: InMemorySpanExporter, plugin: OpenTelemetry
) -> None:
    class Inline(Follow):
        async def parse(self, response: Response) -> Produced:
            await self.crawl.fetch(Request("https://site.test/api"))
            await trio.sleep(1)
            raise LookupError("no price")

    pages = {"/": Page(status=301, headers={"Location": "/new"}), "/new": "x", "/api": "{}"}
    await collect(Inline(), FakeSite(pages), plugins=[plugin])
    found = spans(exporter)
    assert sorted(found) == ["/", "/api", "/new"]
    assert "crawler.stage.handler" not in attributes(found["/"])
    assert "crawler.stage.handler" not in attributes(found["/api"])
    assert found["/new"].status.status_code is StatusCode.ERROR
    assert attributes(found["/new"])["error.type"] == "LookupError"
    assert attributes(found["/new"])["crawler.stage.handler"] == pytest.approx(1, abs=0.01)


async def test_a_stopped_crawl_ends_all_spans(
    autojump_clock: MockClock, exporter: InMemorySpanExporter, plugin: OpenTelemetry
) -> None:
    class Hangs(Follow):
        async def parse(self, response: Response) -> Produced:
            await trio.sleep_forever()

    pages = {"/": "x", "/slow": Page("x", delay=1000)}
    urls = ["https://site.test/", "https://site.test/slow"]
    await collect(Hangs(start_urls=urls), FakeSite(pages), plugins=[plugin], settings=Settings(max_seconds=5, grace=1))
    assert sorted(spans(exporter)) == ["/", "/slow"]
    assert plugin._open == {}


async def test_an_exporter_is_loaded_by_name_and_flushed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    exported: list[ReadableSpan] = []

    class Exporter(SpanExporter):
        def export(self, batch: Any) -> SpanExportResult:
            exported.extend(batch)
            return SpanExportResult.SUCCESS

    class Point:
        name = "mine"

        def load(self) -> type[Exporter]:
            return Exporter

    monkeypatch.setattr("crawler_plugins.opentelemetry.entry_points", lambda group: [Point()])
    await collect(Follow(), FakeSite({"/": "x"}), plugins=[OpenTelemetry(exporter="mine")])
    assert [span.resource.attributes["service.name"] for span in exported] == ["follow"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"exporter": "none"}, "no exporter named 'none' is installed: pip install the package that has it"),
        ({}, "no exporter named 'otlp' is installed: pip install opentelemetry-exporter-otlp-proto-http"),
    ],
)
async def test_a_missing_exporter_is_refused(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], words: str
) -> None:
    monkeypatch.setattr("crawler_plugins.opentelemetry.entry_points", lambda group: [])
    monkeypatch.delenv("OTEL_TRACES_EXPORTER", raising=False)
    site = FakeSite({"/": "x"})
    with pytest.raises(ConfigError, match=words):
        await collect(Follow(), site, plugins=[OpenTelemetry(**options)])
    assert site.log == []
