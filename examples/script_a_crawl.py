"""A crawl as a part of a script: run it, look at the report, exit by it.

::

    python examples/script_a_crawl.py https://quotes.example/ quotes.csv

`crawler.run` has an event loop of its own, handles Ctrl-C and SIGTERM, and may be called any number of times.
"""

from __future__ import annotations

import sys

from quotes import Quotes

from crawler import CrawlerError, CrawlFailed, Settings, run


def main(start: str, output: str) -> int:
    """Crawls, and gives the exit code that ``python -m crawler run`` would give."""
    try:
        report = run(Quotes(start_urls=[start]), settings=Settings(max_seconds=600), outputs=[output])
    except CrawlFailed as error:
        print(f"the crawl could not go on: {error}", file=sys.stderr)
        return 1
    except CrawlerError as error:
        print(f"nothing was started: {error}", file=sys.stderr)
        return 2
    print(f"{report.items} quotes on {report.pages} pages; {report.failed} requests failed {report.failures}")
    return report.exit_code(tolerate="5%")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
