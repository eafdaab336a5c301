"""`hint_of_scrapy`: what a command or an option of Scrapy is called here, for the message about an unknown one."""

from __future__ import annotations

from typing import Final

__all__ = ["COMMANDS_OF_SCRAPY", "OPTIONS_OF_SCRAPY", "hint_of_scrapy"]

COMMANDS_OF_SCRAPY: Final = {
    "crawl": "crawler run FILE.py",
    "edit": "open the file in an editor",
    "genspider": "crawler new NAME URL",
    "runspider": "crawler run FILE.py",
    "startproject": "crawler new project NAME URL",
    "version": "crawler --version",
    "view": "crawler shell URL -c 'view()'",
}
OPTIONS_OF_SCRAPY: Final = {
    "-L": "--log-level LEVEL",
    "-O": "-o FILE --overwrite",
    "-t": "the extension of FILE in -o FILE",
    "--logfile": "2> FILE",
    "--loglevel": "--log-level LEVEL",
    "--nolog": "--quiet",
}
"""Options of ``scrapy crawl`` and ``scrapy runspider``."""


def hint_of_scrapy(message: str) -> str:
    """Return the message about an unknown command or option of Scrapy with its name here; empty for other messages.

    Parameters:
        message: ``unknown command "crawl"``, or ``unknown option: -L``, and what may follow.
    """
    known = {f'unknown command "{name}"': here for name, here in COMMANDS_OF_SCRAPY.items()}
    known |= {f"unknown option: {name}": here for name, here in OPTIONS_OF_SCRAPY.items()}
    start = message.partition(". ")[0]
    return f"{start} (here: {known[start]})" if start in known else ""
