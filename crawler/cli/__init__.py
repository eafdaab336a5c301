"""The command line: one file per command or pair of commands, listed in `commands`.

`app.main` runs a command, `arguments` reads its words, `target` and `configuration` turn them into a spider and
settings, and `run` runs the crawl. This is the topmost room; no other room imports it. Installed distributions add
commands by the entry-point group `crawler.commands`: a function whose signature has an `Argument` for each parameter.
The other names below are what the commands of the plugin `web` are made of.
"""

from __future__ import annotations

import typing as _typing

from crawler.lazy import lazy_names as _lazy_names
from crawler.lazy import places as _places

_PLACES = _places(
    {
        "crawler.cli.app": "main",
        "crawler.cli.arguments": "Argument",
        "crawler.cli.export": "export_items",
        "crawler.cli.listing": "FoundSpider find_spiders",
        "crawler.cli.logs": "log_to_stderr",
        "crawler.cli.runs": "compared",
        "crawler.cli.progress_line": "one_line",
        "crawler.cli.snapshot_text": "live_view",
        "crawler.cli.web_page": "ADDRESS address_options",
        "crawler.hooks.load": "construct",
        "crawler.hooks.requirements": "require",
        "crawler.suggest": "did_you_mean",
    }
)

__all__ = sorted(_PLACES)  # noqa: PLE0605 - type checkers read the imports below

if _typing.TYPE_CHECKING:
    from crawler.cli.app import main as main
    from crawler.cli.arguments import Argument as Argument
    from crawler.cli.export import export_items as export_items
    from crawler.cli.listing import FoundSpider as FoundSpider
    from crawler.cli.listing import find_spiders as find_spiders
    from crawler.cli.logs import log_to_stderr as log_to_stderr
    from crawler.cli.progress_line import one_line as one_line
    from crawler.cli.runs import compared as compared
    from crawler.cli.snapshot_text import live_view as live_view
    from crawler.cli.web_page import ADDRESS as ADDRESS
    from crawler.cli.web_page import address_options as address_options
    from crawler.hooks.load import construct as construct
    from crawler.hooks.requirements import require as require
    from crawler.suggest import did_you_mean as did_you_mean
else:  # or every name would exist for type checkers
    __getattr__, __dir__ = _lazy_names(__name__, _PLACES)
