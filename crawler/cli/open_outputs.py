"""`open_outputs`: the sinks for the outputs of a command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from crawler.cli.standard_streams import output_is_open
from crawler.errors import ConfigError
from crawler.hooks.plugin import Plugin
from crawler.redaction import hide_userinfo
from crawler.sinks.choose import open_output
from crawler.sinks.file_sink import FileSink
from crawler.sinks.if_exists import IfExists
from crawler.sinks.series import Series
from crawler.spiders import Spider

__all__ = ["feed_places", "feeds_of", "open_outputs"]


def open_outputs(specs: Iterable[str], if_exists: IfExists, *, job: Path | None = None) -> list[Plugin]:
    """Return the sinks for the outputs of a command line."""
    sinks: list[Plugin] = []
    places: set[str] = set()
    for spec in specs:
        if spec == "-" and not output_is_open():
            raise ConfigError("cannot write items to standard output (-o -): it is closed")
        sink = open_output(spec, if_exists=if_exists, job=job)
        sinks.append(sink)
        place = str(sink.path.resolve()) if isinstance(sink, FileSink) else sink.name
        if place in places:
            raise ConfigError(f"output {hide_userinfo(spec)} is given twice")
        places.add(place)
    for series in [sink for sink in sinks if isinstance(sink, Series)]:
        for sink in sinks:
            if isinstance(sink, FileSink) and series.names.may_be(sink.path):
                raise ConfigError(f"output {sink.path} may be a file of the output {series.names.template}")
    return sinks


def feeds_of(spider: Spider, given: Sequence[str], if_exists: IfExists, job: Path | None) -> Sequence[Plugin]:
    """Return the outputs that the settings of a Scrapy project name; none for other spiders."""
    feeds: Callable[[IfExists, Path | None], Sequence[Plugin]] = getattr(spider, "feeds", lambda *_: ())
    return () if given else feeds(if_exists, job)


def feed_places(spider: Spider, given: Sequence[str]) -> list[str]:
    """Return the places of the outputs that `feeds_of` returns, as the settings name them."""
    return [] if given else list(getattr(spider, "feed_places", ()))
