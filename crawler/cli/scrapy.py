"""``crawler scrapy check PROJECT``: which spiders of a Scrapy project run here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Final, Literal

from crawler.cli.arguments import Argument
from crawler.cli.logs import plural, say
from crawler.cli.scrapy_project import check_project
from crawler.cli.standard_streams import show

__all__ = ["scrapy"]

WORDS: Final = {
    "runs": ("runs", "run"),
    "not durable": ("runs, but not with --job", "run without --job only"),
    "cannot": ("cannot run", "cannot run"),
    "no effect": ("setting without effect", ""),
}
"""The words for each verdict: in its line, and in the total."""


def scrapy(
    action: Annotated[  # noqa: ARG001 - there is one so far
        Literal["check"], Argument("check: print a line for each spider; nothing is sent.")
    ],
    project: Annotated[Path, Argument("The folder of a Scrapy project, with its scrapy.cfg.")],
    /,
) -> int:
    """Check which spiders of a Scrapy project run here.

    It prints a line for each spider, or for each reason why the spider does not run, or not with --job. It imports the
    modules of the project, and fetches nothing. The exit code is 0 if all spiders run, 1 if one cannot, and 2 if there
    is no such project.

    Example: crawler scrapy check path/to/project
    """
    found = list(check_project(project))
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        for reason in one.reasons or ("",):
            show([f"{one.name:{width}}  {WORDS[one.verdict][0]}{': ' if reason else ''}{reason}"])
    counts = Counter(one.verdict for one in found)
    total = sum(counts.values()) - counts["no effect"]
    parts = [f"{counts[verdict]} {words}" for verdict, (_, words) in WORDS.items() if words and counts[verdict]]
    say(f"{plural(total, 'spider')}: {', '.join(parts)}\n" if total else "crawler: the project has no spiders\n")
    return 1 if counts["cannot"] else 0
