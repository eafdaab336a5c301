"""``crawler run``: run a spider, or crawl a site from its URL."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs

from crawler.cli.arguments import Argument
from crawler.cli.configuration import Configuration, parse_pairs
from crawler.cli.logs import log_to_stderr
from crawler.cli.open_outputs import feed_places, feeds_of, open_outputs
from crawler.cli.options import ArgumentTexts, LogLevel, PluginOptions, SettingTexts
from crawler.cli.progress import Progress
from crawler.cli.results import check_report, check_report_is_separate, reader_has_closed, show_result
from crawler.cli.target import make_spiders
from crawler.cli.web_page import ADDRESS, with_web_page
from crawler.engine.api import run
from crawler.engine.report import Report, tolerated
from crawler.errors import ConfigError, CrawlFailed, JobLost
from crawler.hooks.plugin import Plugin
from crawler.sinks.if_exists import IfExists
from crawler.spiders import Spider
from crawler.spiders.page_content import ContentForm
from crawler.suggest import did_you_mean

if TYPE_CHECKING:
    from crawler.engine.job import Job

__all__ = ["command"]

Texts = tuple[str, ...]
"""The values of an option that may be repeated."""
OBJECTS: Final = 50
"""Approximate number of objects that the garbage collector tracks for each request in flight."""


def command(
    target: Annotated[str, Argument("FILE.py, FILE.py:Class, package.module:Class, or the URL of a site.")],
    /,
    *others: Annotated[str, Argument("More URLs for the same crawl, or more spiders, which share their limits.")],
    spider: Annotated[Texts, Argument("A spider of a file that has several. Repeatable.", metavar="NAME")] = (),
    output: Annotated[
        Texts,
        Argument(
            "Where to write items: a .jsonl, .json or .csv file, an output that crawler plugins lists, or - "
            "for standard output. Repeatable.",
            "-o",
            "--output",
            metavar="OUT",
            hyphen=True,
        ),
    ] = (),
    setting: SettingTexts = (),
    scrapy: Annotated[
        Path | None, Argument("A Scrapy project; TARGET is one of its spiders.", metavar="PROJECT")
    ] = None,
    as_: Annotated[ContentForm | None, Argument("For a URL: markdown, text, article or links.", metavar="FORM")] = None,
    argument: ArgumentTexts = (),
    plugin: Annotated[
        Texts, Argument("A plugin: its name, or module:Class. Repeatable.", "-p", "--plugin", metavar="PLUGIN")
    ] = (),
    option: PluginOptions = (),
    no_plugin: Annotated[Texts, Argument("A plugin to disable. Repeatable.", metavar="PLUGIN")] = (),
    job: Annotated[
        str | None,
        Argument("Keep the crawl: the same command resumes it. Several machines share a URL.", metavar="DIR|URL"),
    ] = None,
    override: Annotated[bool, Argument("Resume although spider or settings have changed.")] = False,
    ui: Annotated[
        str | None, Argument("Serve a web page; by default on a free port.", metavar="HOST:PORT", optional=ADDRESS)
    ] = None,
    report: Annotated[
        Path | None, Argument("Write a report as JSON; - means standard output.", metavar="FILE", hyphen=True)
    ] = None,
    tolerate: Annotated[str, Argument("Failures that still give exit code 0. Default 0.", metavar="N|P%")] = "0",
    overwrite: Annotated[bool, Argument("Replace existing outputs.")] = False,
    append: Annotated[bool, Argument("Append to existing outputs.")] = False,
    quiet: Annotated[bool, Argument("Show no progress and no summary.")] = False,
    log_level: LogLevel = "warning",
    log_json: Annotated[bool, Argument("Write standard error as JSON, one object per line.")] = False,
) -> int:
    """Run a spider, or crawl a whole site from its URL.

    Ctrl-C lets requests in flight finish; a second one stops at once.

    Example: crawler run quotes.py -o quotes.jsonl --job quotes.job -s delay=1
    """
    log_to_stderr(log_level, as_json=log_json)
    if overwrite and append:
        raise ConfigError("use either --overwrite or --append, not both")
    tolerated(tolerate, 0)
    if report is not None:
        check_report(report, output)
    own_settings, scrapy_setting = split_settings(setting)

    def load() -> Configuration:
        configuration = Configuration.load(
            settings=own_settings,
            plugins=plugin,
            options=option,
            disable=no_plugin,
            arguments=parse_pairs(argument, "-a"),
            outputs=output,
            job=_named(job),
        )
        if ui is None:
            return configuration
        return attrs.evolve(configuration, plugins=with_web_page(configuration.plugins, ui))

    configuration = load()
    places = configuration.outputs
    arguments = functools.partial(with_content, as_, arguments=configuration.arguments)
    scrapy_settings = parse_pairs(scrapy_setting, "-s")
    if scrapy is None:
        spiders = make_spiders((target, *others), spider, arguments, scrapy_settings)
    else:
        spiders = scrapy_spiders(scrapy, (target, *others, *spider), arguments, scrapy_settings)
    for one in spiders:
        disable_plugins(one, [name for name in no_plugin if name not in configuration.disabled], configuration.plugins)
    place = job_of(configuration.job, spiders)
    durable = None if place is None else _durable(place, override=override)
    folder = None if durable is None else durable.folder
    if report is not None:
        check_report_is_separate(report, places, folder)
    if override and durable is None:
        raise ConfigError("--override needs --job")
    if_exists: IfExists = "overwrite" if overwrite else "append" if append else "error"
    drawn = not log_json and not ("-" in places and sys.stdout.isatty())
    merged = [type(one).merged_settings() | configuration.settings for one in spiders]
    set_collector(sum(one.workers for one in merged))
    if any(one.processes != 1 for one in merged):
        from crawler.engine.processes.cores import PINNED  # noqa: PLC0415 - few crawls have several processes

        PINNED.set(True)
    if len(spiders) > 1:
        from crawler.cli.several import run_spiders  # noqa: PLC0415 - few commands have several

        return run_spiders(
            spiders, load, report=report, ui=ui, if_exists=if_exists, override=override, tolerate=tolerate, quiet=quiet,
            drawn=drawn,
        )  # fmt: skip
    sinks = [*open_outputs(places, if_exists, job=folder), *feeds_of(spiders[0], places, if_exists, folder)]
    progress = Progress(shown=not quiet, drawn=drawn)
    shown = [*places, *feed_places(spiders[0], places)]
    show = functools.partial(show_result, progress=progress, outputs=shown, job=durable, file=report)
    result = run_spider(spiders[0], configuration, progress, sinks, durable, show, quiet=quiet)
    return result.exit_code(tolerate)


def run_spider(
    spider: Spider,
    configuration: Configuration,
    progress: Progress,
    sinks: Sequence[Plugin],
    job: Job | None,
    show: Callable[..., None],
    *,
    quiet: bool,
) -> Report:
    """Run one spider to its end, and show its result, also that of a crawl that failed."""
    plugins = [*configuration.plugins, progress]
    try:
        report = run(spider, settings=configuration.settings, plugins=plugins, outputs=sinks, job=job)
    except CrawlFailed as error:
        closed = reader_has_closed(error)
        if error.report is not None:
            show(error.report, quiet=quiet or closed is not None, resumable=not isinstance(error, JobLost))
        if closed is not None:
            raise closed from None
        raise
    show(report, quiet=quiet)
    return report


def _named(job: str | None) -> str:
    """Return the value of ``--job``; empty without one. Refuse an empty one, as of an unset variable of a script."""
    if job == "":
        raise ConfigError("--job is empty: name the folder of the job")
    return job or ""


def job_of(job: str, spiders: Sequence[Spider]) -> str | None:
    """Return the place of the job: that of the configuration, else the one that a single Scrapy project names."""
    named = getattr(spiders[0], "job_folder", "") if len(spiders) == 1 else ""
    return job or named or None


def _durable(place: str, *, override: bool) -> Job:
    from crawler.engine.job import Job  # noqa: PLC0415 - a crawl without a job does not need it

    return Job(place, override)


def split_settings(texts: Texts) -> tuple[Texts, Texts]:
    """Split the values of ``-s`` into settings of the crawler and settings of Scrapy, whose names are in capitals."""
    theirs = tuple(text for text in texts if text.partition("=")[0].strip().isupper())
    return tuple(text for text in texts if text not in theirs), theirs


def scrapy_spiders(
    project: Path,
    names: Sequence[str],
    arguments: Callable[[str], Mapping[str, str]],
    settings: Mapping[str, str],
) -> list[Spider]:
    """Return the one spider of a Scrapy project that has a name."""
    from crawler.cli.scrapy_project import project_spider  # noqa: PLC0415 - few crawls run one

    if len(names) > 1:
        raise ConfigError("--scrapy runs one spider, by its name")
    return [project_spider(project, names[0], arguments(names[0]), settings)]


def set_collector(workers: int) -> None:
    """Let the garbage collector run less often if many requests are in flight.

    It runs whenever 700 more objects have been allocated than freed, by default, which 1,000 requests exceed all
    the time without any garbage. It would take a third of the CPU time.
    """
    first, *others = gc.get_threshold()
    gc.set_threshold(max(first, OBJECTS * workers), *others)


def with_content(form: ContentForm | None, target: str, arguments: Mapping[str, str]) -> Mapping[str, str]:
    """Return the arguments of the spider, with the one for the value of ``--as``."""
    if form is None:
        return arguments
    if "://" not in target:
        raise ConfigError("--as needs the URL of a site as TARGET; a spider calls response.markdown() or .article()")
    if "content" in arguments:
        raise ConfigError("use either --as or -a content=, not both")
    return {**arguments, "content": form}


def disable_plugins(spider: Spider, names: Sequence[str], others: Sequence[Plugin]) -> None:
    """Remove plugins from those of a spider."""
    if not names:
        return
    own = [getattr(plugin, "name", "") for plugin in spider.plugins]
    for name in names:
        if name not in own:
            known = [*own, *(plugin.name for plugin in others)]
            raise ConfigError(f"--no-plugin: no plugin named {name!r} is enabled{did_you_mean(name, known)}")
    spider.plugins = [plugin for plugin in spider.plugins if plugin.name not in names]
