"""`wire`: creates the parts of a crawl and connects them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from crawler.clock import Clock, shared_clock
from crawler.decision.decide import Policy
from crawler.decision.retry_policy import RetryPolicy
from crawler.engine.admission import Admission
from crawler.engine.attempt import Attempts
from crawler.engine.background import Background
from crawler.engine.callbacks import CallbackRunner, LocalCallbacks
from crawler.engine.checkpointer import Checkpointer
from crawler.engine.commit_calls import CommitCalls
from crawler.engine.crawl import Control, Cookies, Crawl, JobFacts
from crawler.engine.fetch_hooks import FetchHooks
from crawler.engine.inline import Inline
from crawler.engine.lane_loader import LaneLoader
from crawler.engine.limit_waits import LimitWaits
from crawler.engine.outages import OutageMonitor
from crawler.engine.page import PageRunner
from crawler.engine.peers import NoPeers, Peers
from crawler.engine.robots import RobotsFetcher
from crawler.engine.scheduler import Scheduler
from crawler.engine.settlement import Settlement
from crawler.engine.shutdown import Shutdown
from crawler.engine.sinks import SinkRunner
from crawler.engine.slots import Slots
from crawler.engine.tracebacks import HookErrorLog
from crawler.engine.worker import Worker
from crawler.engine.writer import Writer
from crawler.fetch.downloader import Downloader
from crawler.frontier import Frontier
from crawler.headers import product_token
from crawler.hooks.plugin import Plugin
from crawler.hooks.sink import Sink
from crawler.hooks.state import State
from crawler.hooks.table import HookTable
from crawler.limits.registry import Limits
from crawler.messages.checks import parse_statuses
from crawler.scope import Scope
from crawler.settings import Settings
from crawler.spiders import Spider
from crawler.stats import Stats
from crawler.store import ResumeState, Store
from crawler.store.states import States

if TYPE_CHECKING:
    import httpx

    from crawler.engine.body_dedup import BodyDeduplicator
    from crawler.engine.processes.processes import Processes
    from crawler.fetch.auth import OriginAuth
    from crawler.fetch.proxies import Proxies
    from crawler.store import SharedStore

__all__ = ["wire"]


def wire(
    spider: Spider,
    plugins: Sequence[Plugin],
    settings: Settings,
    store: Store,
    transport: httpx.AsyncBaseTransport,
    *,
    table: HookTable | None = None,
    clock: Clock | None = None,
    resumed: ResumeState = ResumeState(),  # noqa: B008 - frozen
    limits: Limits | None = None,
    proxies: Proxies | None = None,
    credentials: OriginAuth | None = None,
    processes: Processes | None = None,
) -> Scheduler:
    """Return a scheduler that can run the crawl once, with everything it needs. Call it inside of `trio.run`."""
    table = table or HookTable.build(plugins)
    earliest = resumed.checkpoint.clock or 0.0
    if clock is None:
        time = (earliest, resumed.now, None if resumed.now is None else _suspension())
        clock = Clock(*time) if limits is None else shared_clock(limits, *time)
    started_at, stats, errors = clock(), Stats(), HookErrorLog()

    frontier = Frontier(settings, limits=limits)
    frontier.advance_clock(started_at)
    frontier.budgets.backlog = lambda: store.live - frontier.open_tickets
    shutdown = Shutdown(settings.grace, frontier.changed.set)
    downloader = Downloader(
        transport,
        settings,
        clock,
        proxies,
        credentials,
        wants_wire=any(plugin.wants_wire for plugin in plugins),
        wants_stages=any(plugin.wants_stages for plugin in plugins),
    )
    frontier.feedback.reports_sending = downloader.reports_sending
    origins = downloader.start_origins
    if origins is not None:
        origins.add_all(spider.start_urls)
    slots = Slots(frontier, clock)
    all_states = [State(plugin.name, resumed.states.get(plugin.name)) for plugin in plugins]
    if store.shared:
        peers, states, resumed = _join(store, frontier, downloader, slots, clock, all_states, resumed, table)
    else:
        peers, states = NoPeers(store), States(all_states)
    checkpointer = Checkpointer(
        stats,
        frontier,
        downloader.address_guard,
        downloader.cookies,
        states.all,
        clock,
        origins,
        durable=store.durable,
    )
    checkpointer.restore(resumed, own_limits=limits is None)

    admission = Admission(
        Scope.of(spider.allowed_domains, settings),
        table,
        partial(getattr, store, "known"),  # a store may replace the container
        spider.waypoints,
        agent=product_token(settings.user_agent),
        obey_nofollow=settings.obey_nofollow,
        errors=errors,
    )
    policy = Policy(
        RetryPolicy(settings),
        frozenset(parse_statuses(spider.accept_status)),
        settings.max_redirects,
        settings.follow_refresh,
        frozenset(map(str.lower, settings.cross_origin_headers)),
    )
    frontier.outages.route = downloader.route
    outages = OutageMonitor(frontier, policy)
    hooks = FetchHooks(table)
    settlement = Settlement(table.measure, frontier, stats, shutdown, clock, outages)
    callbacks: CallbackRunner = LocalCallbacks(spider)
    if processes is not None:
        callbacks = processes.pool(spider, states.all[0], partial(getattr, store, "known"))
    attempts = Attempts(downloader, hooks, frontier, slots, settlement, peers)
    robots = RobotsFetcher(attempts, frontier, policy, settings, clock, checkpointer.save_robots, errors)
    resume_at = started_at if resumed.unclean else None
    inline = Inline(attempts, slots, robots, frontier, policy, settings, stats, clock, resume_at)
    pages = PageRunner(spider, table, states, admission, store, errors, callbacks)
    handling = _without_repeats(pages, store) if settings.dedup_content else pages
    background, commits = Background(), CommitCalls()
    control = Control(frontier, store, policy, admission, clock, shutdown)
    job, cookies = JobFacts(store, commits, resumed.runs), Cookies(downloader.cookies, clock)
    crawl = Crawl(plugins, settings, stats, inline, background, control, job, cookies)
    for plugin, state in zip(plugins, states.all, strict=True):
        plugin.crawl, plugin.state = crawl, state

    sinks = SinkRunner(table.persist, store, shutdown, settings.sink_lag, peers.ready)
    return Scheduler(
        crawl=crawl,
        store=store,
        frontier=frontier,
        lanes=LaneLoader(frontier, store, peers, clock, unclean=resumed.unclean),
        peers=peers,
        worker=Worker(
            frontier, attempts, handling, robots, admission, policy, clock, commits
        ),
        writer=Writer(
            store, frontier, admission, checkpointer, stats, settings, shutdown, sinks, clock, commits, peers,
            handling,
        ),
        sinks=sinks,
        background=background,
        shutdown=shutdown,
        robots=robots,
        waits=LimitWaits(frontier, shutdown, settings.quota_patience),
        errors=errors,
        callbacks=callbacks,
    )  # fmt: skip


def _join(
    store: Store,
    frontier: Frontier,
    downloader: Downloader,
    slots: Slots,
    clock: Clock,
    states: Sequence[State],
    resumed: ResumeState,
    table: HookTable,
) -> tuple[Peers, States, ResumeState]:
    """Return the other workers of a shared job, the states that they change too, and what this worker resumes."""
    from crawler.shared.outputs import cut_lost_parts, divide  # noqa: PLC0415 - few crawls need it
    from crawler.shared.peers import SharedPeers  # noqa: PLC0415
    from crawler.shared.remote_changes import RemoteValues, SharedStates  # noqa: PLC0415

    job = cast("SharedStore", store)
    sinks = [hook.plugin for hook in table.persist if isinstance(hook.plugin, Sink)]
    divide(sinks, job)
    cut_lost_parts(sinks, resumed.gone)
    shared = SharedStates(states, resumed.version)
    values = RemoteValues(downloader.cookies, downloader.address_guard, downloader.start_origins)
    own = replace(resumed, checkpoint=replace(resumed.checkpoint, stats=None))  # each worker counts for itself
    return SharedPeers(frontier, job, clock, shared, values, sinks, slots.start), shared, own


def _suspension() -> Callable[[], float]:
    from crawler.shared.suspension import Suspension  # noqa: PLC0415 - few crawls need it

    return Suspension()


def _without_repeats(pages: PageRunner, store: Store) -> BodyDeduplicator:
    from crawler.engine.body_dedup import BodyDeduplicator  # noqa: PLC0415 - few crawls need it

    return BodyDeduplicator(pages, store)
