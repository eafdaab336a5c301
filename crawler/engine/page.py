"""`PageRunner`: runs callbacks and hooks, sorts what they return into items and requests, and fills in the outcome."""

from __future__ import annotations

import itertools
import types
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from crawler.engine.callbacks import Callbacks
from crawler.engine.handler_results import NOT_ITEMS, PageResult, collect, describe_wrong, encoded
from crawler.engine.hook_errors import HookErrors, faults, raise_hook_error
from crawler.errors import HookError, IncompleteBody, RequestError
from crawler.hooks.page_effects import current_page
from crawler.logs import get_logger
from crawler.messages import Drop, Failure, Item, Request, Response, Retry
from crawler.messages.request import copy_unchecked
from crawler.store import FailureRow, Kind, Outcome

if TYPE_CHECKING:
    from crawler.engine.admission import Admission
    from crawler.engine.callbacks import LocalCallbacks
    from crawler.engine.processes.pool import ProcessPool
    from crawler.engine.tracebacks import ErrorLog
    from crawler.hooks.plugin import Plugin
    from crawler.hooks.state import States
    from crawler.hooks.table import Hook, HookTable
    from crawler.spiders import Spider
    from crawler.store import Store

__all__ = ["PageRunner"]

log = get_logger("crawler.engine")


class FailureResult(Struct, eq=False):
    """The results and effects of the errback and the `failed` hooks."""

    result: PageResult = field(default_factory=PageResult)
    """Those of the handlers that did not raise."""
    raised: list[HookError] = []
    """The exceptions of the others."""
    errback_raised: bool = False
    """Whether the errback is one of those."""


class PageRunner:
    """Runs the callbacks of a spider and the hooks around them."""

    def __init__(
        self,
        spider: Spider,
        table: HookTable,
        states: States,
        admission: Admission,
        store: Store,
        errors: ErrorLog,
        runner: LocalCallbacks | ProcessPool,
    ) -> None:
        self.spider = spider
        """Whose callbacks are called."""
        self._table = table
        self._states = states
        self._admission = admission
        self._store = store
        self._errors = errors
        self._runner = runner
        self._callbacks = Callbacks(spider)
        self._stages = itertools.count(1)

    # ---- pages -------------------------------------------------------------------------------------------------------

    async def run(self, response: Response, outcome: Outcome) -> Retry | IncompleteBody | None:
        """Run the handlers of a page. Their effects become part of its outcome, all of them or none.

        Returns why the page is to be fetched again, if a handler says so.
        """
        links = self._admission.link_filter()
        response._bind(links)  # noqa: SLF001 - not for users
        handler = response.request.callback or "parse"
        outcome.generation = self._states.generation
        result = PageResult(handler=handler, spill=partial(self._spill, response, outcome))
        try:
            await self._call_handlers(response, result, outcome)
            requests = self._checked_requests(result, response.request)
        except HookError as error:
            _discard_spilled(outcome)
            cut = error.__cause__
            if isinstance(cut, IncompleteBody) and _is_about(cut, response):
                cut.request, cut.partial = response.request, response if response.complete else None
                response.complete = False
                return cut
            raise
        if result.retry is not None:
            _discard_spilled(outcome)
            return result.retry
        outcome.page = True
        outcome.repeats = links.repeats + result.repeats
        outcome.filtered += links.refused
        self._keep(result, requests, outcome)
        return None

    async def _call_handlers(self, response: Response, result: PageResult, outcome: Outcome) -> None:
        """Call the callback and the `parse` hooks."""
        request = response.request
        name = request.callback or "parse"
        token = current_page.set(result.effects)
        try:
            try:
                await self._runner.handle(response, result, partial(_discard_spilled, outcome))
            except faults() as error:
                raise_hook_error(error, self.spider, name, request, is_callback=True)
            for hook in self._table.parse:
                if request.plugins.get(hook.plugin.name) is not False:
                    plugin, result.maker = hook.plugin, (hook.plugin, "parse")
                    with HookErrors(plugin, "parse", request):
                        await collect(partial(hook.call, response), result, response.url)
            await self._finish(result, response)
        finally:
            current_page.reset(token)

    async def _spill(self, response: Response, outcome: Outcome, result: PageResult) -> None:
        """Move the items and requests so far to the store, where only the page's outcome makes them true."""
        await self._refine(result, response)
        self._check_storable(result, response.request)
        requests = self._admission.admit(self._checked_requests(result, response.request), outcome.filtered)
        outcome.stage = outcome.stage or next(self._stages)
        outcome.staged_items += len(result.items)
        await self._store.stage(outcome.stage, result.items, requests)
        result.items, result.requests = [], []

    def _checked_requests(self, result: PageResult, page: Request) -> list[Request]:
        """Return the requests of a page, without those that are known."""
        made = result.requests
        if not made:
            return made
        names = {request.callback for request in made}
        names |= {request.errback for request in made if request.errback is not None}
        for name in names:
            try:
                self._callbacks.find(name)
            except LookupError as error:
                hook = page.callback or "parse"
                wrong = next(request for request in made if name in (request.callback, request.errback))
                raise HookError(
                    str(error), plugin=self.spider.name, hook=hook, request=wrong, is_callback=True
                ) from None
        fresh = self._admission.without_known(made)
        result.repeats += len(made) - len(fresh)
        _set_depths(fresh, page)
        return fresh

    def _keep(self, result: PageResult, requests: list[Request], outcome: Outcome) -> None:
        """Make a result part of an outcome."""
        outcome.items = result.items
        outcome.dropped = result.dropped
        outcome.counters = result.effects.counters
        outcome.state = result.state
        if result.state:
            self._states.keep(outcome)
        if requests:
            outcome.discovered = self._admission.admit(requests, outcome.filtered)

    def release(self, digest: bytes) -> None:
        """Do nothing: pages with equal bodies are pages like others."""

    # ---- failures ----------------------------------------------------------------------------------------------------

    async def fail(self, failure: Failure, outcome: Outcome, *, calls_errback: bool = True) -> None:
        """Call the errback and the `failed` hooks. Their effects become part of the outcome.

        If the errback raises, a request that was not a failure becomes one.
        """
        if outcome.kind is Kind.FAILED:
            outcome.failure = self._logged(failure)
        errback = failure.request.errback if calls_errback else None
        if errback is None and not self._table.failed:
            return
        outcome.generation = self._states.generation
        found = await self._call_failure_handlers(failure, errback)
        for error in found.raised:
            self._errors.log(error, failure.request.url)
        if found.errback_raised and outcome.kind in (Kind.DONE, Kind.REFUSED):
            outcome.kind = Kind.FAILED
            outcome.failure = _row_of(found.raised[0])
        _set_depths(found.result.requests, failure.request)
        self._keep(found.result, found.result.requests, outcome)

    def _logged(self, failure: Failure) -> FailureRow:
        """Log a failure, and return it for the store."""
        url, error = failure.request.url, failure.error
        if isinstance(error, HookError):
            self._errors.log(error, url)
        else:
            log.info("failed: %s: %s", url, error)
        return _row_of(error, failure.traceback)

    async def _call_failure_handlers(self, failure: Failure, errback: str | None) -> FailureResult:
        found = FailureResult()
        if errback is not None:
            with HookErrors(self.spider, errback, failure.request, found.raised, is_callback=True):
                method, _ = self._callbacks.find(errback)
                await self._call_failure_handler(method, failure, found, self.spider, errback)
            found.errback_raised = bool(found.raised)
        for hook in self._table.failed:
            with HookErrors(hook.plugin, "failed", failure.request, found.raised):
                await self._call_failure_handler(hook.call, failure, found, hook.plugin, "failed")
        return found

    async def _call_failure_handler(
        self, handler: Any, failure: Failure, found: FailureResult, plugin: Plugin, name: str
    ) -> None:
        result = PageResult(handler=name, maker=None if plugin is self.spider else (plugin, name))
        token = current_page.set(result.effects)
        try:
            await collect(partial(handler, failure), result, failure.request.url)
            await self._finish(result, failure.response)
        finally:
            current_page.reset(token)
        found.result.add(result)

    # ---- results -----------------------------------------------------------------------------------------------------

    async def _refine(self, result: PageResult, response: Response | None) -> None:
        """Refine and encode the items.

        Each hook sees all items before the next hook sees the first one. The last hook runs right before the changes of
        states take effect: if it does not wait, no other page runs between its look at the state and its change.
        """
        items, result.items = result.items, []
        request = response.request if response is not None else None
        values: list[Item] = [item.value for item in items]
        for hook in self._table.refine if response is not None else ():
            if response is not None and response.request.plugins.get(hook.plugin.name) is not False:
                values = await self._refine_by(hook, values, response, result)
        makers, own = result.makers, (self.spider, result.handler)
        result.items = result.encoded
        result.encoded = []
        for value in values:
            maker = makers.get(id(value), own) if makers else own
            result.items.append(encoded(value, maker, request, is_callback=maker[0] is self.spider))
        makers.clear()

    async def _refine_by(self, hook: Hook, values: list[Item], response: Response, result: PageResult) -> list[Item]:
        """Return the items that one hook keeps, and add to `dropped` why it does not keep the others."""
        kept: list[Item] = []
        for value in values:
            with HookErrors(hook.plugin, "refine", response.request):
                refined = await hook.call(value, response)
                if isinstance(refined, (Request, Retry, types.CoroutineType, *NOT_ITEMS)):
                    message, plugin = describe_wrong(refined, "an item or Drop"), hook.plugin.name
                    raise HookError(message, plugin=plugin, hook="refine", request=response.request)
            if isinstance(refined, Drop):
                result.dropped.append(refined.reason)
            elif refined is None or refined is value:
                kept.append(value)
            else:
                kept.append(refined)
                result.makers[id(refined)] = hook.plugin, "refine"
        return kept

    async def _finish(self, result: PageResult, response: Response | None) -> None:
        """Refine and encode the items, and take the changes of states."""
        request = response.request if response is not None else None
        if result.items or result.encoded:
            await self._refine(result, response)
        result.requests += result.effects.added
        self._check_storable(result, request)
        for state in self._states.all if result.effects.state else ():
            try:
                changed = state.changes(result.effects)
            except TypeError as error:
                raise HookError(str(error), plugin=state.owner, hook="state", request=request) from error
            if changed:
                result.state[state.owner] = changed

    def _check_storable(self, result: PageResult, page: Request | None) -> None:
        """Raise `HookError` if a job cannot store a request: its `meta` was given a value that JSON does not have."""
        if not self._store.durable:
            return
        for request in result.requests:
            reason = request.unstorable()
            if reason:
                failing = result.maker is not None and result.maker[1] == result.handler  # a `failed` hook
                plugin = result.maker[0] if failing and result.maker is not None else self.spider
                raise HookError(
                    f"the request for {request.shown_url} cannot be stored: {reason}",
                    plugin=plugin.name, hook=result.handler, request=page, is_callback=plugin is self.spider,
                )  # fmt: skip


def _row_of(error: RequestError, traceback: str = "") -> FailureRow:
    full_reason = error.full_reason if error.kind else ""
    return FailureRow(reason=error.reason, message=str(error), traceback=traceback, full_reason=full_reason)


def _set_depths(requests: list[Request], page: Request) -> None:
    """Make requests that were not made by `follow` one link deeper than their page, too."""
    for index, request in enumerate(requests):
        if request.depth == 0:
            requests[index] = copy_unchecked(request, depth=page.depth + 1)


def _is_about(cut: IncompleteBody, response: Response) -> bool:
    """Return whether a page itself was cut, rather than a response that its handlers have fetched."""
    return cut.request is None or cut.request.url == response.request.url


def _discard_spilled(outcome: Outcome) -> None:
    """Forget what a page has moved to the store: none of its effects becomes true."""
    outcome.stage = outcome.staged_items = 0
    outcome.filtered.clear()
