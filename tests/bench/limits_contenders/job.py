"""What every contender does the same: asks for the hundred pages of a site and tells which it got."""

from __future__ import annotations

import argparse

__all__ = ["arguments", "got", "urls"]

PAGES = 100


def arguments() -> argparse.Namespace:
    """The command line of a contender. Only those that cannot know the limit by themselves look at it.

    ``--quota 20/5`` is 20 requests in 5 seconds; it may be given more than once.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("front", help="URL of the site, with a slash at the end")
    parser.add_argument("--quota", action="append", default=[], help="requests/seconds that the site allows")
    parser.add_argument("--at-once", type=int, default=8, help="requests in flight that the site allows (8)")
    parser.add_argument("--throttle", action="store_true", help="with what the contender has against being refused")
    return parser.parse_args()


def urls(front: str) -> list[str]:
    """All pages, by number."""
    return [f"{front}page/{n}" for n in range(PAGES)]


def got(url: str) -> None:
    """Tells that a page is there."""
    print("got", url.rpartition("/")[2], flush=True)  # noqa: T201  # this is how it is told
