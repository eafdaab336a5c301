"""`wire`: creates the parts of a crawl and connects them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from crawler.clock import Clock, shared_clock
from crawler.decision.decide import Policy
from crawler.decision.retry_policy import RetryPolicy
from crawler.engine.accounting import Accounting
from crawler.engine.admission import Admission
from crawler.engine.attempt import Attempts
from crawler.engine.background import Background
from crawler.engine.callbacks import LocalCallbacks
from crawler.engine.checkpointer import Checkpointer, make_checkpoints
from crawler.engine.commits import CommitCalls, Commits
from crawler.engine.crawl import Control, Cookies, Crawl, JobFacts
from crawler.engine.crawl_limits import CrawlLimits, NoCrawlLimits
from crawler.engine.engine import Engine
from crawler.engine.fetch_hooks import FetchHooks
from crawler.engine.inline import Inline
from crawler.engine.lane_loader import LaneLoader
from crawler.engine.limit_waits import LimitWaits
from crawler.engine.new_requests import Feeder, Ingest
from crawler.engine.outages import OutageMonitor
from crawler.engine.page import PageRunner
from crawler.engine.peers import NoPeers, Peers
from crawler.engine.robots import RobotsFetcher
from crawler.engine.scheduler import Scheduler
from crawler.engine.shutdown import Shutdown
from crawler.engine.sinks import SinkRunner
from crawler.engine.slots import Slots
from crawler.engine.tracebacks import ErrorLog
from crawler.engine.worker import Worker
from crawler.engine.writer import Writer
from crawler.fetch.downloader import Downloader
from crawler.frontier import Frontier
from crawler.headers import product_token
from crawler.hooks.plugin import Plugin
from crawler.hooks.sink import Sink
from crawler.hooks.state import State, States
from crawler.hooks.table import HookTable
from crawler.limits.headers.refusal_status import FORBIDDEN
from crawler.limits.registry import Limits
from crawler.messages import Request
from crawler.messages.checks import parse_statuses
from crawler.scope import Scope
from crawler.settings import Settings
from crawler.spiders import Spider
from crawler.stats import Stats
from crawler.store import ResumeState, Store
from crawler.walls.suspicion import KINDS

if TYPE_CHECKING:
    import httpx

    from crawler.engine.body_dedup import BodyDeduplicator
    from crawler.engine.processes.pool import ProcessPool
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
) -> Engine:
    """Return an engine that can run the crawl once, with everything it needs. Call it inside of `trio.run`."""
    table = table or HookTable.build(plugins)
    clock = clock or _clock(resumed, limits)
    stats, errors, background = Stats(), ErrorLog(), Background()
    frontier = Frontier(settings, limits=limits)
    frontier.advance_clock(clock())
    frontier.budgets.backlog = lambda: store.live - frontier.open_tickets
    shutdown = Shutdown(settings.grace, frontier.changed.set)
    wants_wire, wants_stages = any(p.wants_wire for p in plugins), any(p.wants_stages for p in plugins)
    downloader = Downloader(
        transport, settings, clock, proxies, credentials, wants_wire=wants_wire, wants_stages=wants_stages
    )
    frontier.reports_sending, frontier.outages.route = downloader.reports_sending, downloader.route
    if downloader.start_origins is not None:
        downloader.start_origins.add_all(spider.start_urls)
    slots, known = Slots(frontier, clock), partial(getattr, store, "known")  # a store may replace the container
    all_states = [State(plugin.name, resumed.states.get(plugin.name)) for plugin in plugins]
    if store.shared:
        peers, states, resumed = _join(store, frontier, downloader, slots, clock, all_states, resumed, table)
    else:
        peers, states = NoPeers(store), States(all_states)
    background.start_soon(peers.run)
    checkpointer = Checkpointer(
        stats,
        frontier,
        downloader.address_guard,
        downloader.cookies,
        states.all,
        clock,
        downloader.start_origins,
        durable=store.durable,
    )
    checkpointer.restore(resumed, own_limits=limits is None)
    if store.durable:
        background.start_soon(make_checkpoints, store)

    admission = Admission(
        Scope.of(spider.allowed_domains, settings),
        table,
        known,
        spider.waypoints,
        agent=product_token(settings.user_agent),
        obey_nofollow=settings.obey_nofollow,
        errors=errors,
    )
    policy = _policy(spider, settings)
    frontier.budgets.wants_forbidden = FORBIDDEN in policy.accept_status
    accounting = Accounting(table.measure, frontier, stats, shutdown, clock, OutageMonitor(frontier, policy), policy)
    callbacks: LocalCallbacks | ProcessPool = LocalCallbacks(spider)
    if processes is not None:
        callbacks = pool = processes.pool(spider, states.all[0], known)
        background.start_soon(pool.run)
    attempts = Attempts(downloader, FetchHooks(table), frontier, slots, accounting, peers)
    robots = RobotsFetcher(attempts, frontier, policy, settings, clock, checkpointer.save_robots, errors)
    inline = Inline(attempts, slots, robots, frontier, policy, settings, stats, clock)
    pages = PageRunner(spider, table, states, admission, store, errors, callbacks)
    handling = _without_repeats(pages, store) if settings.dedup_content else pages
    calls, control = CommitCalls(), Control(frontier, store, policy, admission, clock, shutdown)
    job, cookies = JobFacts(store, calls, resumed.runs, stats, settings), Cookies(downloader.cookies, clock)
    crawl = Crawl(plugins, settings, stats, inline, background, control, job, cookies)
    policy.alike.ask = lambda url: crawl.start_soon(policy.alike.learn, Request(url, attempts=1), crawl.fetch, stats)
    for plugin, state in zip(plugins, states.all, strict=True):
        plugin.crawl, plugin.state = crawl, state

    crawl_limits = _crawl_limits(settings, stats, peers, shutdown, background)
    ingest = Ingest(store, frontier, admission, stats)
    feeder = Feeder(spider, plugins, stats, store, frontier, background, peers, ingest)
    lanes, waits = LaneLoader(frontier, store, peers, clock), LimitWaits(frontier, shutdown, settings.quota_patience)
    scheduler = Scheduler(frontier, lanes, feeder, crawl_limits, waits, shutdown, clock, settings.workers)
    worker = Worker(frontier, attempts, handling, robots, admission, policy, clock, calls)
    sinks = SinkRunner(table.persist, store, shutdown, settings.sink_lag, peers.ready)
    writer = Writer(
        frontier, ingest, Commits(peers, checkpointer, stats, calls), sinks, crawl_limits, handling, shutdown, clock
    )
    return Engine(crawl, scheduler, worker, writer, background, lanes, shutdown, errors)


def _clock(resumed: ResumeState, limits: Limits | None) -> Clock:
    suspension: Callable[[], float] | None = None
    if resumed.now is not None:
        from crawler.shared.suspension import Suspension  # noqa: PLC0415 - few crawls need it

        suspension = Suspension()
    time = (resumed.checkpoint.clock or 0.0, resumed.now, suspension)
    return Clock(*time) if limits is None else shared_clock(limits, *time)


def _policy(spider: Spider, settings: Settings) -> Policy:
    return Policy(
        RetryPolicy(settings),
        frozenset(parse_statuses(spider.accept_status)),
        settings.max_redirects,
        settings.follow_refresh,
        frozenset(map(str.lower, settings.cross_origin_headers)),
        frozenset() if "all" in settings.accept_walls else KINDS - frozenset(settings.accept_walls),
        settings.incomplete == "keep",
    )


def _crawl_limits(
    settings: Settings, stats: Stats, peers: Peers, shutdown: Shutdown, background: Background
) -> CrawlLimits | NoCrawlLimits:
    if {settings.max_pages, settings.max_items, settings.max_errors, settings.max_seconds} == {None}:
        return NoCrawlLimits()
    limits = CrawlLimits(settings, stats, peers, shutdown)
    background.start_soon(limits.watch)
    return limits


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


def _without_repeats(pages: PageRunner, store: Store) -> BodyDeduplicator:
    from crawler.engine.body_dedup import BodyDeduplicator  # noqa: PLC0415 - few crawls need it

    return BodyDeduplicator(pages, store)
