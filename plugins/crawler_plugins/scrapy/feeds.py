"""`feeds`: the outputs that ``FEEDS`` names, as outputs of the crawl."""

from __future__ import annotations

import datetime as dt
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from scrapy.utils.misc import load_object

from crawler import ConfigError, Plugin, Row, Sink
from crawler.sinks import Csv, Held, IfExists, Json, JsonLines, open_output
from crawler_plugins.scrapy.components import build_component
from crawler_plugins.scrapy.refusals import error_of

__all__ = ["ExporterFeed", "feed_refusals", "feeds", "given_feeds"]

OPEN: Final = "%("
"""Beginning of a field in a URI."""
FORMATS: Final[dict[str, Any]] = {"csv": Csv, "json": Json, "jl": JsonLines, "jsonl": JsonLines, "jsonlines": JsonLines}
"""Formats that outputs of the crawl write, each item once whatever happens."""
ONLY_EXPORTERS: Final = ("fields", "indent", "item_export_kwargs")
"""Options that only the exporters of Scrapy know."""
NOT_IN_JOBS: Final = ("batch_item_count", "item_classes", "item_filter", "postprocessing")
"""Options of feeds that no output of a job has."""


def feeds(scrapy: Any, if_exists: IfExists, job: Path | None) -> list[Plugin]:
    """Return the outputs of a job for the feeds of a project; without a job, let Scrapy's own exporter write them.

    Outputs of a job have each item once. Local files, in a format that the crawl knows, are outputs of the crawl; other
    formats, and feeds with options of exporters, are written by the exporters of Scrapy at the end.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        if_exists: What to do with files that exist, unless a feed says ``overwrite``; ``error`` appends, as in Scrapy.
        job: The folder of the durable job.

    Raises:
        ConfigError: A feed cannot be written.
    """
    if reasons := list(feed_refusals(scrapy.settings, partial(_with_parameters, scrapy))):
        raise error_of(reasons)
    given = given_feeds(scrapy.settings)
    for uri, options in given.items():
        _check(scrapy, uri, options)
    if job is not None:
        return [_feed(scrapy, uri, options, if_exists, job) for uri, options in given.items()]
    if given:
        _export(scrapy, given, overwrites=if_exists == "overwrite")
    return []


def feed_refusals(settings: Any, place_of: Callable[[str, Any], str] | None = None) -> Iterator[str]:
    """Yield why the feeds of a project cannot be written, as far as their options, schemes and formats say.

    Parameters:
        settings: The `scrapy.settings.Settings`.
        place_of: Returns where a URI with its options leads. `None`: what a URI leaves open is not looked at.
    """
    for uri, options in given_feeds(settings).items():
        if not isinstance(options, Mapping):
            yield f"FEEDS: {_shown(uri)}: its options must be a dict, not {type(options).__name__}"
            continue
        place = uri if place_of is None else place_of(uri, options)
        scheme = _scheme_of(place)
        if OPEN not in scheme and scheme not in settings.getwithbase("FEED_STORAGES"):
            yield f"FEEDS: {_shown(uri)}: no storage for the scheme {scheme!r}"
        kind = str(options.get("format") or Path(place).suffix.removeprefix(".")).lower()
        if OPEN not in kind and settings.getwithbase("FEED_EXPORTERS").get(kind) is None:
            yield f"FEEDS: {_shown(uri)}: no exporter for the format {kind!r}"


def given_feeds(settings: Any) -> dict[str, Any]:
    """Return the options of each feed by its URI."""
    given = {str(uri): options or {} for uri, options in (settings.getdict("FEEDS") or {}).items()}
    if settings.get("FEED_URI"):
        given[str(settings["FEED_URI"])] = {"format": settings.get("FEED_FORMAT")}
    return given


def _shown(uri: str) -> str:
    """Return a URI without user and password."""
    return re.sub(r"//[^/]*@", "//***@", uri)


def _scheme_of(place: str) -> str:
    return place.partition(":")[0] if ":" in place else "file"


def _check(scrapy: Any, uri: str, options: Mapping[str, Any]) -> None:
    """Raise `ConfigError` if a feed cannot be written."""
    place = _with_parameters(scrapy, uri, options)
    if _scheme_of(place) == "file":
        _check_file(uri, Path(unquote(place.partition("://")[2]) if "://" in place else place))
    if _batch_size(scrapy, options) and "%(batch_" not in uri:
        message = "a feed with batch_item_count needs %(batch_id)d or %(batch_time)s in its URI"
        raise ConfigError(f"FEEDS: {_shown(uri)}: {message}")


def _check_file(uri: str, path: Path) -> None:
    """Raise `ConfigError` if a file cannot be written."""
    is_new = not path.exists()
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        if is_new:
            path.unlink()
            for folder in made:
                folder.rmdir()
    except OSError as error:
        raise ConfigError(f"FEEDS: {_shown(uri)}: {path} cannot be written: {error.strerror}") from error


def _batch_size(scrapy: Any, options: Mapping[str, Any]) -> int:
    """Return the number of items in a file; 0 if one file has all."""
    return int(options.get("batch_item_count") or scrapy.settings.getint("FEED_EXPORT_BATCH_ITEM_COUNT"))


def _export(scrapy: Any, given: Mapping[str, Mapping[str, Any]], *, overwrites: bool) -> None:
    """Add the exporter of Scrapy to the extensions."""
    from scrapy.extensions.feedexport import FeedExporter  # noqa: PLC0415 - few projects have feeds

    settings = scrapy.settings
    if overwrites:
        settings.frozen = False
        settings.set("FEEDS", {uri: {"overwrite": True, **options} for uri, options in given.items()}, "cmdline")
        settings.freeze()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations of Scrapy are not the user's problem here
            exporter = build_component(FeedExporter, scrapy)
    except Exception as error:
        raise ConfigError(f"FEEDS: {', '.join(map(_shown, given))}: {type(error).__name__}: {error}") from error
    manager = scrapy.extensions
    manager.middlewares = type(manager.middlewares)((*manager.middlewares, exporter))


def _feed(scrapy: Any, uri: str, options: Mapping[str, Any], if_exists: IfExists, job: Path) -> Plugin:
    """Return the output of a job for a feed.

    Raises:
        ConfigError: It has options that only Scrapy's own exporter knows, which cannot resume.
    """
    settings = scrapy.settings
    unfit = {**options, "batch_item_count": _batch_size(scrapy, options)}
    for name in NOT_IN_JOBS:
        if unfit.get(name):
            raise ConfigError(
                f"FEEDS: {_shown(uri)}: a job cannot resume a feed with {name}: leave it out, or crawl without a job"
            )
    place = _with_parameters(scrapy, uri, options)
    existing: IfExists = "overwrite" if options.get("overwrite") or if_exists == "overwrite" else "append"
    if place.startswith("stdout:"):
        return open_output("-")
    scheme = place.partition("://")[0] if "://" in place else "file"
    if scheme != "file":
        return open_output(place, if_exists=existing, job=job)
    path = Path(unquote(place.partition("://")[2]) if "://" in place else place)
    kind = str(options.get("format") or path.suffix.removeprefix(".")).lower()
    defaults = {"fields": settings.getlist("FEED_EXPORT_FIELDS"), "indent": settings.getint("FEED_EXPORT_INDENT")}
    wanted = {name: options.get(name) or defaults.get(name) for name in ONLY_EXPORTERS}
    exporters = settings.getdict("FEED_EXPORTERS") or {}
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind in FORMATS and kind not in exporters and not any(wanted.values()):
        made: Plugin = FORMATS[kind](path, existing, job=job)
        return made
    exporter = settings.getwithbase("FEED_EXPORTERS")[kind]
    arguments = dict(wanted.pop("item_export_kwargs") or {}, fields_to_export=wanted["fields"] or None)
    encoding = options.get("encoding") or settings.get("FEED_EXPORT_ENCODING")
    return ExporterFeed(path, load_object(exporter), {**arguments, "indent": wanted["indent"], "encoding": encoding})


def _with_parameters(scrapy: Any, uri: str, options: Mapping[str, Any]) -> str:
    """Return a URI with its parameters, such as ``%(name)s`` and ``%(time)s``."""
    spider = scrapy.spider
    now = dt.datetime.now(tz=dt.UTC).replace(microsecond=0, tzinfo=None).isoformat().replace(":", "-")
    values = {name: getattr(spider, name) for name in dir(spider) if not name.startswith("_")}
    values |= {"name": spider.name, "time": now, "batch_time": now, "batch_id": 1}
    function = options.get("uri_params") or scrapy.settings.get("FEED_URI_PARAMS")
    if function:
        values = load_object(function)(values, spider) or values
    try:
        return re.sub(r"%(?!\()", "%%", uri) % values  # a percent sign may also encode a character
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(f"FEEDS: {_shown(uri)}: {type(error).__name__}: {error}") from None


class ExporterFeed(Sink):
    """A feed that an exporter of Scrapy writes, as a whole, when the crawl has ended.

    Parameters:
        path: The file.
        exporter: The class of the exporter.
        arguments: Its arguments.
    """

    guarantee = "exactly once: the file is written as a whole at the end"

    def __init__(self, path: Path, exporter: Any, arguments: Mapping[str, Any]) -> None:
        self.path = path
        self.name = f"feed:{path}"
        self._exporter = exporter
        self._arguments = {name: value for name, value in arguments.items() if value is not None}
        self._items: list[dict[str, Any]] = []

    def divide(self, part: int) -> None:
        """Refuse to share the crawl: the file is written as a whole, at the end of one worker.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"FEEDS: {self.path}: workers cannot share it: use the format jsonlines, csv or json")

    def persist(self, batch: Sequence[Row]) -> Held:
        """Hold the items until the end."""
        self._items += [row.item for row in batch]
        return Held(len(self._items), self.position)

    def flush(self) -> Any:
        """Write the file."""
        part = self.path.with_name(f"{self.path.name}.part")
        with part.open("wb") as file:
            exporter = self._exporter(file, **self._arguments)
            exporter.start_exporting()
            for item in self._items:
                exporter.export_item(item)
            exporter.finish_exporting()
        part.replace(self.path)
        return self.position
