"""The dispatcher: hands a ticket to a worker that waits for one, and finds out when there is nothing left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from crawler.frontier import Ticket

if TYPE_CHECKING:
    from crawler.engine.crawl import RunningCrawl
    from crawler.engine.leases import Leases
    from crawler.engine.seeds import Seeds

__all__ = ["dispatch"]


async def dispatch(crawl: RunningCrawl, ready: trio.MemorySendChannel[Ticket], seeds: Seeds, leases: Leases) -> None:
    """Pops only when a worker waits, so that pace is stamped at the true start; ends with the crawl.

    Parameters:
        crawl: the parts of the running crawl.
        ready: to the workers; capacity 0.
        seeds: whether more may come.
        leases: bring lanes into memory.
    """
    frontier, store = crawl.frontier, crawl.store
    with ready:
        while not crawl.shutdown.stopping.is_set():
            look_for_room = await leases.make_room()
            await leases.keep_up()
            # From here to wait() nothing may wait, or a wake-up is lost.
            look_again = look_for_room
            waiting = ready.statistics().tasks_waiting_receive
            while waiting and _may_start(crawl):
                ticket, at = frontier.pop(crawl.clock())
                if ticket is None:
                    look_again = min(at, look_for_room)
                    break
                ready.send_nowait(ticket)
                waiting -= 1
            if store.live == 0 and not seeds.pending():
                return
            if frontier.hungry():
                continue
            with trio.move_on_at(crawl.clock.to_trio(look_again)):
                await frontier.changed.wait()


def _may_start(crawl: RunningCrawl) -> bool:
    """Whether one page more cannot pass `max_pages`, nor what a kill may cost.

    A page that was answered and waits for its commit counts as in flight: a kill fetches it again too, so that no
    more than `workers` pages are ever fetched twice for one.
    """
    handed_out, most = crawl.frontier.handed_out, crawl.settings.max_pages
    return handed_out < crawl.settings.workers and (most is None or crawl.stats.pages + handed_out < most)
