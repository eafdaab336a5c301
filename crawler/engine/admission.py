"""Which requests enter the frontier: the scope, then the `admit` hooks, in their order."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from crawler.engine.tracebacks import user_frames
from crawler.hooks.table import HookTable
from crawler.messages import Drop, Request
from crawler.messages.request import copy_unchecked
from crawler.scope import Scope

__all__ = ["ADMIT_FAILED", "Admission"]

ADMIT_FAILED = "hook_error"
"""Stands for a reason where an `admit` hook raised: that request has failed."""
log = logging.getLogger("crawler.engine")


class Admission:
    """Decides, and keeps a list of what it refused.

    Parameters:
        scope: what belongs to the crawl.
        table: the hooks.
        ways: callbacks of requests that only lead to pages (`Spider.waypoints`).
    """

    def __init__(self, scope: Scope, table: HookTable, ways: frozenset[str] = frozenset()) -> None:
        self.scope = scope
        """What belongs to the crawl."""
        self._hooks = table.admit
        self._ways = ways
        self._told: set[str] = set()
        """Plugins whose traceback has been shown."""
        self._anything = scope.is_everything and not table.admit

    def admit(self, requests: Iterable[Request], filtered: list[tuple[str, str]]) -> list[Request]:
        """The requests that may enter, changed as plugins want; the others are noted as reason and URL."""
        if self._anything:
            return list(requests)
        admitted: list[Request] = []
        for request in requests:
            reason = self.scope.refuses(request.url, request.depth, way=request.callback in self._ways)
            entering: Request | None = request
            if reason is None:
                entering, reason = self._ask(request)
            if entering is not None:
                reason = reason or self.scope.overrun(entering.url, entering.depth)
            if entering is None or reason is not None:
                filtered.append((reason or "dropped", request.url))
            else:
                admitted.append(entering)
        return admitted

    def _ask(self, request: Request) -> tuple[Request | None, str | None]:
        for hook in self._hooks:
            if request.plugins.get(hook.plugin.name) is False:
                continue
            try:
                answer = hook.call(request)
            except Exception as error:
                first = hook.plugin.name not in self._told
                self._told.add(hook.plugin.name)
                words = f"{type(error).__name__}: {error}"
                trace = user_frames(error) if first else None
                log.error("%s.admit failed for %s: %s", hook.plugin.name, request.url, words, exc_info=trace)
                return None, ADMIT_FAILED
            if isinstance(answer, Drop):
                return None, answer.reason
            if isinstance(answer, Request):
                request = copy_unchecked(answer, depth=request.depth, redirects=request.redirects)
            elif answer is not None:
                log.error("%s.admit answered with %s for %s", hook.plugin.name, type(answer).__name__, request.url)
                return None, ADMIT_FAILED
        return request, None
