"""Several spiders in one command: they share their limits, and have outputs, jobs and reports of their own."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from crawler.cli.configuration import Configuration
from crawler.cli.logs import log_traceback, say
from crawler.cli.open_outputs import feed_places, feeds_of, open_outputs
from crawler.cli.progress import Progress
from crawler.cli.results import show_result
from crawler.cli.screen import Screen
from crawler.cli.web_page import address_options
from crawler.engine.job import Job
from crawler.engine.report import Report
from crawler.engine.session import CrawlSession
from crawler.engine.several import run_several
from crawler.errors import ConfigError, CrawlerError, CrawlFailed, JobLost
from crawler.limits.registry import Limits
from crawler.redaction import hide_userinfo, redact
from crawler.sinks.if_exists import IfExists
from crawler.sinks.names import file_name
from crawler.spiders import Spider
from crawler.store.inspect import DATABASE

__all__ = ["run_spiders"]

FIELD: Final = "%(spider)s"
"""Stands for the name of the spider in the names of outputs and reports."""
FEED_FIELD: Final = "%(name)s"
"""The same in the names of feeds of Scrapy projects."""
SAME_FIELDS: Final = frozenset({"batch_id", "batch_time", "time"})
"""Fields in the names of feeds that have the same value for all spiders."""
CODES: Final = (130, 1, 2, 3, 4)
"""Exit codes by priority: the command returns the first one that any of its crawls has."""


def run_spiders(
    spiders: Sequence[Spider],
    load: Callable[[], Configuration],
    *,
    report: Path | None,
    ui: str | None,
    if_exists: IfExists,
    override: bool,
    tolerate: str,
    quiet: bool,
    drawn: bool,
) -> int:
    """Run spiders at once, each to its own end, and return the exit code."""
    configuration = load()
    job = Job(configuration.job, override) if configuration.job else None
    _check_names(spiders, configuration.outputs, job, report)
    if ui and address_options(ui)["port"] != "0":
        raise ConfigError("several spiders cannot share the port of --ui: leave it out, and each gets its own")
    limits, screen = Limits(), Screen()
    sessions: list[CrawlSession] = []
    shown: list[tuple[Progress, Path | None, Job | None]] = []
    for spider in spiders:
        name = file_name(spider.name)
        own = configuration if not sessions else load()
        durable = None if job is None else job.named(name)
        folder = None if durable is None else durable.folder
        progress = Progress(shown=not quiet, drawn=drawn, screen=screen)
        sinks = [
            *open_outputs(own.outputs, if_exists, job=folder),
            *feeds_of(spider, own.outputs, if_exists, folder),
        ]
        plugins = [*own.plugins, progress]
        sessions.append(CrawlSession(spider, own.settings, plugins, sinks, durable, limits, if_exists))
        shown.append((progress, None if report is None else Path(str(report).replace(FIELD, name)), durable))
    if job is not None and job.folder is not None:
        job.folder.mkdir(exist_ok=True)
    codes = set()
    for spider, result, (progress, file, own_job) in zip(spiders, run_several(sessions), shown, strict=True):
        code, ended, why = _outcome(result, tolerate)
        codes.add(code)
        if why or not quiet:
            say(f"{_label(spider, spiders)}: {why}".rstrip() + "\n", level=logging.ERROR if why else logging.INFO)
        if ended is not None:
            places = [text.replace(FIELD, file_name(spider.name)) for text in configuration.outputs]
            places += feed_places(spider, configuration.outputs)
            resumable = not isinstance(result, JobLost)
            show_result(ended, progress, outputs=places, job=own_job, file=file, quiet=quiet, resumable=resumable)
    return next((code for code in CODES if code in codes), 0)


def _label(spider: Spider, spiders: Sequence[Spider]) -> str:
    """Return the name of a spider, with its first start page if another one has the same name."""
    is_alone = [each.name for each in spiders].count(spider.name) == 1
    return spider.name if is_alone or not spider.start_urls else f"{spider.name} {redact(spider.start_urls[0])}"


def _outcome(result: Report | CrawlerError | None, tolerate: str) -> tuple[int, Report | None, str]:
    """Return the exit code of one crawl, its report, if it has begun, and why it failed; empty if it did not."""
    if isinstance(result, Report):
        return result.exit_code(tolerate), result, ""
    if result is None:
        return 130, None, "interrupted before it began"
    log_traceback(result)
    if isinstance(result, CrawlFailed):
        return 1, result.report, f"the crawl failed: {result}"
    return 2, None, str(result)


def _check_names(spiders: Sequence[Spider], outputs: Sequence[str], job: Job | None, report: Path | None) -> None:
    """Raise `ConfigError` if two spiders would have the same output, job or report."""
    names = [file_name(spider.name) for spider in spiders]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None and (job is not None or report is not None or any(FIELD in text for text in outputs)):
        raise ConfigError(
            f"two spiders are named {twice!r}, and outputs, jobs and reports are named after spiders: run one at a time"
        )
    for text in outputs:
        if text != "-" and FIELD not in text and FIELD.replace("%", "%25") not in text:
            shown = hide_userinfo(text)
            raise ConfigError(f"several spiders cannot share the output {shown}: write {FIELD} into its name")
    feeds = [place for spider in spiders for place in dict.fromkeys(feed_places(spider, outputs)) if place != "-"]
    for place in feeds:
        if feeds.count(place) > 1 and SAME_FIELDS.issuperset(re.findall(r"%\((\w+)\)", place)):
            shown = hide_userinfo(place)
            raise ConfigError(f"several spiders cannot share the feed {shown}: write {FEED_FIELD} into its name")
    if report is not None and FIELD not in str(report):
        raise ConfigError(f"several spiders cannot share --report {report}: write {FIELD} into its name")
    if job is not None and job.folder is not None and (job.folder / DATABASE).exists():
        raise ConfigError(
            f"{job.folder} is the job of one spider: give several spiders another folder, in which each has its own job"
        )
