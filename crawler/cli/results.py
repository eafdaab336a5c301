"""The result of a crawl: the summary on standard error, and the report in a file or on standard output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crawler.cli.logs import plural, say
from crawler.cli.progress import Progress
from crawler.cli.standard_streams import output_is_open, write
from crawler.cli.summary import advice_for, summary
from crawler.engine.report import Report
from crawler.errors import ConfigError, CrawlFailed
from crawler.files import error_reason, is_replaced, replace_file, write_refusal
from crawler.hooks.plugin import Plugin
from crawler.redaction import hide_userinfo

if TYPE_CHECKING:
    from crawler.engine.job import Job

STANDARD_OUTPUT: Final = Path("-")

__all__ = ["check_report", "check_report_is_separate", "reader_has_closed", "show_result", "write_report"]


def check_report(path: Path, outputs: Sequence[str] = ()) -> None:
    """Raise `ConfigError` if a report cannot be written to `path`, ``-`` for standard output."""
    if path == STANDARD_OUTPUT:
        if "-" in outputs:
            raise ConfigError("standard output takes either the items (-o -) or the report (--report -), not both")
        if not output_is_open():
            raise ConfigError("cannot write the report to standard output (--report -): it is closed")
        return
    if str(path).startswith("-"):
        raise ConfigError(f"--report needs a file or -, not {path}")
    if path.is_dir():
        raise ConfigError(f"--report {path} is a folder, not a file")
    if not path.parent.is_dir():
        raise ConfigError(f"no such folder: {path.parent} (for --report {path})")
    if refusal := write_refusal(path.parent if is_replaced(path) else path):
        raise ConfigError(refusal.format(f"--report {path}"))


def check_report_is_separate(path: Path, outputs: Sequence[str], job: Path | None) -> None:
    """Raise `ConfigError` if a report would replace an output of the crawl, or the folder of its job."""
    place = path.resolve()
    if job is not None and place == job.resolve():
        raise ConfigError(f"--report {path} is the folder of the job: choose another name")
    for output in outputs:
        if output != "-" and "://" not in output and place in (Path(output).resolve(), _file_of(output)):
            raise ConfigError(f"--report {path} would replace the output {output}: choose another name")


def _file_of(output: str) -> Path:
    """Return the file of an output whose options follow a question mark."""
    return Path(output.partition("?")[0]).resolve()


def show_result(
    report: Report,
    progress: Progress,
    *,
    outputs: Sequence[str],
    job: Job | None,
    file: Path | None,
    quiet: bool,
    resumable: bool = True,
) -> None:
    """Write the summary to standard error, unless `quiet`, and the report to `file`, if there is one."""
    if not quiet:
        plugins = progress.crawl.plugins
        places = [*_places(outputs, progress, job, resumable=resumable)]
        keeps = getattr(progress.crawl.spider, "keeps_items", False)  # the pipelines of a Scrapy project may
        if report.items and not (places or keeps or any(type(one).persist is not Plugin.persist for one in plugins)):
            keep = "use -o FILE to keep the items"
            places.append(f"none: {keep if job is None else f'crawler job {job.shown} --export FILE writes the items'}")
        advice = advice_for(report.lanes, progress.crawl.settings)
        lines = summary(
            report,
            outputs=places,
            causes=progress.causes,
            job="" if job is None or not resumable else hide_userinfo(str(job.place)),
        )
        say(lines + (f"  advice    {advice}\n" if advice else ""))
    if file is not None:
        write_report(file, report)


def _places(outputs: Sequence[str], progress: Progress, job: Job | None, *, resumable: bool) -> Iterator[str]:
    """Yield where the items were written, and how many of them are missing there."""
    plugins = progress.crawl.plugins
    sinks = plugins[plugins.index(progress) + 1 :]  # as the command line adds them
    for output, sink in zip_longest(outputs, sinks[: len(outputs)]):  # a Scrapy project may write some of them itself
        place: str | Path = "standard output" if output == "-" else output
        if job is not None and job.folder is None:  # each worker of a shared job writes files of its own
            place = getattr(sink, "path", place)
        missing = getattr(sink, "behind", 0)
        rest = f" without the last {plural(missing, 'item')}" if missing else ""
        later = ", which the next run stores" if missing and job is not None and resumable else ""
        yield f"{hide_userinfo(str(place))}{rest}{later}"


def write_report(path: Path, report: Report) -> None:
    """Write a report to `path`, replacing a file in one step; ``-`` is standard output."""
    if path == STANDARD_OUTPUT:
        write(report.to_json().decode())
        return
    try:
        with replace_file(path) as file:
            file.write(report.to_json())
    except OSError as error:
        raise ConfigError(f"cannot write --report {path}: {error_reason(error)}") from error


def reader_has_closed(error: CrawlFailed) -> BrokenPipeError | None:
    """Return why a crawl failed if the reader of standard output has closed it, as ``head`` does; `None` if not."""
    cause: BaseException | None = error.__cause__
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    origin = None if cause is None else cause.__cause__
    return origin if isinstance(origin, BrokenPipeError) else None
