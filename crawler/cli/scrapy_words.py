"""`hint_of_scrapy`: what a command or an option of Scrapy is called here, for the message about an unknown one.

`hint_of_project` says how to run the spiders of a Scrapy project, for messages about a target without a spider.
"""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Final

__all__ = ["COMMANDS_OF_SCRAPY", "OPTIONS_OF_SCRAPY", "hint_of_project", "hint_of_scrapy"]

COMMANDS_OF_SCRAPY: Final = {
    "crawl": "crawler run --scrapy PROJECT SPIDER",
    "edit": "open the file in an editor",
    "genspider": "crawler new NAME URL",
    "runspider": "crawler run FILE.py",
    "startproject": "crawler new project NAME URL",
    "version": "crawler --version",
    "view": "crawler shell URL -c 'view()'",
}
ACTIONS: Final = COMMANDS_OF_SCRAPY | {"list": "crawler scrapy check PROJECT"}
"""What takes the place of ``crawler scrapy NAME``."""
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
        message: ``unknown command "crawl"``, ``unknown option: -L`` or ``invalid value "crawl" for ACTION``, and what
            may follow.
    """
    known = {f'unknown command "{name}"': here for name, here in COMMANDS_OF_SCRAPY.items()}
    known |= {f"unknown option: {name}": here for name, here in OPTIONS_OF_SCRAPY.items()}
    known |= {f'invalid value "{name}" for ACTION': here for name, here in ACTIONS.items()}
    start = message.partition(". ")[0]
    return f"{start} (here: {known[start]})" if start in known else ""


def hint_of_project(folder: Path) -> str:
    """Return how to run the spiders of the Scrapy project that a folder belongs to; empty if it belongs to none.

    Parameters:
        folder: The folder.
    """
    place = folder.resolve()
    found = next((one for one in (place, *place.parents) if (one / "scrapy.cfg").is_file()), None)
    if found is None:
        return ""
    return f" (spiders of this Scrapy project: crawler run --scrapy {os.path.relpath(found)} NAME)"
