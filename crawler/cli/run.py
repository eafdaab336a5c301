"""``crawler run``: a spider, settings, plugins and outputs become a crawl, and the crawl an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from crawler.cli.configuration import Layers, pairs
from crawler.cli.logs import Level, log_to_stderr, say
from crawler.cli.progress import Progress
from crawler.cli.standard_streams import is_open
from crawler.cli.summary import summary
from crawler.cli.target import make_spider
from crawler.engine.api import run
from crawler.engine.job import Job
from crawler.engine.report import Report, tolerated
from crawler.errors import ConfigError, CrawlFailed
from crawler.files import replace_file
from crawler.hooks.plugin import Plugin
from crawler.sinks import open_output
from crawler.sinks.base import IfExists
from crawler.spiders import Spider
from crawler.suggest import did_you_mean

__all__ = ["command", "open_outputs"]

Texts = tuple[str, ...]


def command(
    target: Annotated[str, Parameter(help="FILE.py, FILE.py:Class, package.module:Class, or the URL of a site.")],
    /,
    *,
    output: Annotated[
        Texts,
        Parameter(
            name=["-o", "--output"],
            metavar="OUT",
            allow_leading_hyphen=True,
            help="Where items go, by ending: .jsonl, .json, .csv; - is JSON Lines on standard output. Repeatable.",
        ),
    ] = (),
    setting: Annotated[
        Texts,
        Parameter(name=["-s", "--setting"], metavar="NAME=VALUE", help="A setting, as in -s delay=1. Repeatable."),
    ] = (),
    argument: Annotated[
        Texts,
        Parameter(name=["-a", "--argument"], metavar="NAME=VALUE", help="An argument of the spider. Repeatable."),
    ] = (),
    plugin: Annotated[
        Texts,
        Parameter(
            name=["-p", "--plugin"],
            metavar="PLUGIN",
            help="A plugin: the name of an installed one, or module:Class. Repeatable.",
        ),
    ] = (),
    option: Annotated[
        Texts,
        Parameter(
            name=["-P", "--plugin-option"],
            metavar="PLUGIN.OPTION=VALUE",
            help="An option of a plugin that is enabled. Repeatable.",
        ),
    ] = (),
    no_plugin: Annotated[
        Texts,
        Parameter(
            metavar="PLUGIN", help="A plugin that is left out, though the spider or crawler.toml names it. Repeatable."
        ),
    ] = (),
    job: Annotated[
        Path | None,
        Parameter(metavar="DIR", help="Make the crawl durable: killed at any moment, the same command goes on."),
    ] = None,
    override: Annotated[
        bool, Parameter(help="Go on with a job although spider, arguments or settings have changed.")
    ] = False,
    report: Annotated[Path | None, Parameter(metavar="FILE", help="A file for a report of the crawl, as JSON.")] = None,
    tolerate: Annotated[
        str,
        Parameter(
            metavar="N|P%",
            help="Failures that are fine: a number, or a share such as 5%; more: exit code 4. Default 0.",
        ),
    ] = "0",
    overwrite: Annotated[bool, Parameter(help="Replace outputs that exist.")] = False,
    append: Annotated[bool, Parameter(help="Add to outputs that exist.")] = False,
    quiet: Annotated[bool, Parameter(help="No progress line and no summary.")] = False,
    log_level: Annotated[
        Level, Parameter(help="What is logged to standard error; debug shows every request.")
    ] = "warning",
    log_json: Annotated[bool, Parameter(help="Log lines, and all other words, as JSON, one object a line.")] = False,
) -> int:
    """Run a spider, or go through the site of a URL.

    Settings come from, each over the one before: defaults, the spider, crawler.toml in the working directory, the
    environment (CRAWLER_WORKERS=8), -s. The first Ctrl-C lets what is in flight end, the second ends it at once.
    """
    log_to_stderr(log_level, as_json=log_json)
    if overwrite and append:
        raise ConfigError("--overwrite and --append: only one of them")
    tolerated(tolerate, 0)
    if report is not None:
        check_report(report)
    layers = Layers.read(settings=setting, plugins=plugin, options=option, without=no_plugin)
    spider = make_spider(target, pairs(argument, "-a"))
    leave_out(spider, [name for name in no_plugin if name not in layers.left_out], layers.plugins)
    if override and job is None:
        raise ConfigError("--override goes with --job")
    if_exists: IfExists = "overwrite" if overwrite else "append" if append else "refuse"
    sinks = open_outputs(output, if_exists, in_job=job is not None)
    kept_in = Job(job, override) if job is not None else None
    progress = Progress(live=not quiet and not log_json and not ("-" in output and sys.stdout.isatty()))
    try:
        done = run(spider, settings=layers.settings, plugins=[*layers.plugins, progress], outputs=sinks, job=kept_in)
    except CrawlFailed:
        broken = progress.report("failed")
        if broken is not None:
            tell(broken, progress, outputs=output, file=report, quiet=quiet)
        raise
    tell(done, progress, outputs=output, file=report, quiet=quiet)
    return done.exit_code(tolerate)


def open_outputs(specs: Iterable[str], if_exists: IfExists, *, in_job: bool = False) -> list[Plugin]:
    """The sinks of a command line.

    Raises:
        ConfigError: one cannot be written, or two are the same.
    """
    sinks: list[Plugin] = []
    places: set[str] = set()
    for spec in specs:
        if spec == "-" and not is_open():
            raise ConfigError("-o - wants a standard output, and there is none")
        sinks.append(open_output(spec, if_exists=if_exists, in_job=in_job))
        place = spec if spec == "-" else str(Path(spec).resolve())
        if place in places:
            raise ConfigError(f"output {spec} is given twice")
        places.add(place)
    return sinks


def leave_out(spider: Spider, names: Sequence[str], others: Sequence[Plugin]) -> None:
    """Takes plugins away that a spider brings along.

    Raises:
        ConfigError: there is none of that name, there or anywhere.
    """
    if not names:
        return
    own = [getattr(plugin, "name", "") for plugin in spider.plugins]
    for name in names:
        if name not in own:
            known = [*own, *(plugin.name for plugin in others)]
            raise ConfigError(f"--no-plugin: no plugin named {name!r} is enabled{did_you_mean(name, known)}")
    spider.plugins = [plugin for plugin in spider.plugins if plugin.name not in names]


def tell(report: Report, progress: Progress, *, outputs: Sequence[str], file: Path | None, quiet: bool) -> None:
    """Writes the summary and the report."""
    if not quiet:
        places = ["standard output" if output == "-" else output for output in outputs]
        if report.items and not any(type(plugin).persist is not Plugin.persist for plugin in progress.crawl.plugins):
            places.append("no output: name one with -o")
        say(summary(report, outputs=places, causes=progress.causes))
    if file is not None:
        write_report(file, report)


def check_report(path: Path) -> None:
    """Raises `ConfigError` if a report cannot be written to `path`."""
    if path.is_dir():
        raise ConfigError(f"--report {path} is a directory, not a file")
    if not path.parent.is_dir():
        raise ConfigError(f"no such directory: {path.parent} (for --report {path})")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"no permission to write --report {path}")


def write_report(path: Path, report: Report) -> None:
    """Puts a report in the place of `path`, whole or not at all.

    Raises:
        ConfigError: it cannot be written any more.
    """
    replaceable = not path.is_symlink() and (path.is_file() or not path.exists())
    try:
        if replaceable:
            with replace_file(path) as file:
                file.write(report.to_json())
        else:  # a pipe or a device, such as /dev/stderr
            path.write_bytes(report.to_json())
    except OSError as error:
        raise ConfigError(f"cannot write --report {path}: {error.strerror}") from error
