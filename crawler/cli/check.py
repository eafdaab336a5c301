"""``crawler check``: compare callbacks with what their docstrings expect."""

from __future__ import annotations

import inspect
import mimetypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from crawler.cli.arguments import Argument
from crawler.cli.configuration import Configuration, parse_pairs
from crawler.cli.expectations import Expectation, expectations_of, problems_of
from crawler.cli.logs import log_to_stderr, plural, say
from crawler.cli.meta_keys import misplaced_options
from crawler.cli.one_callback import run_callback
from crawler.cli.options import ArgumentTexts, LogLevel, SettingTexts
from crawler.cli.standard_streams import show
from crawler.cli.target import check_url, make_spider
from crawler.errors import ConfigError
from crawler.files import replace_file
from crawler.messages import Request
from crawler.settings import Settings

if TYPE_CHECKING:
    from crawler.spiders import Spider
    from crawler.testing import FakeSite

__all__ = ["check"]

OFFLINE = Settings(obey_robots=False, delay=0.0, attempts=1, grace=0.0)
"""Settings for pages that come from files."""


def check(
    target: Annotated[str, Argument("A spider: FILE.py, FILE.py:Class or MODULE:Class.")],
    /,
    *,
    record: Annotated[bool, Argument("Fetch the pages, and save them to the files that @page names.")] = False,
    argument: ArgumentTexts = (),
    setting: SettingTexts = (),
    log_level: LogLevel = "error",
) -> int:
    """Check the callbacks of a spider against their docstrings.

    The lines @url, @page, @returns and @scrapes of a docstring say what the callback does with one page. Pages are read
    from the files that @page names, so that the check needs no network; --record writes them. Options of Scrapy and
    Crawlee in meta={...} are found without running a callback. The exit code is 1 if a callback does not do what is
    expected, or an option is misplaced.

    Example: crawler check quotes.py
    """
    log_to_stderr(log_level)
    configuration = Configuration.load(settings=setting, arguments=parse_pairs(argument, "-a"))
    spider = make_spider(target, configuration.arguments)
    expected, source = list(expectations_of(spider)), _source_of(spider)
    misplaced = [] if source is None else sorted(misplaced_options(source))
    show(f"{'FAILED':6}  {os.path.relpath(source or '')}:{line}: {problem}" for line, problem in misplaced)
    if not expected and not misplaced and sys.flags.optimize > 1:
        raise ConfigError("check reads docstrings, which PYTHONOPTIMIZE=2 and python -OO remove: run it without them")
    if not expected and not misplaced:
        raise ConfigError(
            f"no docstring in {target} has a line such as @url https://quotes.example/ or @returns items 1"
        )
    failed = 0
    for expectation in expected:
        problems = list(_problems(target, configuration, expectation, record=record))
        failed += bool(problems)
        show([f"{'FAILED' if problems else 'ok':6}  {expectation.callback}  {expectation.url}"])
        show(f"        {problem}" for problem in problems)
    say(f"{plural(len(expected), 'callback')} checked, {failed} failed\n")
    return 1 if failed or misplaced else 0


def _source_of(spider: Spider) -> Path | None:
    """Return the file of a spider's class; `None` if it has none that can be read."""
    try:
        file = inspect.getsourcefile(type(spider))
    except TypeError:  # a class of a session of Python
        return None
    return Path(file) if file is not None and Path(file).is_file() else None


def _problems(target: str, configuration: Configuration, expected: Expectation, *, record: bool) -> Iterator[str]:
    """Yield each expectation that one callback does not meet, in words."""
    spider = make_spider(target, configuration.arguments)
    file = expected.file(spider)
    request = Request(check_url(expected.url), expected.callback, cb_kwargs=expected.cb_kwargs or None)
    if file is None or record:
        outcome = run_callback(
            spider,
            request,
            settings=Settings(grace=0.0) | configuration.settings,
            plugins=configuration.plugins,
        )
        if record and file is not None and outcome.response is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            with replace_file(file) as new:
                new.write(outcome.response.body)
    elif not file.is_file():
        yield f"no such file: {os.path.relpath(file)} (crawler check {target} --record fetches it)"
        return
    else:
        site = _site(expected.url, file)
        outcome = run_callback(
            spider, request, settings=configuration.settings | OFFLINE, plugins=configuration.plugins,
            transport=site.transport,
        )  # fmt: skip
    yield from problems_of(expected, outcome)


def _site(url: str, file: Path) -> FakeSite:
    """Return a site whose only page has the content of a file."""
    from crawler.testing import FakeSite, Page  # noqa: PLC0415 - the test kit, which other commands do not need

    kind = mimetypes.guess_type(file.name)[0] or "text/html"
    return FakeSite({url: Page(file.read_bytes(), headers={"Content-Type": kind})})
