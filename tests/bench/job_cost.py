"""The CPU time of a durable crawl (``--job``) relative to one in memory, on a generated site.

::

    apt-get install nginx-light
    python tests/bench/job_cost.py [--pages 5000] [--links 10] [--rounds 3] [--concurrency 16]
    python tests/bench/job_cost.py --pages 30000 --links 100

Each page links to the next one and to others at random, so nearly all links lead to known pages. The headline is the
ratio of the whole processes; `crawl only` excludes the start-up.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

from measure import Sites, framework, measure
from measure import serve as serve_folders

ONE_PAGE = "<!doctype html><title>One page</title><p>No links.</p>"


def write_site(folder: Path, pages: int, links: int) -> None:
    """Write the pages of a site.

    Parameters:
        folder: Gets the files.
        pages: Number of pages; the first one is ``index.html``.
        links: Links of each page.
    """
    chance = random.Random(1)
    words = "<p>" + "word " * 250
    for number in range(pages):
        targets = [min(number + 1, pages - 1), *(chance.randrange(1, pages) for _ in range(links - 1))]
        anchors = "".join(f'<a href="{target}.html">{target}</a> ' for target in targets)
        name = f"{number}.html" if number else "index.html"
        (folder / name).write_text(f"<!doctype html><title>{number}</title>{words}{anchors}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=int, default=5_000, help="pages of the site (5,000)")
    parser.add_argument("--links", type=int, default=10, help="links of each page (10)")
    parser.add_argument("--rounds", type=int, default=3, help="crawls of each kind (3)")
    parser.add_argument("--concurrency", type=int, default=16, help="requests in flight (16)")
    options = parser.parse_args()
    memory = framework(options.concurrency)
    durable = framework(options.concurrency, durable=True)
    with tempfile.TemporaryDirectory(prefix="job-cost-") as name:
        site, one_page = Path(name, "site"), Path(name, "one_page")
        site.mkdir()
        one_page.mkdir()
        write_site(site, options.pages, options.links)
        (one_page / "index.html").write_text(ONE_PAGE)
        with serve_folders({"manual": site, "one_page": one_page}) as urls:
            figures = measure([memory, durable], Sites(**urls), options.rounds)
    plain, kept = figures[memory.name], figures[durable.name]
    print(
        f"--job takes {plain.rate / kept.rate:.2f} times the CPU ({plain.crawl_rate / kept.crawl_rate:.2f} crawl only)"
    )


if __name__ == "__main__":
    main()
