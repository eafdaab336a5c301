"""``crawler demo``: crawl a small site on loopback, and show how the crawl handled its difficulties."""

from __future__ import annotations

import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from crawler.cli.arguments import Argument
from crawler.cli.logs import log_to_stderr
from crawler.cli.open_outputs import open_outputs
from crawler.cli.options import LogLevel
from crawler.cli.progress import Progress
from crawler.cli.summary import summary
from crawler.engine.api import run
from crawler.engine.report import Report
from crawler.errors import ConfigError
from crawler.files import error_reason
from crawler.messages import Response
from crawler.settings import Settings
from crawler.spiders import Spider

if TYPE_CHECKING:
    from crawler.testing.demo import DemoSite, Hit

__all__ = ["demo"]

MAX_SHOWN: Final = 3
"""Number of items that are shown."""
MAX_WIDTH: Final = 98
"""Number of characters of an item that are shown."""
PORT: Final = 8765
"""The port of ``--serve``, so that a URL in the manual works as it is written."""
SERVED: Final = """\
A small bookshop is open at {url}
First lines of books are at {url}quotes/
Ctrl-C closes it. Crawl it from another terminal:
  crawler run {url} -o pages.jsonl
"""
NEXT_STEPS: Final = """\
Try next:
  crawler new shop https://example.com/     creates shop.py, a spider to start from
  crawler run shop.py -o shop.csv           runs it
  crawler run https://example.com/ -o -     crawls a whole site without a spider
  crawler links https://example.com/        prints the links of a page
"""


class Bookshop(Spider):
    """The spider of the demo. It follows lists to books, and makes an item of each book."""

    allowed_domains = ("127.0.0.1",)
    settings = Settings(max_seconds=8.0)

    def parse(self, response: Response) -> Iterator[Any]:
        """Follow the links of a list, or of any other page."""
        yield from response.follow_all("li.book a", self.parse_book)
        yield from response.follow_all("a.next, li.more a")

    def parse_book(self, response: Response) -> Iterator[Any]:
        """Make an item of the page of a book."""
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
        Argument(
            "Where to write items: a .jsonl, .json or .csv file, or - for standard output (default "
            "demo.jsonl). An existing file is replaced.",
            "-o",
            "--output",
            metavar="OUT",
            hyphen=True,
        ),
    ] = "demo.jsonl",
    pages: Annotated[bool, Argument("Show every request that the site received.")] = False,
    serve: Annotated[bool, Argument("Serve the site until Ctrl-C instead, so that you can crawl it.")] = False,
    port: Annotated[int, Argument("The port for --serve; 0: a free one.", metavar="N", limits=(0, 65_535))] = PORT,
    log_level: LogLevel = "warning",
) -> int:
    """Crawl a small demo site on this machine, without a network.

    Example: crawler demo --pages
    """
    log_to_stderr(log_level)
    if serve:
        return _serve(port)
    screen = sys.stderr if output == "-" else sys.stdout
    sinks = open_outputs([output], "overwrite")
    from crawler.testing.demo import demo_site  # noqa: PLC0415 - a server, which no other command needs

    with demo_site() as site:
        screen.write(f"A small bookshop is open at {site.url}. Crawling it:\n")
        screen.flush()
        spider = Bookshop(start_urls=[site.url])
        report = run(spider, plugins=[Progress(shown=output != "-")], outputs=sinks)
    if pages:
        screen.writelines(_request_log(site.hits))
    screen.write(summary(report, outputs=() if output == "-" else (output,)))
    screen.write("\nHow the crawl handled the site's difficulties, by the site's own log:\n")
    screen.writelines(f"  {line}\n" for line in _difficulties(site, report))
    if output != "-":
        screen.write(f"\nThe first items in {output}:\n")
        screen.writelines(_first_items(Path(output)))
    screen.write(f"\n{NEXT_STEPS}")
    return report.exit_code()


def _serve(port: int) -> int:
    """Serve the site until Ctrl-C or SIGTERM, and return the exit code."""
    from crawler.testing.demo import demo_site  # noqa: PLC0415 - a server, which no other command needs

    ended = threading.Event()
    with ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM):
            stack.callback(signal.signal, number, signal.signal(number, lambda *_: ended.set()))
        try:
            site = stack.enter_context(demo_site(port))
        except OSError as error:
            raise ConfigError(f"--port {port}: {error_reason(error)}; --port 0 takes a free one") from None
        sys.stdout.write(SERVED.format(url=site.url))
        sys.stdout.flush()
        ended.wait()
    return 0


def _request_log(hits: list[Hit]) -> Iterator[str]:
    """Yield a line for each request in the site's log."""
    for hit in hits:
        yield f"  {hit.time:6.3f} s  {hit.status}  {hit.path}\n"


def _difficulties(site: DemoSite, report: Report) -> Iterator[str]:
    """Yield a line for each difficulty of the site, from its own log and from the report."""
    times = {path: [hit.time for hit in site.hits if hit.path == path] for path in ("/offers", "/opening-hours")}
    paths = Counter(hit.path for hit in site.hits)
    yield f"redirect    /catalogue.html {_returned(site, '/catalogue.html')}; the crawl followed it to /books/1"
    yield f"dead link   /lost {_returned(site, '/lost')}; that is a response, not a failure of the crawl"
    for end in times["/opening-hours"]:
        others = sum(end - site.slow < hit.time < end for hit in site.hits)
        yield f"slow page   /opening-hours took {site.slow:g} s; {others} other requests were served meanwhile"
    for first, second in pairwise(times["/offers"]):
        yield f"busy page   /offers {_returned(site, '/offers')}; retried after {second - first:.1f} s (Retry-After)"
    skipped, received = report.filtered.get("robots", 0), paths["/private/orders"]
    yield f"robots.txt  /private/orders is disallowed: links skipped: {skipped}, requests received: {received}"
    known = report.filtered.get("duplicate", 0)
    twice = sum(count > 1 for path, count in paths.items() if path != "/offers")
    yield f"link loops  {known} links led to known pages; pages fetched twice: {twice}"


def _returned(site: DemoSite, path: str) -> str:
    """Return the statuses of a page, in order."""
    return "returned " + ", then ".join(map(str, site.statuses(path)))


def _first_items(path: Path) -> Iterator[str]:
    """Yield the first items of an output, in the format of the output."""
    if path.suffix == ".json":
        lines = [msgspec.json.encode(item).decode() for item in msgspec.json.decode(path.read_bytes())[:MAX_SHOWN]]
    else:
        with path.open(encoding="utf-8") as file:
            lines = [line.rstrip() for line in islice(file, MAX_SHOWN + (path.suffix == ".csv"))]
    for line in lines:
        yield f"  {line if len(line) <= MAX_WIDTH else line[: MAX_WIDTH - 1] + '…'}\n"
