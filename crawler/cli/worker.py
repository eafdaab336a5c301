"""``crawler worker``: one of the workers of a job that many machines share."""

from __future__ import annotations

from typing import Annotated, Final

from crawler.cli.arguments import Argument, Command
from crawler.cli.run import command
from crawler.errors import ConfigError, LeaseLost
from crawler.logs import get_logger
from crawler.store.registry import is_url

__all__ = ["worker"]

INTERRUPTED: Final = 130
"""The exit code of ``crawler run`` after a signal."""
log = get_logger("crawler.cli")


def worker(
    url: Annotated[str, Argument("The job, such as postgresql://user@host/database/NAME, or env:NAME.", metavar="URL")],
    /,
    *arguments: Annotated[
        str,
        Argument("A spider and options of crawler run, but --job.", metavar="SPIDER", takes_rest=True),
    ],
) -> int:
    """Join a job that many machines share, and work until its end.

    After SIGTERM or Ctrl-C the worker starts no further request, waits for those in flight, releases its groups, and
    exits with code 0. If its lease has expired, so that others have its groups, it joins again.

    Example: crawler worker postgresql://db.example/crawls/books books.py
    """
    if not arguments:
        raise ConfigError("crawler worker needs a spider after the URL of the job")
    if "--job" in arguments or any(word.startswith("--job=") for word in arguments):
        raise ConfigError("crawler worker takes the job as its first argument, not as --job")
    if not is_url(url) and not url.startswith("env:"):
        raise ConfigError(f"crawler worker needs the URL of a job, not {url}: crawler run --job DIR uses a folder")
    run = Command("run", command).parse([*arguments, "--job", url])
    while True:
        try:
            code = run() or 0
        except LeaseLost as error:
            log.warning("%s; it joins again", error)
        else:
            return 0 if code == INTERRUPTED else code
