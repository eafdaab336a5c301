"""Run a crawl from a script, and exit with the code that fits its report.

::

    python examples/script_a_crawl.py https://quotes.example/ quotes.csv

`crawler.run` starts its own event loop and handles Ctrl-C and SIGTERM. It can be called any number of times.
"""

from __future__ import annotations

import sys

from quotes import Quotes

from crawler import CrawlerError, CrawlFailed, Settings, run


def main(start: str, output: str) -> int:
    """Run the crawl, and return the exit code that ``python -m crawler run`` would return."""
    try:
        report = run(Quotes(start_urls=[start]), settings=Settings(max_seconds=600), outputs=[output])
    except CrawlFailed as error:
        print(f"the crawl failed: {error}", file=sys.stderr)
        return 1
    except CrawlerError as error:
        print(f"nothing was started: {error}", file=sys.stderr)
        return 2
    print(f"{report.items} quotes on {report.pages} pages; {report.failed} requests failed {report.failures}")
    return report.exit_code(tolerate="5%")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
