"""Shared by the contenders: the URLs of the hundred pages of a site, and the report of those fetched."""

from __future__ import annotations

import argparse

__all__ = ["arguments", "got", "urls"]

PAGES = 100


def arguments() -> argparse.Namespace:
    """Return the command line of a contender. Contenders that detect limits themselves ignore the limits in it.

    ``--quota 20/5`` means 20 requests in 5 seconds; it may be repeated.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("front", help="URL of the pages, without their numbers")
    parser.add_argument("--quota", action="append", default=[], help="requests/seconds that the site allows")
    parser.add_argument("--at-once", type=int, default=8, help="requests in flight that the site allows (8)")
    parser.add_argument("--throttle", action="store_true", help="enable the throttling of the contender")
    return parser.parse_args()


def urls(front: str) -> list[str]:
    """Return the URLs of all pages, by number."""
    return [f"{front}{n}" for n in range(PAGES)]


def got(url: str) -> None:
    """Report that a page was fetched."""
    print("got", url.rpartition("/")[2], flush=True)  # noqa: T201  # the benchmark reads it
