"""Running what users write: callbacks and hooks in all their forms, their products sorted into items and requests."""

from __future__ import annotations

import copy
import inspect
import itertools
import types
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, closing, nullcontext
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from crawler.content import replace_surrogates
from crawler.errors import HookError, JobError
from crawler.hooks.page_effects import PageEffects, current_page
from crawler.hooks.plugin import Plugin
from crawler.hooks.state import State
from crawler.hooks.table import HookTable
from crawler.messages import Drop, Failure, Item, Produced, Request, Response, Retry
from crawler.messages.checks import parameter_hints
from crawler.spiders import Spider
from crawler.store import ItemRow
from crawler.suggest import did_you_mean

__all__ = ["PageResult", "PageRunner"]

NO_ITEMS = (str, bytes, bytearray, int, float, bool, list, tuple, set, frozenset, type)
"""What a handler may not yield, though it could be written as JSON, or nearly."""
MANY: Final = 10_000
"""Items and requests that a page may have in memory; more of them go to the store before the page has ended."""
NOTHING: Final = object()


Spill: TypeAlias = "Callable[[PageResult], Awaitable[None]]"


@attrs.define(eq=False)
class PageResult:
    """What the handlers of one page made."""

    effects: PageEffects = attrs.field(factory=PageEffects)
    """Counters, states and added requests."""
    items: list[ItemRow] = attrs.field(factory=list)
    """Items, refined and encoded."""
    requests: list[Request] = attrs.field(factory=list)
    """Requests, not yet admitted."""
    dropped: list[str] = attrs.field(factory=list)
    """Why items were dropped."""
    retry: Retry | None = None
    """The page is to come again instead."""
    state: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    """Changes of states, by owner."""
    spill: Spill | None = None
    """Takes items and requests away when there are many, before the handler has ended."""

    def add(self, others: PageResult) -> None:
        """Takes in what another handler made."""
        self.items += others.items
        self.requests += others.requests
        self.dropped += others.dropped
        for name, n in others.effects.counters.items():
            self.effects.counters[name] = self.effects.counters.get(name, 0) + n
        for owner, changed in others.state.items():
            self.state[owner] = self.state.get(owner, {}) | changed


@attrs.define(eq=False)
class FailureResult:
    """What came of telling handlers of a failure."""

    products: PageResult = attrs.field(factory=PageResult)
    """What those made that did not raise."""
    raised: list[HookError] = attrs.field(factory=list)
    """What the others raised."""
    errback_raised: bool = False
    """Whether the errback is among them."""


class PageRunner:
    """The callbacks of a spider and the hooks around them.

    Parameters:
        spider: whose callbacks are called by name.
        table: the hooks.
        states: the state of each plugin that has one.
    """

    def __init__(self, spider: Spider, table: HookTable, states: Sequence[State]) -> None:
        self.spider = spider
        self.table = table
        self.states = states
        self._callbacks: dict[str, tuple[Any, dict[str, Any]]] = {}

    def callback(self, name: str | None) -> tuple[Any, dict[str, Any]]:
        """A method of the spider by name, and the annotations of its parameters.

        Raises:
            LookupError: there is none of that name.
        """
        name = name or "parse"
        found = self._callbacks.get(name)
        if found is None:
            method = getattr(self.spider, name, None)
            if not callable(method):
                methods = [n for n, _ in inspect.getmembers(self.spider, inspect.ismethod) if not n.startswith("_")]
                raise LookupError(f"{type(self.spider).__name__} has no method {name!r}{did_you_mean(name, methods)}")
            found = self._callbacks[name] = (method, parameter_hints(getattr(method, "__func__", method)))
        return found

    async def page(self, response: Response, spill: Spill | None = None) -> PageResult:
        """Runs the callback of a page and the `parse` hooks of the plugins.

        Parameters:
            response: the page.
            spill: is given what was made so far, whenever that has become much.

        Raises:
            HookError: one of them raised; its cause is what it raised.
        """
        request = response.request
        products = PageResult(spill=spill)
        with _Page(products.effects):
            name = request.callback or "parse"
            with _Blame(self.spider, name, request):
                method, hints = self.callback(name)
                await self._collect(self._call(method, hints, response), products, response)
            for hook in self.table.parse:
                if request.plugins.get(hook.plugin.name) is not False:
                    with _Blame(hook.plugin, "parse", request):
                        await self._collect(hook.call(response), products, response)
            await self._finish(products, response)
        return products

    async def failure(self, failure: Failure, errback: str | None) -> FailureResult:
        """Tells the errback and the `failed` hooks; what one of them made counts if it did not raise."""
        told = FailureResult()
        if errback is not None:
            with _Blame(self.spider, errback, failure.request, told.raised):
                method, _ = self.callback(errback)
                await self._tell(method, failure, told)
            told.errback_raised = bool(told.raised)
        for hook in self.table.failed:
            with _Blame(hook.plugin, "failed", failure.request, told.raised):
                await self._tell(hook.call, failure, told)
        return told

    async def _tell(self, handler: Any, failure: Failure, told: FailureResult) -> None:
        products = PageResult()
        with _Page(products.effects):
            await self._collect(handler(failure), products, failure.response)
            await self._finish(products, failure.response)
        told.products.add(products)

    @staticmethod
    def _call(method: Any, hints: dict[str, Any], response: Response) -> Produced:
        kwargs = response.request.cb_kwargs
        if not kwargs:
            produced: Produced = method(response)
        else:
            produced = method(
                response,
                **{
                    name: msgspec.convert(value, hints[name]) if name in hints else copy.deepcopy(value)
                    for name, value in kwargs.items()
                },
            )
        return produced

    async def _collect(self, produced: Produced, products: PageResult, response: Response | None) -> None:
        """Sorts what a handler gave back into items and requests."""
        values = await _drained(produced)
        with closing(values) if isinstance(values, types.GeneratorType) else nullcontext():
            if products.spill is None:
                self._sort(values, products)
                return
            rest = iter(values)
            while self._sort(itertools.islice(rest, MANY), products):
                if len(products.items) + len(products.requests) > MANY:
                    await self._refine(products, response)
                    await products.spill(products)

    @staticmethod
    def _sort(values: Iterable[Any], products: PageResult) -> bool:
        """Sorts values; whether there were any."""
        value: Any = NOTHING
        for value in values:
            if isinstance(value, Request):
                products.requests.append(value)
            elif isinstance(value, Retry):
                products.retry = value
            elif isinstance(value, NO_ITEMS):
                raise TypeError(f"a callback yields requests and items, not {type(value).__name__}: {value!r:.80}")
            elif type(value) is dict:
                products.items.append(ItemRow(b"", value.copy()))  # it may be filled anew for the next item
            elif value is not None and not isinstance(value, Drop):
                products.items.append(ItemRow(b"", value))
        return value is not NOTHING

    async def _refine(self, products: PageResult, response: Response | None) -> None:
        """Refines and encodes the items."""
        items, products.items = products.items, []
        hooks = self.table.refine if response is not None else ()
        request = response.request if response is not None else None
        for item in items:
            value: Item = item.value
            for hook in hooks:
                if response is None or response.request.plugins.get(hook.plugin.name) is False:
                    continue
                with _Blame(hook.plugin, "refine", response.request):
                    answer = await hook.call(value, response)
                    if isinstance(answer, (Request, Retry, *NO_ITEMS)):
                        raise TypeError(f"refine() gives back an item or Drop, not {type(answer).__name__}")
                if isinstance(answer, Drop):
                    products.dropped.append(answer.reason)
                    break
                value = value if answer is None else answer
            else:
                products.items.append(ItemRow(self._encode(value, request), value))

    async def _finish(self, products: PageResult, response: Response | None) -> None:
        """Refines and encodes the items, and settles what the page did to states."""
        request = response.request if response is not None else None
        await self._refine(products, response)
        products.requests += products.effects.added
        for state in self.states if products.effects.state else ():
            try:
                changed = state.changes(products.effects)
            except TypeError as error:
                raise HookError(str(error), plugin=state.owner, hook="state", request=request) from error
            if changed:
                products.state[state.owner] = changed

    def _encode(self, item: Item, request: Request | None) -> bytes:
        """An item as a JSON object."""
        try:
            data = encode_item(item)
        except Exception as error:
            words = f"an item cannot be written as JSON: {_culprit(item)}{error}"
            raise HookError(words, plugin=self.spider.name, hook="item", request=request) from error
        return data


async def _drained(produced: Produced) -> Iterable[Any]:
    """What a handler gave back, in whatever form, as one iterable.

    An async generator is drained here, whole, before anything is done with it: the engine awaits nothing while it is
    suspended, so a cancel scope that is open inside it cannot reach the engine.
    """
    if isinstance(produced, types.GeneratorType) and not produced.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE:
        return produced  # what most handlers give back
    if inspect.isawaitable(produced):
        produced = await produced
    if produced is None:
        return ()
    if isinstance(produced, types.AsyncGeneratorType):
        async with aclosing(produced):
            return [value async for value in produced]
    if isinstance(produced, AsyncIterable):
        return [value async for value in produced]
    if isinstance(produced, (str, bytes)):
        raise TypeError(f"a callback gives back requests and items, not {type(produced).__name__}")
    one = isinstance(produced, (Request, Retry, dict)) or hasattr(produced, "model_dump")
    if one or not isinstance(produced, Iterable):
        return (produced,)
    return produced


def encode_item(item: Item) -> bytes:
    """A dict, attrs, dataclass, Struct or pydantic item as a JSON object; lone surrogates become U+FFFD.

    Raises:
        TypeError: it is no such thing, or holds what JSON cannot.
    """
    dump = getattr(item, "model_dump", None)
    plain = dump(mode="json") if dump is not None else item
    try:
        data = msgspec.json.encode(plain)
    except UnicodeEncodeError:
        data = msgspec.json.encode(_without_surrogates(msgspec.to_builtins(plain)))
    if not data.startswith(b"{"):
        raise TypeError(f"an item must be an object, not {type(item).__name__}")
    return data


def _culprit(item: Item) -> str:
    """The first field of a dict that cannot be written, as the beginning of an error message."""
    for name, value in item.items() if isinstance(item, dict) else ():
        try:
            encode_item({name: value})
        except Exception:
            return f"its field {name!r}: "
    return ""


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(part) for part in value]
    return value


# These two are entered for every page: as generators they would cost three times as much.


class _Page:
    """What a handler changes meanwhile is kept in `effects`."""

    def __init__(self, effects: PageEffects) -> None:
        self._effects = effects

    def __enter__(self) -> None:
        self._token = current_page.set(self._effects)

    def __exit__(self, *_exc: object) -> None:
        current_page.reset(self._token)


class _Blame:
    """What is raised meanwhile becomes a `HookError` that names who raised; with `raised` it is put there instead."""

    def __init__(self, plugin: Plugin, hook: str, request: Request, raised: list[HookError] | None = None) -> None:
        self._plugin = plugin
        self._hook = hook
        self._request = request
        self._raised = raised

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, Exception) or isinstance(error, JobError):
            return False  # nothing was raised, or it was the store that failed
        if isinstance(error, HookError):
            blamed = error
        else:
            words = f"{type(error).__name__}: {error}"
            blamed = HookError(words, plugin=self._plugin.name, hook=self._hook, request=self._request)
            blamed.__cause__ = error
        if self._raised is not None:
            self._raised.append(blamed)
            return True
        if blamed is error:
            return False
        raise blamed
