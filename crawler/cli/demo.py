"""``crawler demo``: a small site on loopback, crawled for real, and what became of its traps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from crawler.cli.logs import Level, log_to_stderr
from crawler.cli.progress import Progress
from crawler.cli.run import open_outputs
from crawler.cli.summary import summary
from crawler.engine import Report, run
from crawler.messages import Response
from crawler.settings import Settings
from crawler.spiders import Spider
from crawler.testing.demo import DemoSite, Hit, demo_site

__all__ = ["demo"]

SHOWN: Final = 3
"""Items that are shown."""
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
            allow_leading_hyphen=True,
            help="Where the items go: .jsonl, .json, .csv or - (default demo.jsonl); replaced if it exists.",
        ),
    ] = "demo.jsonl",
    pages: Annotated[bool, Parameter(help="Show every request, as the site saw it.")] = False,
    log_level: Annotated[Level, Parameter(help="What is logged to standard error.")] = "warning",
) -> int:
    """Crawl a small site that this command serves on 127.0.0.1; needs no network."""
    log_to_stderr(log_level)
    story = sys.stderr if output == "-" else sys.stdout
    sinks = open_outputs([output], "overwrite")
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
    """What became of everything that is special about the site; figures of its log, and of the report."""
    asked = [hit.path for hit in site.hits]
    twice = sum(asked.count(path) > 1 for path in set(asked) if path != "/offers")
    busy = [hit.time for hit in site.hits if hit.path == "/offers"]
    waited = f", asked again after {busy[1] - busy[0]:.1f} s as it wished" if len(busy) > 1 else ""
    yield f"redirect    /catalogue.html {_list(site, '/catalogue.html')}: followed to /books/1"
    yield f"dead link   /lost {_list(site, '/lost')}: an answer like others, counted under statuses"
    yield f"slow page   /opening-hours {_list(site, '/opening-hours')}: nobody waited for it but itself"
    yield f"busy page   /offers {_list(site, '/offers')}{waited} (Retry-After)"
    refused = report.filtered.get("robots", 0)
    private = asked.count("/private/orders")
    yield f"robots.txt  /private/orders was asked for {private} times, and left out {refused} times"
    loops = report.filtered.get("duplicate", 0)
    yield f"link loops  {loops} links led to known pages; {twice} pages were fetched twice"


def _list(site: DemoSite, path: str) -> str:
    return "answered " + ", then ".join(map(str, site.statuses(path)))


def _first(path: Path) -> Iterator[str]:
    """The first items of an output, in its own form."""
    if path.suffix == ".json":
        for item in msgspec.json.decode(path.read_bytes())[:SHOWN]:
            yield f"  {msgspec.json.encode(item).decode()}\n"
        return
    with path.open(encoding="utf-8") as file:
        for line in islice(file, SHOWN + (path.suffix == ".csv")):
            yield f"  {line.rstrip()}\n"
