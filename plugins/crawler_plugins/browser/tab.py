"""`Tab`: one tab of a browser, and what happens in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
import trio
from trio_util import RepeatedEvent

from crawler_plugins.browser.cdp import CommandFailed, Connection, Disconnected

__all__ = ["Paused", "ScriptFailed", "Tab", "TabOptions"]

WORLD: Final = "crawler"
"""The name of the world in which the scripts of the crawl run: pages cannot see or replace anything in it."""
MAX_LINES: Final = 100
"""Maximum number of console lines of one page that are logged."""
MAX_MOVES: Final = 5
"""Maximum number of times that a script is run again because its page was replaced."""
MOVE_PAUSE: Final = 0.05
"""Maximum number of seconds between two of these times."""
MOVED: Final = ("context", "navigated", "collected", "No frame")
"""Words in the errors of scripts whose page was replaced."""
log = logging.getLogger("crawler.plugins.browser")


class ScriptFailed(CommandFailed):
    """Raised when a script raises an exception."""


@attrs.frozen(kw_only=True)
class TabOptions:
    """The options that all pages of a tab have in common."""

    user_agent: str
    """The ``User-Agent`` of requests and of scripts."""
    locale: str
    """Such as ``de-DE``; empty: that of the browser."""
    viewport: tuple[int, int]
    """Width and height in pixels."""
    has_network: bool = False
    """Whether the browser makes the requests of pages itself."""


@attrs.frozen
class Paused:
    """A request of a page that waits for its response."""

    session: str
    """The session that made it: that of the tab, or of a worker."""
    event: dict[str, Any]
    """The parameters of ``Fetch.requestPaused``."""


class Tab:
    """One tab of a browser.

    Parameters:
        connection: The connection to the browser.
        context: The browser context, which has the cookies of one session.
        target: The identifier of the tab.
        session: The session of the tab on the connection.
        options: What its pages have in common.
    """

    def __init__(self, connection: Connection, context: str, target: str, session: str, options: TabOptions) -> None:
        self.connection = connection
        self.context = context
        self.target = target
        self.session = session
        self.options = options
        self.pages = 0
        """Pages that were rendered in it."""
        self.is_gone = False
        """Whether it has crashed or was closed."""
        self.is_loaded = False
        """Whether the page has loaded."""
        self.requests = 0
        """Requests of the page that have no response yet."""
        self.changed = RepeatedEvent()
        """Set when anything in the page changes."""
        self.document: dict[str, Any] | None = None
        """The parameters of ``Network.responseReceived`` for the document, if the browser has requested it."""
        self.active_at = 0.0
        """When a request of the page began or ended last, in seconds on trio's clock."""
        self._paused: trio.MemorySendChannel[Paused] | None = None
        self._workers: set[str] = set()
        self._loading: set[str] = set()
        self._lines = 0

    @classmethod
    async def open(cls, connection: Connection, context: str, options: TabOptions) -> Tab:
        """Open a tab.

        Raises:
            CommandFailed: The browser cannot do it.
        """
        target = (await connection.call("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        session = (await connection.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        tab = cls(connection, context, target, session, options)
        connection.listen(session, tab.handle)
        width, height = options.viewport
        agent = {"userAgent": options.user_agent, **({"acceptLanguage": options.locale} if options.locale else {})}
        setup: list[tuple[str, dict[str, Any]]] = [
            ("Inspector.enable", {}),
            ("Page.enable", {}),
            ("Network.setBypassServiceWorker", {"bypass": True}),
            ("Emulation.setUserAgentOverride", agent),
            ("Emulation.setFocusEmulationEnabled", {"enabled": True}),
            ("Fetch.enable", {"patterns": [{"urlPattern": "*"}]}),
            ("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}),
            (
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
            ),
        ]
        if options.locale:
            setup.append(("Emulation.setLocaleOverride", {"locale": options.locale}))
        if options.has_network:
            setup.append(("Network.enable", {}))
        if log.isEnabledFor(logging.DEBUG):
            setup.append(("Runtime.enable", {}))
        for method, params in setup:
            await tab.call(method, **params)
        return tab

    def close(self) -> None:
        """Close the tab. Whatever happens in it ends."""
        self._end()
        self.connection.listen(self.session, None)
        self.connection.post("Target.closeTarget", targetId=self.target)

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command to the tab, and return its result.

        Raises:
            CommandFailed: The browser rejected it.
            Disconnected: The browser or the tab is gone.
        """
        if self.is_gone:
            raise Disconnected("the tab is gone")
        return await self.connection.call(method, self.session, **params)

    # ---- one page ----------------------------------------------------------------------------------------------------

    @contextmanager
    def page(self, paused: trio.MemorySendChannel[Paused]) -> Iterator[None]:
        """Show a page in the block.

        Parameters:
            paused: Takes the requests of the page.
        """
        self.pages += 1
        self.is_loaded = False
        self.requests = self._lines = 0
        self.document = None
        self._loading.clear()
        self.active_at = trio.current_time()
        self._paused = paused
        try:
            yield
        finally:
            self._paused = None

    async def blank(self) -> None:
        """End the page: its scripts stop.

        Raises:
            CommandFailed: The tab can no longer be used.
        """
        await self.call("Page.navigate", url="about:blank")

    def note_request(self, change: int) -> None:
        """Count a request of the page that begins (1) or has ended (-1)."""
        self.requests += change
        self.active_at = trio.current_time()
        self.changed.set()

    async def wait_for_change(self, until: float) -> None:
        """Wait until anything changes, or a time of trio's clock is reached.

        Raises:
            Disconnected: The tab is gone.
        """
        if not self.is_gone:
            with trio.move_on_at(until):
                await self.changed.wait()
        if self.is_gone:
            raise Disconnected("the tab is gone")

    async def evaluate(self, expression: str, *, as_page: bool = False, frame: str = "") -> Any:
        """Return the value of an expression in the page, or that of its promise. Repeat it if the page is replaced.

        Parameters:
            expression: JavaScript.
            as_page: Whether it sees the variables of the page's scripts.
            frame: The identifier of a frame; empty: that of the page.

        Raises:
            ScriptFailed: It raised an exception.
            CommandFailed: The tab is gone, or the page is replaced repeatedly.
        """
        for move in range(MAX_MOVES + 1):
            try:
                place = {} if as_page else {"contextId": await self._world(frame or self.target)}
                result = await self.call(
                    "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True,
                    userGesture=True, **place,
                )  # fmt: skip
            except Disconnected:
                raise
            except CommandFailed as error:
                if move == MAX_MOVES or not any(word in str(error) for word in MOVED):
                    raise
                await self.wait_for_change(trio.current_time() + MOVE_PAUSE)
            else:
                if "exceptionDetails" in result:
                    raise ScriptFailed(_exception(result["exceptionDetails"]))
                return result["result"].get("value")
        raise AssertionError("unreachable")

    async def _world(self, frame: str) -> int:
        result = await self.call("Page.createIsolatedWorld", frameId=frame, worldName=WORLD)
        number: int = result["executionContextId"]
        return number

    # ---- events ------------------------------------------------------------------------------------------------------

    def handle(self, method: str, params: dict[str, Any], session: str = "") -> None:
        """Handle an event of the tab, or of a worker in it."""
        if method == "Fetch.requestPaused":
            self._pause(Paused(session or self.session, params))
        elif method == "Page.loadEventFired":
            self.is_loaded = True
            self.changed.set()
        elif method.startswith("Network."):
            self._note_network(method, params)
        elif method == "Page.javascriptDialogOpening":
            self.connection.post("Page.handleJavaScriptDialog", self.session, accept=params["type"] != "prompt")
        elif method in ("Inspector.targetCrashed", "Inspector.detached"):
            self._end()
        elif method == "Target.attachedToTarget":
            self._attach(params["sessionId"])
        elif method == "Target.detachedFromTarget":
            self._detach(params["sessionId"])
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown") and self._lines < MAX_LINES:
            self._lines += 1
            log.debug("console: %s", _console_line(method, params))

    def _pause(self, paused: Paused) -> None:
        if self._paused is None:
            params = {"requestId": paused.event["requestId"], "errorReason": "Aborted"}
            self.connection.post("Fetch.failRequest", paused.session, **params)
            return
        if not self.options.has_network:
            self.note_request(1)
        self._paused.send_nowait(paused)

    def _note_network(self, method: str, params: dict[str, Any]) -> None:
        """Note a request that the browser makes itself."""
        number = params.get("requestId", "")
        if method == "Network.requestWillBeSent" and number not in self._loading:
            self._loading.add(number)
            self.note_request(1)
        elif method in ("Network.loadingFinished", "Network.loadingFailed") and number in self._loading:
            self._loading.discard(number)
            self.note_request(-1)
        elif (
            method == "Network.responseReceived"
            and params["type"] == "Document"
            and params.get("frameId") == self.target
        ):
            self.document = params

    def is_loading(self, number: str) -> bool:
        """Return whether a request that the browser makes itself has not ended."""
        return number in self._loading

    async def wait_for_workers(self) -> None:
        """Wait until the workers of the page have started, and have handled what they were sent.

        Raises:
            Disconnected: The tab is gone.
        """
        for session in list(self._workers):
            try:
                await self.connection.call("Runtime.evaluate", session, expression="0")
            except CommandFailed:  # the worker has ended
                if self.is_gone:
                    raise

    def _attach(self, session: str) -> None:
        """Intercept the requests of a worker, too."""
        self._workers.add(session)
        self.connection.listen(session, lambda method, params: self.handle(method, params, session))
        self.connection.post("Fetch.enable", session, patterns=[{"urlPattern": "*"}])
        self.connection.post("Runtime.runIfWaitingForDebugger", session)

    def _detach(self, session: str) -> None:
        self._workers.discard(session)
        self.connection.abandon(session)
        self.connection.listen(session, None)

    def _end(self) -> None:
        self.is_gone = True
        for session in (self.session, *self._workers):
            self.connection.abandon(session)
            self.connection.listen(session, None)
        self.changed.set()


def _exception(details: dict[str, Any]) -> str:
    """Return the first line of an exception."""
    text = details.get("exception", {}).get("description") or details.get("text", "")
    return str(text).partition("\n")[0][:300]


def _console_line(method: str, params: dict[str, Any]) -> str:
    if method == "Runtime.exceptionThrown":
        return _exception(params.get("exceptionDetails", {}))
    values = [str(value.get("value", value.get("description", ""))) for value in params.get("args", [])]
    return f"{params.get('type')}: {' '.join(values)}"[:300]
