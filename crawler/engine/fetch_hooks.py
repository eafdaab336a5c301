"""`FetchHooks`: the `answer` and `fetch` hooks around the network."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from crawler.engine.handler_results import describe_error, describe_wrong
from crawler.engine.hook_errors import faults
from crawler.errors import HookError, RequestError
from crawler.fetch.body_reader import BodyHandling, receiver_of
from crawler.messages import Drop, Receive, Request, Response, Retry

if TYPE_CHECKING:
    from crawler.hooks.table import Hook, HookTable

__all__ = ["FetchHooks", "Network", "Result"]

Result: TypeAlias = Response | Retry | Drop | Request
"""The result of a `fetch` hook."""
Network: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


class FetchHooks:
    """Calls the hooks that answer requests, and those that wrap the network."""

    def __init__(self, table: HookTable) -> None:
        self.answering = table.answer
        """The `answer` hooks."""
        self.fetching = table.fetch
        """The `fetch` hooks."""
        self._wrapping = tuple(hook for hook in table.fetch if hook.plugin.wraps_answers)

    async def answer(self, request: Request) -> Response | None:
        """Return the response of the first `answer` hook that has one; `None` if no hook has."""
        for hook in self.answering:
            if request.plugins.get(hook.plugin.name) is False:
                continue
            found = await self._guard(hook, "answer", request, request)
            if found is not None and not isinstance(found, Response):
                raise _hook_error(hook, "answer", request, describe_wrong(found, "a Response"))
            if found is not None:
                response: Response = found if found.request is request else found.replace(request=request)
                if response.source == "network":
                    response.source = hook.plugin.name
                return await self._wrap(response) if self._wrapping else response
        return None

    async def _wrap(self, answer: Response) -> Response:
        """Pass the response of an `answer` hook through the `fetch` hooks that wrap those."""

        async def network(_: Request) -> Response:  # noqa: ASYNC124 - as that of an exchange
            return answer

        result = await self._through(self._wrapping, 0, answer.request, network, BodyHandling())
        if not isinstance(result, Response):
            hook = self._wrapping[0]
            raise _hook_error(
                hook, "fetch", answer.request, describe_wrong(result, "a Response, since it wraps answers")
            )
        return result

    def fetch(self, request: Request, network: Network, body: BodyHandling) -> Coroutine[Any, Any, Result]:
        """Send a request over the network through the `fetch` hooks."""
        return self._through(self.fetching, 0, request, network, body)

    async def _through(
        self, hooks: Sequence[Hook], index: int, request: Request, network: Network, body: BodyHandling
    ) -> Result:
        if index == len(hooks):
            return await network(request)
        hook = hooks[index]
        if request.plugins.get(hook.plugin.name) is False:
            return await self._through(hooks, index + 1, request, network, body)
        sent: list[Result] = []
        begun = False

        async def send(request: Request, *, receive: Receive | None = None) -> Result:
            nonlocal begun
            if begun:
                raise RuntimeError("send() may be awaited once")
            begun = True
            if not isinstance(request, Request):
                raise TypeError(f"send() takes a Request, not {type(request).__name__}")
            receiver = None if receive is None else receiver_of(receive)
            body.receiver = receiver or body.receiver
            result = await self._through(hooks, index + 1, request, network, body)
            if receiver is not None and isinstance(result, Response):
                await receiver.finish(result)
            sent.append(result)
            return result

        result: Result | None = await self._guard(hook, "fetch", request, request, send)
        if result is not None and not isinstance(result, Result):
            raise _hook_error(hook, "fetch", request, describe_wrong(result, "a Response, Request, Retry or Drop"))
        if isinstance(result, Response) and not begun and result.request is not request:
            result = result.replace(request=request)  # made by the hook: it belongs to this request
        if result is not None:
            return result
        return sent[0] if sent else await self._through(hooks, index + 1, request, network, body)

    async def _guard(self, hook: Hook, name: str, request: Request, *args: Any) -> Any:
        """Await a hook; an error other than `RequestError` becomes a `HookError`."""
        try:
            return await hook.call(*args)
        except RequestError:
            raise
        except faults() as error:
            raise _hook_error(hook, name, request, describe_error(error)) from error


def _hook_error(hook: Hook, name: str, request: Request, message: str) -> HookError:
    return HookError(message, plugin=hook.plugin.name, hook=name, request=request)
