"""`OpenTelemetry`: a span for each attempt, with its stages and with what it waited for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import trio

from crawler import ConfigError, Crawl, Failure, HookError, Plugin, Request, RequestError, Response, Usage

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["OpenTelemetry"]

EXPORTERS = "opentelemetry_traces_exporter"
"""Entry-point group of exporters."""
AT_END = 10.0
"""Seconds to export the last spans when the crawl has ended."""


class _Open(msgspec.Struct, eq=False):
    """A span that has not ended."""

    span: Span | None
    received: float
    """When the response or the error was there, in seconds since the epoch."""


class OpenTelemetry(Plugin):
    """Traces a crawl with OpenTelemetry: a span for each attempt, from its start to the end of its callback.

    The attributes follow the conventions for HTTP clients. In addition, ``crawler.stage.NAME`` are the seconds of the
    stages ``dns``, ``connect``, ``tls``, ``first_byte``, ``body`` and ``handler``. ``crawler.stage.wait`` are those for
    which the lane had to wait since its attempt before, ``crawler.wait.REASON`` the same by reason. List the plugin
    first, so that a span includes other plugins. URLs are recorded without secrets.

    Spans go to the tracer provider of the program if it has set one, else to an exporter. The environment variables of
    OpenTelemetry apply, such as ``OTEL_EXPORTER_OTLP_ENDPOINT`` and ``OTEL_TRACES_SAMPLER``.

    Parameters:
        exporter: Name of an installed exporter, such as ``otlp`` (which is the package
            opentelemetry-exporter-otlp-proto-http) or ``console``. Empty: ``OTEL_TRACES_EXPORTER``, else ``otlp``.

    Raises:
        ConfigError: The exporter is not installed.
    """

    requires = {"opentelemetry.sdk": "trio-crawler[opentelemetry]"}  # noqa: RUF012
    wants_stages = True
    provider: Any = None
    """The tracer provider; `None`: that of the program, or a new one."""

    def __init__(self, *, exporter: str = "") -> None:
        self.exporter = exporter
        self._open: dict[int, _Open] = {}

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Export spans while the crawl runs. At its end, those that wait have ten seconds."""
        provider, is_own = self._provider(crawl.spider.name)
        self._tracer = provider.get_tracer("crawler")
        try:
            yield
        finally:
            for open_span in list(self._open.values()):
                self._end(open_span, open_span.received)
            self._open.clear()
            if is_own:
                with trio.move_on_after(AT_END, shield=True):
                    await trio.to_thread.run_sync(provider.shutdown, abandon_on_cancel=True)

    async def fetch(self, request: Request, send: Any) -> Any:
        """Open the span of an attempt."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 - an extra

        parts = urlsplit(request.url)
        span = self._tracer.start_span(
            request.method,
            kind=SpanKind.CLIENT,
            start_time=_nanoseconds(self.crawl.clock()),
            attributes={
                "http.request.method": request.method,
                "url.full": request.shown_url,
                "server.address": parts.hostname or "",
                "server.port": parts.port or (443 if parts.scheme == "https" else 80),
                "crawler.spider": self.crawl.spider.name,
            },
        )
        try:
            result = await send(request)
        except RequestError as error:
            _set_error(span, error, error.full_reason)
            self._keep(error, span)
            raise
        except BaseException:  # the crawl is stopped, or another plugin is broken
            span.end(_nanoseconds(self.crawl.clock()))
            raise
        if isinstance(result, Response):
            _describe(span, result)
            self._keep(result, span)
        else:
            span.set_attribute("crawler.result", f"{type(result).__name__}: {result.reason}")
            span.end(_nanoseconds(self.crawl.clock()))
        return result

    def measure(self, usage: Usage) -> None:
        """Add what the lane waited for. Without a response the span ends."""
        result = usage.error if usage.response is None else usage.response
        open_span = None if usage.quota is not None else self._open.get(id(result))
        if open_span is None or open_span.span is None:
            return
        open_span.span.set_attribute("crawler.stage.wait", sum(usage.waited.values()))
        for reason, seconds in usage.waited.items():
            open_span.span.set_attribute(f"crawler.wait.{reason}", seconds)
        if usage.response is None:
            self._end(open_span, open_span.received)

    def parse(self, response: Response) -> None:
        """End the span of a page: its callback has returned."""
        self._handled(response)

    async def failed(self, failure: Failure) -> None:
        """End the span of a page whose callback or hook raised an exception."""
        if isinstance(failure.error, HookError) and failure.response is not None:
            self._handled(failure.response, failure.error)

    def _keep(self, result: object, span: Span) -> None:
        """Keep a span open until its request is settled, at the latest."""
        open_span = _Open(span, self.crawl.clock())
        before = self._open.get(id(result))
        if before is not None:  # of an interrupted request, whose response is gone
            self._end(before, before.received)
        self._open[id(result)] = open_span
        self.crawl.job.before_commit(self._settle, (id(result), open_span))

    def _settle(self, values: Sequence[tuple[int, _Open]]) -> None:
        """End the spans of attempts that led to no page: redirects, refusals, files for robots, inline fetches."""
        for key, open_span in values:
            if self._open.get(key) is open_span:
                del self._open[key]
            self._end(open_span, open_span.received)

    def _handled(self, response: Response, error: HookError | None = None) -> None:
        open_span = self._open.pop(id(response), None)
        if open_span is None or open_span.span is None:
            return
        now = self.crawl.clock()
        open_span.span.set_attribute("crawler.stage.handler", now - open_span.received)
        if error is not None:
            _set_error(open_span.span, error, error.full_reason)
        self._end(open_span, now)

    @staticmethod
    def _end(open_span: _Open, at: float) -> None:
        """End a span, once."""
        if open_span.span is not None:
            open_span.span.end(_nanoseconds(at))
            open_span.span = None

    def _provider(self, spider: str) -> tuple[Any, bool]:
        """Return the tracer provider, and whether it is the plugin's own."""
        from opentelemetry import trace  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        known = self.provider or trace.get_tracer_provider()
        if self.provider is not None or (isinstance(known, TracerProvider) and not self.exporter):
            return known, False
        name = os.environ.get("OTEL_SERVICE_NAME") or spider
        own = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
        own.add_span_processor(BatchSpanProcessor(self._load_exporter()))
        return own, True

    def _load_exporter(self) -> Any:
        """Return the exporter that the options or the environment name."""
        name = self.exporter or os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
        points = {point.name: point for point in entry_points(group=EXPORTERS)}
        point = points.get(name) or points.get(f"{name}_proto_http")
        if point is None:
            package = "opentelemetry-exporter-otlp-proto-http" if name == "otlp" else "the package that has it"
            raise ConfigError(f"opentelemetry: no exporter named {name!r} is installed: pip install {package}")
        try:
            return point.load()()
        except Exception as error:
            raise ConfigError(f"opentelemetry: the exporter {name} cannot be used: {error}") from error


def _describe(span: Span, response: Response) -> None:
    """Set the attributes of a response."""
    span.set_attribute("http.response.status_code", response.status)
    span.set_attribute("http.response.body.size", len(response.body))
    if response.attempt > 1:
        span.set_attribute("http.request.resend_count", response.attempt - 1)
    if response.source != "network":
        span.set_attribute("crawler.source", response.source)
    for stage, seconds in (response.stages or {}).items():
        span.set_attribute(f"crawler.stage.{stage}", seconds)
    if response.status >= 400:
        span.set_attribute("error.type", str(response.status))


def _set_error(span: Span, error: RequestError, kind: str) -> None:
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - an extra

    cause = error.__cause__ if isinstance(error, HookError) else None
    span.set_attribute("error.type", kind if cause is None else type(cause).__qualname__)
    span.set_status(StatusCode.ERROR, str(error))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
