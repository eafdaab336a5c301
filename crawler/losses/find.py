"""`find_losses`: what a person would object to at the end of a crawl, as a pure function of its counts.

Rule: the pages of one callback are a class. It has a loss if at least ten of its pages (`MIN_PAGES`), and a larger
share than the setting `problem_share`, were lost in the same way; or if the crawl has nothing at all, and all of the
class was lost. Pages that gave nothing, without an error, are a loss if they are the majority.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from crawler.losses.no_pages import ENDINGS
from crawler.stats import PAGE, Stats
from crawler.urls import LOGIN_URL, part_of_site

__all__ = ["EMPTY", "NOTHING", "PAGE", "REFUSED", "WALL", "Loss", "find_losses", "find_objections"]

MIN_PAGES: Final = 10
"""Pages that a loss must have: of fewer, a share says little."""
MAX_SAMPLES: Final = 3
"""URLs of each loss."""
NOTHING, EMPTY = "nothing", "empty"
"""Results in `Stats.results`, beside `PAGE`: a page that gave nothing, and one without a body. Further ones are
``status_403`` and the reasons of walls."""
WALL: Final = "wall."
"""The beginning of the reason of a wall."""
COUNTERS: Final = {"failed": "failed", "empty": "has no content"}
"""What counters of spiders and plugins say by their end: ``files/failed``, of all ``files/…``; ``markdown/empty``, of
all pages."""
LOGIN_WALL: Final = "wall.login"
SOFT_404: Final = "wall.soft_404"
FOR_MEMBERS: Final = "for members"
"""The kind of pages that want a login although no crawl without one would have them: that is no loss."""
MAX_PARTS: Final = 2
"""Parts of a site that are for members, such as the forms to reply and to vote. More are rather all of its pages."""
LOGIN_FAILED: Final = "login_failed"
"""The reason of a crawl that ended because its login was refused."""
REFUSED: Final = frozenset({401, 403, 407, 429, 451})
"""Statuses by which a server refuses a client. Those that are still errors after all attempts are failures anyway."""

REFUSED_ADVICE: Final = (
    "the site blocks the crawl, or wants a login: slow down (delay), say who you are (user_agent), or log in"
)
WALL_ADVICE: Final = "the site wants a browser or a person: ask its owner for access, or set accept_walls"
SOFT_404_ADVICE: Final = (
    "the site answers a random path with the same page: they are dead links, or it shows that instead of its pages; "
    "{} more were kept before that was seen"
)
MEMBERS_ADVICE: Final = (
    "no page of this part of the site was served, so it is for members; declare the login of the spider if you want it"
)
REDIRECTED_ADVICE: Final = "if it is a login page, declare the login of the spider, and follow no link that logs out"
EMPTY_ADVICE: Final = "look at one of them with crawler fetch URL: the site may want a session or other header fields"
NOTHING_ADVICE: Final = "compare one of them with a page that gave something: crawler parse SPIDER --url URL"
BARREN_ADVICE: Final = (
    "the callback has no yield, yields only None, or its selectors find nothing; if it keeps its results by itself, "
    "set problem_share=1"
)


@attrs.frozen(kw_only=True)
class Loss:
    """What a crawl has lost: pages of one callback, in the same way."""

    kind: str
    """``refused``, ``empty``, ``nothing``, a wall such as ``wall.challenge``, ``failed`` for what a plugin could not
    have, or ``login_failed``."""
    message: str
    """What happened and where, in one line, with a few URLs and what to do."""
    count: int = 0
    """Number of pages that were lost."""
    total: int = 0
    """Number of pages of their class."""
    samples: Sequence[str] = ()
    """URLs of up to three of them."""


def find_losses(stats: Stats, ending: str, share: float, least: int = MIN_PAGES) -> list[Loss]:
    """Return what a crawl has lost that ended for a reason: `least` pages, and a larger share of a class than `share`.

    The share is the setting `problem_share`.
    """
    return [loss for loss in _find(stats, ending, share, least) if loss.kind != FOR_MEMBERS]


def find_objections(stats: Stats, ending: str, share: float) -> list[str]:
    """Return the losses, and what looks like one, in a line each. The parameters are those of `find_losses`."""
    return [loss.message for loss in _find(stats, ending, share, MIN_PAGES)]


def _find(stats: Stats, ending: str, share: float, least: int) -> list[Loss]:
    """Return the losses, and what looks like one."""
    found = []
    if ending == LOGIN_FAILED:
        found.append(Loss(kind=LOGIN_FAILED, message=stats.samples.get(LOGIN_FAILED, ["the login was refused"])[0]))
    if share >= 1:
        return found
    has_effects = stats.items or stats.counters or stats.dropped or stats.dealt_with
    is_barren = ending in ENDINGS and stats.pages > 0 and not has_effects
    for name, results in _classes(stats.results).items():
        found += _of_class(name, results, stats, share, least, is_barren=is_barren)
    return [*found, *_of_redirects(stats, share), *_of_plugins(stats, share, least)]


def _classes(results: Mapping[str, int]) -> dict[str, Counter[str]]:
    """Return the results by callback."""
    classes: dict[str, Counter[str]] = {}
    for key, count in results.items():
        name, _, result = key.partition(" ")
        classes.setdefault(name, Counter())[result] = count
    return classes


def _of_class(
    name: str, results: Counter[str], stats: Stats, share: float, least: int, *, is_barren: bool
) -> Iterator[Loss]:
    """Yield the losses of the pages of one callback."""
    total = results.total()
    for kind, keys in _kinds(results).items():
        count = sum(results[key] for key in keys)
        is_all = count == total and (is_barren or (kind == NOTHING and count >= least))
        if is_all or (count >= least and count > (total / 2 if kind == NOTHING else share * total)):
            urls = [url for key in keys for url in stats.samples.get(f"{name} {key}", ())][:MAX_SAMPLES]
            if kind == LOGIN_WALL and _is_for_members(urls, stats):
                yield _for_members(count, total, urls)
                continue
            what, advice = _words(kind, keys, stats, is_all=is_all)
            message = (
                f"{what}: {count} of {total} {'page' if total == 1 else 'pages'} for {name}(){_shown(urls)}; {advice}"
            )
            yield Loss(kind=kind, message=message, count=count, total=total, samples=urls)


def _kinds(results: Counter[str]) -> dict[str, list[str]]:
    """Return the results that are losses, by their kind; statuses of refusals count together."""
    kinds: dict[str, list[str]] = {}
    for key in sorted(results):
        if key != PAGE:
            kinds.setdefault("refused" if key.startswith("status_") else key, []).append(key)
    return kinds


def _words(kind: str, keys: Sequence[str], stats: Stats, *, is_all: bool) -> tuple[str, str]:
    """Return what happened to the pages of a loss, and what to do."""
    if kind == "refused":
        return f"refused with status {' or '.join(key.removeprefix('status_') for key in keys)}", REFUSED_ADVICE
    if kind == SOFT_404:
        return kind, SOFT_404_ADVICE.format(stats.soft_404_kept)
    if kind.startswith(WALL):
        return kind, WALL_ADVICE
    if kind == EMPTY:
        return "no body", EMPTY_ADVICE
    return ("gave nothing", BARREN_ADVICE) if is_all else ("gave nothing, unlike the others", NOTHING_ADVICE)


def _of_redirects(stats: Stats, share: float) -> Iterator[Loss]:
    """Yield the targets that many pages were redirected to, such as a login page."""
    total = stats.pages + stats.redirects
    for target, count in stats.redirected.items():
        if count >= MIN_PAGES and count > share * total:  # of fewer pages, they are usual
            urls = stats.redirected_from.get(target, [])[:MAX_SAMPLES]
            if LOGIN_URL.search(target.partition("://")[2].partition("?")[0]) and _is_for_members(urls, stats):
                yield _for_members(count, total, urls)
                continue
            message = f"{count} pages were redirected to {target}{_shown(urls)}; {REDIRECTED_ADVICE}"
            yield Loss(kind="redirected", message=message, count=count, total=total, samples=urls)


def _is_for_members(urls: Sequence[str], stats: Stats) -> bool:
    """Return whether pages that want a login are of parts of a site of which no page was served, unlike of others."""
    parts = {part_of_site(url) for url in urls}
    good = sum(count for key, count in stats.results.items() if key.endswith(f" {PAGE}"))
    return good >= MIN_PAGES and 0 < len(parts) <= MAX_PARTS and not any(stats.parts[part] for part in parts)


def _for_members(count: int, total: int, urls: Sequence[str]) -> Loss:
    message = f"{count} pages want a login{_shown(urls)}: {MEMBERS_ADVICE}"
    return Loss(kind=FOR_MEMBERS, message=message, count=count, total=total, samples=urls)


def _of_plugins(stats: Stats, share: float, least: int) -> Iterator[Loss]:
    """Yield what spiders and plugins could not have, such as files and texts, by their counters."""
    for counter, count in stats.counters.items():
        group, _, end = counter.rpartition("/")
        if not group or end not in COUNTERS:
            continue
        total = sum(n for other, n in stats.counters.items() if other.startswith(f"{group}/"))
        total = stats.pages if end == EMPTY else total
        if count and (count == total or (count >= least and count > share * total)):
            urls = stats.samples.get(counter, [])[:MAX_SAMPLES]
            message = f"{group} {COUNTERS[end]}: {count} of {total}{_shown(urls)}"
            yield Loss(kind=end, message=message, count=count, total=total, samples=urls)


def _shown(urls: Sequence[str]) -> str:
    return f" ({', '.join(urls)})" if urls else ""
