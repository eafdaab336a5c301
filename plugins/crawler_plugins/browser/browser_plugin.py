"""`Browser`: pages as people see them, after their scripts have run."""

from __future__ import annotations

import logging
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import attrs
import trio

from crawler import ConfigError, Crawl, Drop, Plugin, Request, Response, Retry
from crawler_plugins.browser.chromium import NO_NETWORK, Chromium, find_executable, run_chromium
from crawler_plugins.browser.memory import largest_renderer, processes_of
from crawler_plugins.browser.own_network import is_plain
from crawler_plugins.browser.page_options import PageOptions, Wait, parse_action, parse_block, parse_timeout, parse_wait
from crawler_plugins.browser.page_renderer import PageRenderer
from crawler_plugins.browser.page_requests import current_sub
from crawler_plugins.browser.remote import check_url, run_remote
from crawler_plugins.browser.tab import TabOptions
from crawler_plugins.browser.tab_pool import TabPool

__all__ = ["Browser"]

MAX_TABS: Final = 64
MIN_MEMORY: Final = 500
MEMORY_INTERVAL: Final = 1.0
"""Seconds between two measurements of the memory of the browser."""
USELESS: Final = 5
"""Pages of a host in a row that rendering did not complete. From then on, one page in `LOOK_AGAIN` is rendered."""
LOOK_AGAIN: Final = 50
LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
log = logging.getLogger("crawler.plugins.browser")


class Browser(Plugin):
    """Renders pages in Chromium: the body of a response is the document as people see it, after its scripts have run.

    The crawl makes every request of a page, so limits, robots.txt, cookies, proxies and archives apply to it, and
    addresses that pages must not reach are refused. ``plugins={"browser": {…}}`` sets the options wait, actions, block,
    timeout, screenshot and pdf of one request; `False` turns rendering off. `Response.original` is the response of the
    server.

    Parameters:
        every: Which HTML pages are rendered: ``all``; ``asked``, those whose request has the options; ``needed``, those
            that have no element for `wait` without scripts.
        wait: When a page is complete: ``idle`` (loaded, and no request for 0.2 seconds), ``load``, a CSS selector that
            must match, ``js:EXPRESSION`` that must be true, or seconds after it has loaded.
        actions: What to do then, in turn: ``click SELECTOR [TIMES]``, ``type SELECTOR TEXT``, ``press KEY``,
            ``scroll [TIMES]`` to the end while the page grows, ``wait …``, ``evaluate JAVASCRIPT``.
        block: Requests not to make: font, image, manifest, media, other, ping, script, stylesheet, xhr, or
            patterns of URLs. Default: font, image, manifest, media, ping, unless there is a picture to take.
        timeout: Seconds for a page, without those in which limits hold back its requests.
        tabs: Maximum number of pages that are rendered at once.
        memory: Megabytes that Chromium may use. If it uses more, its largest tab is ended; above three quarters, the
            browser is replaced when its pages are finished.
        screenshot: Whether `Response.screenshot` has the whole page, as PNG.
        pdf: Whether `Response.pdf` has the page as it is printed.
        viewport: Size of the window in pixels, such as ``1280x800``.
        locale: Language of the browser, such as ``de-DE``. Default: ``en-US``.
        executable: Path of Chromium. Default: ``CRAWLER_BROWSER``, or the first one that is installed.
        url: Address of a browser that runs elsewhere, ``ws://…`` or ``wss://…`` (extra ``browser``).
        network: ``ours``: the crawl makes the requests of pages. ``own``: Chromium does, for sites that refuse others;
            only documents keep to limits and robots.txt then, and no address is refused.

    Raises:
        ConfigError: An option is wrong, or there is no Chromium.
    """

    wraps_answers = True

    def __init__(
        self,
        *,
        every: Literal["all", "asked", "needed"] = "all",
        wait: str = "idle",
        actions: tuple[str, ...] = (),
        block: tuple[str, ...] | None = None,
        timeout: float = 30.0,
        tabs: int = 4,
        memory: int = 3000,
        screenshot: bool = False,
        pdf: bool = False,
        viewport: str = "1280x800",
        locale: str = "",
        executable: str = "",
        url: str = "",
        network: Literal["ours", "own"] = "ours",
    ) -> None:
        try:
            self.options = PageOptions(
                wait=parse_wait(wait),
                actions=tuple(map(parse_action, actions)),
                block=None if block is None else parse_block(block),
                timeout=parse_timeout(timeout),
                screenshot=screenshot,
                pdf=pdf,
            )
            self.viewport = parse_viewport(viewport)
        except ValueError as error:
            raise ConfigError(f"browser: {error}") from None
        if every not in ("all", "asked", "needed"):
            raise ConfigError(f"browser: every must be all, asked or needed, not {every!r}")
        if every == "needed" and self.options.wait.kind != "selector":
            raise ConfigError("browser: every=needed needs a CSS selector: -P browser.wait=SELECTOR")
        if network not in ("ours", "own"):
            raise ConfigError(f"browser: network must be ours or own, not {network!r}")
        if network == "own" and every == "needed":
            raise ConfigError("browser: network=own requests no page without the browser: use every=all or every=asked")
        if not 1 <= tabs <= MAX_TABS:
            raise ConfigError(f"browser: tabs must be from 1 to {MAX_TABS}, not {tabs}")
        if memory < MIN_MEMORY:
            raise ConfigError(f"browser: memory must be at least {MIN_MEMORY} megabytes, not {memory}")
        if locale and not LOCALE.fullmatch(locale):
            raise ConfigError(f"browser: locale must be like de or de-DE, not {locale!r}")
        self.every = every
        self.tabs = tabs
        self.network = network
        self.memory = memory * 1_000_000
        self.locale = locale
        if url:
            check_url(url)
        self.url = url
        self.executable = "" if url else find_executable(executable)
        self._has_warned = False

    # ---- hooks -------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Lend tabs while the crawl runs. The browser starts with the first page."""
        self._useless: Counter[str] = Counter()
        has_network = self.network == "own"
        options = TabOptions(
            user_agent=crawl.settings.user_agent,
            locale=self.locale,
            viewport=self.viewport,
            has_network=has_network,
        )
        self._pool = TabPool(self._start, options, self.tabs)
        self._renderer = PageRenderer(crawl, self.name, self._pool, self._is_rendered, has_network=has_network)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._pool.run)
            nursery.start_soon(self._watch_memory)
            yield
            nursery.cancel_scope.cancel(reason="the crawl has ended")

    async def fetch(self, request: Request, send: Any) -> Response | Retry | Drop | None:
        """Render the page that a request leads to."""
        sub = current_sub.get()
        if sub is not None:
            sub.start(request)
            return None
        options = self._options_of(request)
        if options is None or urlsplit(request.url).path == "/robots.txt":
            return None
        if self.network == "own":
            return await self._renderer.visit(request, options) if is_plain(request) else None
        if self.locale and "accept-language" not in request.headers:
            fields = [*request.headers.pairs, ("Accept-Language", self.locale)]
            result = await send(request.replace(headers=fields))
        else:
            result = await send(request)
        if not isinstance(result, Response) or not self._is_rendered(result, options):
            return result  # type: ignore[no-any-return]
        result.request = request
        if not self._is_conditional(request):
            return await self._renderer.render(result, options)
        response = await self._renderer.render(result, attrs.evolve(options, wait=Wait("idle")))
        host = urlsplit(result.url).netloc
        if response.css(options.wait.value):
            self._useless.pop(host, None)
        else:
            self._useless[host] += 1
        return response

    def _options_of(self, request: Request) -> PageOptions | None:
        """Return how a request is rendered; `None`: it is not.

        Raises:
            ValueError, TypeError: Its options are wrong.
        """
        given = request.plugins.get(self.name)
        if given is None or given is True:
            return self.options if given or self.every != "asked" else None
        if not isinstance(given, Mapping):
            raise TypeError(f"plugins['browser'] must be a dict of options or False, not {given!r:.80}")
        return self.options.changed(given)

    def _is_rendered(self, response: Response, options: PageOptions) -> bool:
        """Return whether a response is rendered."""
        is_page = 200 <= response.status < 300 or response.status in response.request.accept_status
        if not (is_page and response.body and response.is_html):
            return False
        if not self._is_conditional(response.request):
            return True
        useless = self._useless[urlsplit(response.url).netloc]
        if response.css(options.wait.value):
            return False
        if useless >= USELESS and useless % LOOK_AGAIN:
            self._useless[urlsplit(response.url).netloc] += 1
            return False
        return True

    def _is_conditional(self, request: Request) -> bool:
        """Return whether a page is rendered only if it needs it."""
        return self.every == "needed" and self.name not in request.plugins

    # ---- the browser -------------------------------------------------------------------------------------------------

    async def _start(self, nursery: trio.Nursery) -> Chromium:
        if self.url:
            remote: Chromium = await nursery.start(run_remote, self.url)
            return remote
        flags = [*(NO_NETWORK if self.network == "ours" else ()), *([f"--lang={self.locale}"] if self.locale else [])]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
            if not self._has_warned:
                log.warning("this process is root's, so Chromium runs without its sandbox")
                self._has_warned = True
        started: Chromium = await nursery.start(partial(run_chromium, self.executable, flags))
        return started

    async def _watch_memory(self) -> None:
        """End the largest tab of a browser that uses too much memory. Replace one that uses much."""
        while True:
            await trio.sleep(MEMORY_INTERVAL)
            processes = [one for browser in self._pool.browsers if browser.pid for one in processes_of(browser.pid)]
            used = sum(process.memory for process in processes)
            if used > self.memory * 3 // 4:
                self._pool.retire()
            largest = largest_renderer(processes)
            if used > self.memory and largest is not None:
                log.warning("Chromium uses %d MB: its largest tab is ended", used // 1_000_000)
                with suppress(ProcessLookupError):
                    os.kill(largest.number, signal.SIGKILL)


def parse_viewport(text: str) -> tuple[int, int]:
    """Return the width and height that a text such as ``1280x800`` names.

    Raises:
        ValueError: It names none.
    """
    width, _, height = text.partition("x")
    sizes = [int(part) for part in (width, height) if part.isascii() and part.isdigit() and len(part) < 6]
    if len(sizes) != 2 or not all(1 <= size <= 10_000 for size in sizes):
        raise ValueError(f"viewport must be like 1280x800, each from 1 to 10000 pixels, not {text!r}")
    return sizes[0], sizes[1]
