"""`run_several`: runs crawls at once that share their limits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import trio

from crawler.engine.report import Report
from crawler.engine.session import CrawlSession
from crawler.engine.shutdown import leave_loop, run_loop
from crawler.engine.signals import SignalThread
from crawler.errors import CrawlerError

__all__ = ["run_several"]


def run_several(sessions: Sequence[CrawlSession]) -> list[Report | CrawlerError | None]:
    """Run crawls in one event loop, each to its own end. Signals are handled as by `run`, for all of them.

    Returns for each its report, or why it failed; `None` if a signal came before it began.
    """
    with ExitStack() as forks:  # the last launcher ends first, since it has copies of the connections of the others
        for session in sessions:
            forks.enter_context(session.forked())
        return run_loop(_run_all, sessions)


async def _run_all(sessions: Sequence[CrawlSession]) -> list[Report | CrawlerError | None]:
    results: list[Report | CrawlerError | None] = [None] * len(sessions)
    openings = [trio.CancelScope() for _ in sessions]

    ended = [trio.Event() for _ in sessions]

    async def run_one(place: int) -> None:
        async with trio.open_nursery() as sessions[place].outer:
            with openings[place]:
                try:
                    results[place] = await sessions[place].run()
                except CrawlerError as error:
                    results[place] = error
            ended[place].set()

    def stop(at_once: bool) -> None:
        for session, opening in zip(sessions, openings, strict=True):
            if not session.interrupt(now=at_once):
                opening.cancel(reason="a signal came before the crawl began")

    async with trio.open_nursery() as nursery:
        with SignalThread(stop, max(session.settings.grace for session in sessions)):
            for place in range(len(sessions)):
                nursery.start_soon(run_one, place)
            for end in ended:
                await end.wait()
        if any(session.outer is not None and session.outer.child_tasks for session in sessions):
            await leave_loop(results)
    return results
