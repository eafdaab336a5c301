"""A browser in memory that speaks the Chrome DevTools Protocol, for tests of the plugin `browser` in virtual time.

Its pages are texts with commands instead of scripts::

    GET /api        requests a URL, and shows the response
    COOKIE a=1      sets a cookie
    GROW 3          is scrolled three times before it ends
    CRASH           crashes the tab
    HANG            never becomes complete

The document is what the server has sent, with the responses appended.
"""

# The methods are called as the commands, and their parameters too.
# ruff: noqa: N802, N803
from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin

import attrs
import msgspec
import trio
from crawler_plugins.browser import Browser, scripts
from crawler_plugins.browser.cdp import Connection
from crawler_plugins.browser.chromium import Chromium

__all__ = ["FakeBrowser", "FakeChromium"]


@attrs.define
class FakeTab:
    """A tab."""

    session: str
    context: str
    url: str = "about:blank"
    html: str = ""
    waiting: dict[str, Callable[[dict[str, Any]], None]] = attrs.field(factory=dict)
    """What happens with the response to a paused request."""
    paused: dict[str, tuple[str, str]] = attrs.field(factory=dict)
    """URL and kind of the paused requests."""
    bodies: dict[str, str] = attrs.field(factory=dict)
    pending: int = 0
    grows: int = 0
    looks: list[tuple[str, int]] = attrs.field(factory=list)
    """Texts that scripts wait for, with the numbers of their commands."""
    is_open: bool = True


class FakeChromium:
    """The browser's end of a `Connection`, as a `Channel`."""

    def __init__(self, network: Mapping[str, tuple[int, dict[str, str], str]] | None = None) -> None:
        self.network = network or {}
        """The responses that a browser with a network of its own gets, by URL."""
        self.sent: list[tuple[float, str]] = []
        """The requests that it has made itself, with their times."""
        self.log: list[tuple[str, dict[str, Any]]] = []
        """All commands, with their parameters."""
        self.tabs: dict[str, FakeTab] = {}
        self.cookies: dict[str, list[dict[str, Any]]] = {}
        """The cookies by context."""
        self.rejected: dict[str, str] = {}
        """Commands that are rejected, with the words of the error."""
        self._numbers = itertools.count(1)
        self._replies, self._outgoing = trio.open_memory_channel[bytes | None](float("inf"))

    def commands(self, method: str) -> list[dict[str, Any]]:
        """Return the parameters of all commands of a kind."""
        return [params for name, params in self.log if name == method]

    # ---- the channel -------------------------------------------------------------------------------------------------

    async def send(self, message: bytes) -> None:
        command = msgspec.json.decode(message)
        method, params = command["method"], command.get("params", {})
        self.log.append((method, params))
        if method in self.rejected:
            self._emit({"id": command["id"], "error": {"message": self.rejected[method]}})
            return
        handler = getattr(self, "_" + method.replace(".", "_"), None)
        result = {} if handler is None else handler(command, command.get("sessionId", ""), **params)
        if result is not None:
            self._emit({"id": command["id"], "result": result})

    async def receive(self) -> bytes | None:
        return await self._outgoing.receive()

    def kill(self) -> None:
        """End the browser as a kill does."""
        self._replies.send_nowait(None)

    def event(self, session: str, method: str, **params: Any) -> None:
        self._emit({"method": method, "params": params, "sessionId": session})

    def _emit(self, message: dict[str, Any]) -> None:
        self._replies.send_nowait(msgspec.json.encode(message))

    # ---- commands ----------------------------------------------------------------------------------------------------

    def _Browser_getVersion(self, command: Any, session: str) -> Any:
        return {"product": "Fake/1"}

    def _Target_createBrowserContext(self, command: Any, session: str, **_: Any) -> Any:
        context = f"context {next(self._numbers)}"
        self.cookies[context] = []
        return {"browserContextId": context}

    def _Target_createTarget(self, command: Any, session: str, *, url: str, browserContextId: str) -> Any:
        target = f"target {next(self._numbers)}"
        self.tabs[target] = FakeTab(f"session of {target}", browserContextId)
        return {"targetId": target}

    def _Target_attachToTarget(self, command: Any, session: str, *, targetId: str, flatten: bool) -> Any:
        return {"sessionId": self.tabs[targetId].session}

    def _Target_closeTarget(self, command: Any, session: str, *, targetId: str) -> Any:
        self.tabs[targetId].is_open = False
        return {}

    def _Page_navigate(self, command: Any, session: str, *, url: str) -> Any:
        tab = self._tab(session)
        tab.waiting.clear()
        tab.looks.clear()
        tab.pending, tab.url = 0, url
        if url == "about:blank":
            return {}

        def arrived(answer: dict[str, Any]) -> None:
            self._emit({"id": command["id"], "result": {"frameId": self._target(tab)}})
            self._load(tab, answer)

        self._request(tab, url, "Document", arrived)
        return None

    def _Page_createIsolatedWorld(self, command: Any, session: str, **_: Any) -> Any:
        return {"executionContextId": 1}

    def _Page_captureScreenshot(self, command: Any, session: str, **_: Any) -> Any:
        return {"data": base64.b64encode(b"png").decode()}

    def _Page_printToPDF(self, command: Any, session: str, **_: Any) -> Any:
        return {"data": base64.b64encode(b"pdf").decode()}

    def _Fetch_fulfillRequest(self, command: Any, session: str, *, requestId: str, **answer: Any) -> Any:
        self._settle(session, requestId, answer)
        return {}

    def _Fetch_failRequest(self, command: Any, session: str, *, requestId: str, errorReason: str) -> Any:
        self._settle(session, requestId, {"error": errorReason})
        return {}

    def _Fetch_continueRequest(self, command: Any, session: str, *, requestId: str) -> Any:
        tab = self._tab(session)
        url, kind = tab.paused.pop(requestId)
        self.sent.append((trio.current_time(), url))
        status, fields, body = self.network[url]
        event = {"requestId": requestId, "type": kind, "frameId": self._target(tab)}
        mime = fields.get("Content-Type", "text/html").partition(";")[0]
        response = {"url": url, "status": status, "headers": fields, "mimeType": mime}
        self.event(session, "Network.requestWillBeSent", **event)
        self.event(session, "Network.responseReceived", **event, response=response)
        self.event(session, "Network.loadingFinished", **event)
        tab.bodies[requestId] = body
        self._settle(session, requestId, {"body": base64.b64encode(body.encode()).decode()})
        return {}

    def _Network_getResponseBody(self, command: Any, session: str, *, requestId: str) -> Any:
        return {"body": self._tab(session).bodies[requestId], "base64Encoded": False}

    def _Storage_setCookies(self, command: Any, session: str, *, cookies: Any, browserContextId: str) -> Any:
        for cookie in cookies:
            host = cookie.get("domain", "") or cookie["url"].split("/")[2]
            kept = {"expires": -1, **cookie, "domain": host}
            self.cookies[browserContextId].append(kept)
        return {}

    def _Network_getCookies(self, command: Any, session: str, *, urls: list[str]) -> Any:
        return {"cookies": self.cookies[self._tab(session).context]}

    def _Runtime_evaluate(self, command: Any, session: str, *, expression: str, **_: Any) -> Any:
        tab = self._tab(session)
        if expression.startswith(scripts.SNAPSHOT):
            size = len(tab.html)
            return {"result": {"value": {"url": tab.url, "html": tab.html, "size": size, "number": -1}}}
        if expression == scripts.COUNT:
            return {"result": {"value": len(tab.html)}}
        if expression == scripts.SCROLL and tab.grows:
            tab.grows -= 1
            tab.html += "<p>more</p>"
        if "throw" in expression:
            details = {"text": "Uncaught", "exception": {"description": "Error: no\n at line 1"}}
            return {"result": {}, "exceptionDetails": details}
        if found := re.search(r'querySelector\("(.+?)"\)', expression):
            if found[1] not in tab.html:
                tab.looks.append((found[1], command["id"]))
                return None
            if "scrollIntoView" in expression:
                return {"result": {"value": [10, 20]}}
        return {"result": {"value": True}}

    # ---- pages -------------------------------------------------------------------------------------------------------

    def _tab(self, session: str) -> FakeTab:
        return next(tab for tab in self.tabs.values() if tab.session == session)

    def _target(self, tab: FakeTab) -> str:
        return next(target for target, other in self.tabs.items() if other is tab)

    def _settle(self, session: str, number: str, answer: dict[str, Any]) -> None:
        settle = self._tab(session).waiting.pop(number, None)
        if settle is not None:
            settle(answer)

    def _request(self, tab: FakeTab, url: str, kind: str, arrived: Callable[[dict[str, Any]], None]) -> None:
        number = f"request {next(self._numbers)}"
        tab.waiting[number] = arrived
        tab.paused[number] = url, kind
        request = {"url": url, "method": "GET", "headers": {"Accept": "*/*", "User-Agent": "Fake"}}
        if cookies := [f"{cookie['name']}={cookie['value']}" for cookie in self.cookies.get(tab.context, [])]:
            request["headers"]["Cookie"] = "; ".join(cookies)
        params = {"requestId": number, "request": request, "resourceType": kind, "frameId": self._target(tab)}
        self.event(tab.session, "Fetch.requestPaused", **params)

    def _load(self, tab: FakeTab, answer: dict[str, Any]) -> None:
        tab.html = base64.b64decode(answer.get("body", "")).decode()
        for kind, url in re.findall(r"^(GET|SCRIPT|IMAGE) (\S+)$", tab.html, re.MULTILINE):
            tab.pending += 1
            name = {"GET": "XHR", "SCRIPT": "Script", "IMAGE": "Image"}[kind]
            self._request(tab, urljoin(tab.url, url), name, lambda answer: self._show(tab, answer))
        for pair in re.findall(r"^COOKIE (\S+)$", tab.html, re.MULTILINE):
            name, _, value = pair.partition("=")
            cookie = {"name": name, "value": value, "domain": tab.url.split("/")[2], "path": "/", "expires": -1}
            self.cookies[tab.context].append(cookie)
        if found := re.search(r"^GROW (\d)$", tab.html, re.MULTILINE):
            tab.grows = int(found[1])
        if "\nCRASH" in tab.html:
            self.event(tab.session, "Inspector.targetCrashed")
        elif "\nHANG" not in tab.html:
            self._loaded(tab)

    def _show(self, tab: FakeTab, answer: dict[str, Any]) -> None:
        shown = answer.get("error") or base64.b64decode(answer["body"]).decode("utf-8", "replace")
        tab.html += f"<p>{shown}</p>"
        for text, number in tab.looks:
            if text in tab.html:
                self._emit({"id": number, "result": {"result": {"value": True}}})
        tab.pending -= 1
        self._loaded(tab)

    def _loaded(self, tab: FakeTab) -> None:
        if not tab.pending:
            self.event(tab.session, "Page.loadEventFired")


class FakeBrowser(Browser):
    """The plugin with browsers in memory."""

    name = "browser"

    def __init__(self, *, responses: Any = None, **options: Any) -> None:
        super().__init__(executable="/bin/sh", **options)
        self.responses = responses
        self.started: list[FakeChromium] = []
        """The browsers, in order."""

    async def _start(self, nursery: trio.Nursery) -> Chromium:
        peer = FakeChromium(self.responses)
        self.started.append(peer)
        connection = Connection(peer)
        nursery.start_soon(connection.run)
        return Chromium(connection, 0, "Fake/1")
