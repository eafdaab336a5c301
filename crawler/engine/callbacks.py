"""`Callbacks`: the methods of a spider that requests name; `LocalCallbacks` calls them, unless a `ProcessPool` does."""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from crawler.engine.handler_results import PageResult, collect
from crawler.errors import JobError
from crawler.messages import Produced, Response
from crawler.messages.handlers import parameter_hints
from crawler.messages.page_links import LARGE
from crawler.messages.request import mapping_of
from crawler.spiders import Spider
from crawler.suggest import did_you_mean

if TYPE_CHECKING:
    from crawler.store.handler_counts import HandlerCounts

__all__ = ["Callbacks", "LocalCallbacks", "check_handlers"]

RENAME_BACK: Final = "rename the method back, or keep the old name in the class as well, as in old_name = new_name"
RESTORE_PARAMETERS: Final = "restore the parameters, or give new ones default values"


class Callbacks:
    """The methods of a spider that requests name."""

    def __init__(self, spider: Spider) -> None:
        self._spider = spider
        self._found: dict[str, tuple[Any, dict[str, Any]]] = {}

    def find(self, name: str | None) -> tuple[Any, dict[str, Any]]:
        """Return a method, by default `parse`, and the annotations of its parameters."""
        name = name or "parse"
        found = self._found.get(name)
        if found is None:
            method = getattr(self._spider, name, None)
            if getattr(method, "__func__", None) is Spider.parse:
                raise LookupError(f"{type(self._spider).__name__} has no method parse(self, response): define it")
            if not callable(method):
                methods = [n for n, _ in inspect.getmembers(self._spider, inspect.ismethod) if not n.startswith("_")]
                raise LookupError(f"{type(self._spider).__name__} has no method {name!r}{did_you_mean(name, methods)}")
            found = self._found[name] = (method, parameter_hints(getattr(method, "__func__", method)))
        return found

    def is_async(self, name: str | None) -> bool:
        """Return whether a method is async, as one that waits for something must be."""
        method = getattr(self._spider, name or "parse", None)
        return inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)

    def bind(self, name: str | None, response: Response) -> partial[Produced]:
        """Return the call of a callback with a response and the `cb_kwargs` of its request."""
        method, hints = self.find(name)
        kwargs = mapping_of(response.request, "cb_kwargs")
        if not kwargs:
            return partial(method, response)
        return partial(
            method,
            response,
            **{
                name: msgspec.convert(value, hints[name]) if name in hints else copy.deepcopy(value)
                for name, value in kwargs.items()
            },
        )


class LocalCallbacks:
    """Runs callbacks in this process."""

    def __init__(self, spider: Spider) -> None:
        self._callbacks = Callbacks(spider)
        self._large = trio.Lock()  # held while the callback of a large page runs

    async def handle(
        self,
        response: Response,
        result: PageResult,
        forget: Callable[[], None],
    ) -> None:
        """Run the callback of a page; `forget` is called before it runs again, which it does not here."""
        name = response.request.callback or "parse"
        call = self._callbacks.bind(name, response)
        if len(response.body) <= LARGE or self._callbacks.is_async(name):
            await collect(call, result, response.url)
            return
        # A parsed page takes some 20 times the memory of its body until its callback has ended. An async callback needs
        # no turn: it may wait for something else, perhaps for the callback of another page.
        async with self._large:
            await collect(call, result, response.url)


def check_handlers(spider: Spider, handlers: HandlerCounts, place: str) -> None:
    """Check that a spider has every method that a pending request of a resumed job names, with parameters that fit."""
    callbacks = Callbacks(spider)
    missing: Counter[tuple[str, str]] = Counter()  # kind and fault
    misfits: list[str] = []
    calls = [("callback", name, arguments, n) for (name, arguments), n in handlers.calls().items()]
    calls += [("errback", name, (), n) for name, n in handlers.errbacks.items()]
    for kind, name, arguments, n in sorted(calls, key=lambda call: -call[3]):
        try:
            method, _ = callbacks.find(name)
        except LookupError as error:
            missing[kind, str(error)] += n
            continue
        misfit = _misfit(method, arguments)
        if misfit:
            misfits.append(f"{type(spider).__name__}.{name} does not fit as the {kind} of {_requests(n)} ({misfit})")
    faults = [f"{fault}, which is the {kind} of {_requests(n)}" for (kind, fault), n in missing.items()]
    advice = [RENAME_BACK] * bool(missing) + [RESTORE_PARAMETERS] * bool(misfits)
    if advice:
        raise JobError(f"{place} cannot continue: {'; '.join(faults + misfits)}: {'; '.join(advice)}")


def _requests(n: int) -> str:
    return "one waiting request" if n == 1 else f"{n:,} waiting requests"


def _misfit(method: Any, arguments: tuple[str, ...]) -> str:
    """Return why ``method(response, **arguments)`` would be refused; empty if it would not, or that is not known."""
    try:
        inspect.signature(method).bind(None, **dict.fromkeys(arguments))
    except TypeError as error:
        return str(error)
    except ValueError:  # a callable without a known signature
        return ""
    return ""
