"""The ratio of pages per CPU second of this framework to Scrapy, on the same real site.

::

    apt-get install nginx-light python3.13-doc
    python tests/bench/scrapy_ratio.py [--rounds 3] [--concurrency 16] [--idiom extractor] [--site PACKAGE] [--job]

The program installs Scrapy in a virtual environment (in the user's cache, or `--venv PATH`), serves the manual of
Python or another Debian package with nginx, and lets Scrapy and this framework crawl it in turn, with the same number
of requests in flight and the same job: write URL, title and number of links of each page as JSON Lines, follow every
``<a href>`` on the host, obey robots.txt. It fails if the two do not find the same pages.

Scrapy runs with its default reactor (asyncio) and without slow features: no delay, no AutoThrottle, no cookies, no
telnet console, only errors logged. The headline is the whole process; `crawl only` excludes the start-up.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import os
import subprocess
import venv
from pathlib import Path

from measure import PACKAGES, ROOT, Program, framework, measure, served

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trio-crawler-bench" / "scrapy"
SPIDER = ROOT / "tests/bench/spider_scrapy.py"

IDIOMS = ("extractor", "follow", "distinct")

SETTINGS = {
    "AUTOTHROTTLE_ENABLED": False,
    "COOKIES_ENABLED": False,
    "DOWNLOAD_DELAY": 0,
    "LOG_LEVEL": "ERROR",
    "REMOTE_CONTROL_ENABLED": False,
    "RETRY_ENABLED": True,
    "ROBOTSTXT_OBEY": True,
    "TELNETCONSOLE_ENABLED": False,
}


def scrapy_python(folder: Path) -> Path:
    """Return the interpreter of an environment with Scrapy; create the environment at the first call."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.EnvBuilder(with_pip=True).create(folder)
    if subprocess.run([python, "-c", "import scrapy"], check=False, capture_output=True).returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "scrapy"], check=True)
    return python


def scrapy(python: Path, concurrency: int, idiom: str) -> Program:
    """Return Scrapy with the spider of ``spider_scrapy.py``."""
    settings = SETTINGS | {"CONCURRENT_REQUESTS": concurrency, "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency}

    def command(url: str, output: Path) -> list[str | Path]:
        words: list[str | Path] = [python, "-m", "scrapy", "runspider", SPIDER, "-o", f"{output}:jsonlines"]
        words += ["-a", f"front={url}", "-a", f"idiom={idiom}"]
        for name, value in settings.items():
            words += ["-s", f"{name}={value}"]
        return words

    return Program("Scrapy", command)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="crawls by each program (3)")
    parser.add_argument("--concurrency", type=int, default=16, help="requests in flight (16)")
    parser.add_argument("--idiom", choices=IDIOMS, default=IDIOMS[0], help=f"of the Scrapy spider ({IDIOMS[0]})")
    parser.add_argument("--site", choices=PACKAGES, default=PACKAGES[0], help=f"a package of Debian's ({PACKAGES[0]})")
    parser.add_argument("--venv", type=Path, default=CACHE, help=f"where Scrapy is, or will be, installed ({CACHE})")
    parser.add_argument("--job", action="store_true", help="measure a durable crawl as well")
    options = parser.parse_args()
    programs = [scrapy(scrapy_python(options.venv), options.concurrency, options.idiom), framework(options.concurrency)]
    if options.job:
        programs.append(framework(options.concurrency, durable=True))
    with served(options.site) as sites:
        figures = measure(programs, sites, options.rounds)
    base = figures["Scrapy"]
    for program in programs[1:]:
        ours = figures[program.name]
        print(f"{program.name}: {ours.rate / base.rate:.1f} x Scrapy (whole process, ratio of medians)")
        print(f"{program.name}: {ours.crawl_rate / base.crawl_rate:.1f} x Scrapy (crawl only)")


if __name__ == "__main__":
    main()
