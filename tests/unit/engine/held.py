"""A spider whose crawl is held in one of many ways, for the tests of signals. It fetches nothing.

It prints ``held`` when it is, and shortens the times after which a signal is reported.
"""

from __future__ import annotations

import hashlib
import re
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio

from crawler import Crawl, Plugin, Produced, Request, Response, Row, Settings, Spider
from crawler.engine import shutdown, signals
from crawler.transport.resolver import Resolver

signals.REACTION_SECONDS, signals.END_AFTER = 0.15, 0.3
signals.FINISH_GRACE = shutdown.FINISH_GRACE = 0.35
FOREVER = 3600.0


def held() -> None:
    """Say that the crawl is held from now on."""
    sys.stdout.write("held\n")
    sys.stdout.flush()


class Held(Spider):
    """Holds the crawl in the way that its argument names."""

    settings = Settings(obey_robots=False, grace=0.3, problem_share=1)

    def __init__(self, how: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._how = how
        if how == "resolver":
            Resolver.__init__.__kwdefaults__["getaddrinfo"] = _never
        self.plugins = [Kept()] if how.startswith("sink") or how == "plugin thread" else []
        self.start_urls = ["http://held.test/0", *(f"http://held.test/{n}" for n in range(1, 5) if how != "resolver")]

    async def answer(self, request: Request) -> Response | None:
        """Respond to every request."""
        if self._how == "resolver":
            return None
        if self._how == "hook" and request.url.endswith("/2"):
            held()
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()
        return Response(request.url, 200, {"content-type": "text/html"}, b"<p>text", request=request)

    def start(self) -> Iterator[Request]:
        """Yield the requests."""
        for url in self.start_urls:
            yield Request(url, callback="hold_in_a_shield" if self._how == "callback" else None)

    def parse(self, response: Response) -> Produced:
        """Yield an item, or never return."""
        if response.url.endswith("/2"):
            hold = getattr(self, f"hold_in_a_{self._how}", None)
            if hold is not None:
                held()
                hold()
        yield {"url": response.url}

    async def hold_in_a_shield(self, response: Response) -> None:
        if response.url.endswith("/2"):
            held()
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()

    def hold_in_a_loop(self) -> None:
        while True:
            pass

    def hold_in_a_file(self) -> None:
        while not Path("go").exists():
            time.sleep(0.005)

    def hold_in_a_sleep(self) -> None:
        time.sleep(FOREVER)

    def hold_in_a_regex(self) -> None:
        re.match(r"(a+)+$", "a" * 60 + "b")  # it holds the interpreter, and looks for signals now and then

    def hold_in_a_hash(self) -> None:
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # it releases the interpreter, and never looks for signals

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Open nothing, and perhaps never close it."""
        if self._how == "opening":
            held()
            await trio.sleep_forever()
        yield
        if self._how == "lifespan":
            held()
            while True:
                with suppress(BaseException):
                    await trio.sleep(0.01)


class Kept(Plugin):
    """A sink that never ends."""

    def __init__(self) -> None:
        self._held = False

    async def persist(self, batch: Sequence[Row]) -> None:
        """Wait, in one of several ways."""
        how = self.crawl.spider._how  # type: ignore[attr-defined]
        if self._held:
            return
        self._held = True
        if how == "plugin thread":
            threading.Thread(target=time.sleep, args=(FOREVER,)).start()
            held()
            await trio.sleep_forever()
        held()
        if how == "sink thread":
            await trio.to_thread.run_sync(time.sleep, FOREVER, abandon_on_cancel=True)
        if how == "sink in the loop":
            time.sleep(FOREVER)  # noqa: ASYNC251 - the mistake
        if how == "sink held by a thread":
            await trio.to_thread.run_sync(time.sleep, FOREVER)
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()


def _never(*_: Any, **__: Any) -> Any:
    held()
    time.sleep(FOREVER)
