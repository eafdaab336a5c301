"""`Admission`: which requests enter the frontier: first the scope decides, then the `admit` hooks in their order."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING

from crawler.engine.handler_results import describe_error, describe_wrong
from crawler.engine.hook_errors import faults
from crawler.engine.tracebacks import ErrorLog
from crawler.messages import Drop, Request
from crawler.messages.page_links import LinkFilter
from crawler.messages.request import copy_unchecked

if TYPE_CHECKING:
    from crawler.hooks.table import Hook, HookTable
    from crawler.scope import Scope
    from crawler.stats import Stats

__all__ = ["Admission", "count_filtered"]

ADMIT_FAILED = "hook_error"
"""The reason where an `admit` hook raised: that request has failed."""


class Admission:
    """Admits requests, and lists those that it refuses."""

    def __init__(
        self,
        scope: Scope,
        table: HookTable,
        known: Callable[[], Container[str]] = frozenset[str],
        waypoints: frozenset[str] = frozenset(),
        *,
        agent: str = "",
        obey_nofollow: bool = False,
        errors: ErrorLog | None = None,
    ) -> None:
        self._scope = scope
        self._hooks = table.admit
        self._known = known
        self._waypoints = waypoints
        self._agent = agent
        self._obey_nofollow = obey_nofollow
        self._errors = errors or ErrorLog()
        self._admits_all = scope.is_everything and not table.admit

    def admit(self, requests: Iterable[Request], filtered: list[tuple[str, str]]) -> list[Request]:
        """Return the requests that may enter, as the hooks changed them."""
        if self._admits_all:
            return list(requests)
        admitted: list[Request] = []
        for request in requests:
            reason = self._scope.refuses(request.url, request.depth, is_waypoint=request.callback in self._waypoints)
            entering: Request | None = request
            if reason is None:
                entering, reason = self._call_hooks(request)
            if entering is not None:
                reason = reason or self._scope.overrun(entering.url, entering.depth)
            if entering is None or reason is not None:
                filtered.append((reason or "dropped", request.url))
            else:
                admitted.append(entering)
        return admitted

    def refused_by(self, request: Request) -> str | None:
        """Return why the scope refuses a request, such as ``scope`` or ``exclude``; `None` if it does not."""
        return self._scope.refuses(request.url, request.depth)

    def is_known(self, request: Request) -> bool:
        """Return whether a request is certainly known, so that it need not be made."""
        return not request.dont_filter and request.key in self._known()

    def without_known(self, requests: Iterable[Request]) -> list[Request]:
        """Return the requests that are not certainly known. Most links of a page are: they cost no more than this."""
        known = self._known()
        return [  # the key of a GET without a body is its URL, which takes no call
            request
            for request in requests
            if (request.key if request.method != "GET" or request.body else request.url) not in known
            or request.dont_filter
        ]

    def link_filter(self) -> LinkFilter:
        """Return a filter for the links of one page."""
        return LinkFilter(self._known(), self._scope.refuses, agent=self._agent, obey_nofollow=self._obey_nofollow)

    def _call_hooks(self, request: Request) -> tuple[Request | None, str | None]:
        """Return the request as the hooks changed it, or `None` and the reason."""
        for hook in self._hooks:
            if request.plugins.get(hook.plugin.name) is False:
                continue
            try:
                answer = hook.call(request)
            except faults() as error:
                self._log(hook, request, describe_error(error), error)
                return None, ADMIT_FAILED
            if isinstance(answer, Drop):
                return None, answer.reason
            if isinstance(answer, Request):
                request = copy_unchecked(answer, depth=request.depth, redirects=request.redirects)
            elif answer is not None:
                self._log(hook, request, describe_wrong(answer, "a Request or Drop"), None)
                return None, ADMIT_FAILED
        return request, None

    def _log(self, hook: Hook, request: Request, message: str, cause: BaseException | None) -> None:
        name = hook.plugin.name
        self._errors.log_message((name, "admit", type(cause)), f"{name}.admit", request.url, message, cause)


def count_filtered(filtered: Iterable[tuple[str, str]], stats: Stats) -> None:
    """Count requests that were refused, with the reason for each."""
    for reason, url in filtered:
        if reason == ADMIT_FAILED:
            stats.fail(reason, url)
        else:
            stats.filter(reason, url)
