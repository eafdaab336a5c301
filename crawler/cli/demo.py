"""``crawler demo``: a small site on loopback, crawled for real, and what became of its traps."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from crawler.cli.logs import Level, log_to_stderr
from crawler.cli.progress import Progress
from crawler.cli.run import open_outputs
from crawler.cli.summary import summary
from crawler.engine.api import run
from crawler.engine.report import Report
from crawler.messages import Response
from crawler.settings import Settings
from crawler.spiders import Spider

if TYPE_CHECKING:
    from crawler.testing.demo import DemoSite, Hit

__all__ = ["demo"]

SHOWN: Final = 3
"""Items that are shown."""
WIDTH: Final = 98
"""Characters of each that are shown."""
NEXT: Final = """\
Try next:
  crawler new shop https://example.com/     writes shop.py, a spider to begin with
  crawler run shop.py -o shop.csv           runs it
  crawler run https://example.com/ -o -     goes through a site without a spider
  crawler links https://example.com/        prints the links of a page
"""


class Bookshop(Spider):
    """The spider of the demo: lists lead to books, a book is an item."""

    allowed_domains = ("127.0.0.1",)
    settings = Settings(max_seconds=8.0)

    def parse(self, response: Response) -> Iterator[Any]:
        """Lists and all other pages."""
        yield from response.follow_all("li.book a", self.parse_book)
        yield from response.follow_all("a.next, li.more a")

    def parse_book(self, response: Response) -> Iterator[Any]:
        """The page of a book."""
        yield {
            "title": response.css("h1::text").get(),
            "author": response.css(".author::text").get(),
            "year": int(response.css(".year::text").get() or 0),
            "price": float(response.css(".price::text").get() or 0),
            "line": response.css(".line::text").get(),
            "url": response.url,
        }


def demo(
    *,
    output: Annotated[
        str,
        Parameter(
            name=["-o", "--output"],
            metavar="OUT",
            allow_leading_hyphen=True,
            help="Where the items go: .jsonl, .json, .csv or - (default demo.jsonl); replaced if it exists.",
        ),
    ] = "demo.jsonl",
    pages: Annotated[bool, Parameter(help="Show every request, as the site saw it.")] = False,
    log_level: Annotated[Level, Parameter(help="What is logged to standard error.")] = "warning",
) -> int:
    """Crawl a small site that is served here and now; needs no network."""
    log_to_stderr(log_level)
    story = sys.stderr if output == "-" else sys.stdout
    sinks = open_outputs([output], "overwrite")
    from crawler.testing.demo import demo_site  # noqa: PLC0415 - a server, which no other command needs

    with demo_site() as site:
        story.write(f"A bookshop is open at {site.url} for a moment. Crawling it:\n")
        story.flush()
        spider = Bookshop(start_urls=[site.url])
        report = run(spider, plugins=[Progress(live=output != "-")], outputs=sinks)
    if pages:
        story.writelines(_seen(site.hits))
    story.write(summary(report, outputs=() if output == "-" else (output,)))
    story.write("\nWhat the site has seen (its own log):\n")
    story.writelines(f"  {line}\n" for line in _traps(site, report))
    if output != "-":
        story.write(f"\nThe first items in {output}:\n")
        story.writelines(_first(Path(output)))
    story.write(f"\n{NEXT}")
    return report.exit_code()


def _seen(hits: list[Hit]) -> Iterator[str]:
    """The log of the site."""
    for hit in hits:
        yield f"  {hit.time:6.3f} s  {hit.status}  {hit.path}\n"


def _traps(site: DemoSite, report: Report) -> Iterator[str]:
    """What became of everything that is special about the site: its own log beside the report."""
    times = {path: [hit.time for hit in site.hits if hit.path == path] for path in ("/offers", "/opening-hours")}
    paths = Counter(hit.path for hit in site.hits)
    yield f"redirect    /catalogue.html {_answers(site, '/catalogue.html')}; it was followed to /books/1"
    yield f"dead link   /lost {_answers(site, '/lost')}; that is an answer, not a failure of the crawl"
    for end in times["/opening-hours"]:
        others = sum(end - site.slow < hit.time < end for hit in site.hits)
        yield f"slow page   /opening-hours took {site.slow:g} s; meanwhile {others} other requests were answered"
    for first, second in pairwise(times["/offers"]):
        yield f"busy page   /offers {_answers(site, '/offers')}; asked again after {second - first:.1f} s (Retry-After)"
    refused, asked = report.filtered.get("robots", 0), paths["/private/orders"]
    yield f"robots.txt  /private/orders is closed to robots: links left out {refused}, requests seen {asked}"
    known, twice = (
        report.filtered.get("duplicate", 0),
        sum(count > 1 for path, count in paths.items() if path != "/offers"),
    )
    yield f"link loops  {known} links led to pages known already; pages fetched twice: {twice}"


def _answers(site: DemoSite, path: str) -> str:
    return "answered " + ", then ".join(map(str, site.statuses(path)))


def _first(path: Path) -> Iterator[str]:
    """The first items of an output, in its own form."""
    if path.suffix == ".json":
        lines = [msgspec.json.encode(item).decode() for item in msgspec.json.decode(path.read_bytes())[:SHOWN]]
    else:
        with path.open(encoding="utf-8") as file:
            lines = [line.rstrip() for line in islice(file, SHOWN + (path.suffix == ".csv"))]
    for line in lines:
        yield f"  {line if len(line) <= WIDTH else line[: WIDTH - 1] + '…'}\n"
