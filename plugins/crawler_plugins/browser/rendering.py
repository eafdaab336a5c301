"""`render`: load a page in a tab, wait, act, and take what is seen."""

from __future__ import annotations

import base64
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import attrs
import trio

from crawler_plugins.browser import scripts
from crawler_plugins.browser.cdp import CommandFailed, Disconnected
from crawler_plugins.browser.page_options import Action, PageOptions, Wait, parse_wait
from crawler_plugins.browser.stopwatch import Stopwatch
from crawler_plugins.browser.tab import Tab

__all__ = ["PageTooLarge", "Rendered", "navigate", "render", "wait_until_idle"]

QUIET: Final = 0.2
"""Seconds without a request after which a page is idle."""
SETTLE: Final = 10.0
"""Maximum number of seconds for a page to become idle: some never do."""
MAX_FRAMES: Final = 100
"""Maximum number of frames in one document whose content is taken."""
SCROLLS: Final = 50
"""Maximum number of times that a page is scrolled to its end, unless the action has another number."""
CODES: Final = {
    "Enter": 13, "Tab": 9, "Escape": 27, "Backspace": 8, "Delete": 46, "ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37,
    "ArrowRight": 39, "End": 35, "Home": 36, "PageDown": 34, "PageUp": 33, "Space": 32,
}  # fmt: skip
"""Windows virtual key codes, which Chromium needs."""
TEXTS: Final = {"Enter": "\r", "Space": " "}


class PageTooLarge(Exception):
    """Raised when the document is larger than a body may be."""


@attrs.frozen(kw_only=True)
class Rendered:
    """A page as it is seen."""

    url: str
    """Where the document is now."""
    html: str
    screenshot: bytes | None
    pdf: bytes | None


async def navigate(tab: Tab, url: str) -> None:
    """Open a URL in a tab.

    Raises:
        CommandFailed: The page could not be opened.
    """
    result = await tab.call("Page.navigate", url=url)
    if error := result.get("errorText"):
        raise CommandFailed(f"the page could not be opened: {error}")


async def render(tab: Tab, options: PageOptions, watch: Stopwatch, max_size: int) -> Rendered:
    """Wait for a page that was opened, act on it, and return what is seen.

    Parameters:
        tab: The tab.
        options: What to wait for, and what to do.
        watch: Measures the time.
        max_size: Characters that the document may have.

    Raises:
        CommandFailed: A script failed, or the tab is gone.
        PageTooLarge: The document is too large.
    """
    await _wait(tab, options.wait, watch)
    for action in options.actions:
        await _act(tab, action, watch)
    url, html = await _snapshot(tab, max_size)
    screenshot = pdf = None
    if options.screenshot:
        shot = await tab.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        screenshot = base64.b64decode(shot["data"])
    if options.pdf:
        pdf = base64.b64decode((await tab.call("Page.printToPDF", printBackground=True))["data"])
    return Rendered(url=url, html=html, screenshot=screenshot, pdf=pdf)


async def _snapshot(tab: Tab, max_size: int) -> tuple[str, str]:
    """Return the URL of the document, and the document with the content of its frames after each of them.

    Raises:
        CommandFailed: The tab is gone.
        PageTooLarge: The document is too large.
    """
    mark = secrets.token_hex(8)
    script = scripts.snapshot(max_size, mark)
    left = max_size

    async def taken(frame: str) -> dict[str, Any]:
        nonlocal left
        found: dict[str, Any] = await tab.evaluate(script, frame=frame)
        left -= found["size"]
        if left < 0:
            raise PageTooLarge(f"the document has more than {max_size} characters")
        return found

    async def whole(children: Sequence[Mapping[str, Any]], found: Mapping[str, Any]) -> str:
        html: str = found["html"]
        for child in children[:MAX_FRAMES]:
            try:
                inner = await taken(child["frame"]["id"])
                content = await whole(child.get("childFrames", ()), inner)
            except Disconnected:
                raise
            except CommandFailed:  # the frame is gone
                continue
            shown = f'<div data-frame="{escape(inner["url"])}">{content}</div>' if content else ""
            html = html.replace(f"{mark}{inner['number']}{mark}", shown)
        return re.sub(f"{mark}[0-9]+{mark}", "", html)

    found = await taken(tab.target)
    children: Sequence[Mapping[str, Any]] = ()
    if mark in found["html"]:
        children = (await tab.call("Page.getFrameTree"))["frameTree"].get("childFrames", ())
    return found["url"], await whole(children, found)


async def wait_until_idle(tab: Tab, watch: Stopwatch) -> None:
    """Wait until a page has loaded, made no request for `QUIET` seconds and run its scripts; `SETTLE` at most.

    Raises:
        CommandFailed: The tab is gone.
    """
    with watch.limit(SETTLE):
        while True:
            idle_at = tab.active_at + QUIET
            if not tab.is_loaded or tab.requests:
                await tab.wait_for_change(math.inf)
            elif trio.current_time() < idle_at:
                await tab.wait_for_change(idle_at)
            else:
                active_at = tab.active_at
                await tab.evaluate(scripts.IDLE)
                await tab.wait_for_workers()
                if tab.active_at == active_at:
                    return


async def _wait(tab: Tab, wait: Wait, watch: Stopwatch) -> None:
    if wait.kind == "idle":
        await wait_until_idle(tab, watch)
    elif wait.kind == "selector":
        await tab.evaluate(scripts.appears(wait.value))
    elif wait.kind == "script":
        await tab.evaluate(scripts.becomes_true(wait.value), as_page=True)
    else:
        with watch.limit(SETTLE):
            while not tab.is_loaded:
                await tab.wait_for_change(math.inf)
        if wait.kind == "seconds":
            await trio.sleep(float(wait.value))


# ---- actions ---------------------------------------------------------------------------------------------------------


async def _act(tab: Tab, action: Action, watch: Stopwatch) -> None:
    """Do one thing, and wait until the page has reacted."""
    words = action.words
    if action.verb == "wait":
        await _wait(tab, parse_wait(words[0]), watch)
        return
    if action.verb == "click":
        await _click(tab, words[0], int(words[1]) if len(words) > 1 else 1, watch)
    elif action.verb == "scroll":
        await _scroll(tab, int(words[0]) if words else SCROLLS, watch)
    elif action.verb == "type":
        await tab.evaluate(scripts.appears(words[0]))
        await tab.evaluate(scripts.focus(words[0]))
        await tab.call("Input.insertText", text=words[1])
    elif action.verb == "press":
        await _press(tab, words[0])
    else:
        await tab.evaluate(words[0], as_page=True)
    await wait_until_idle(tab, watch)


async def _click(tab: Tab, selector: str, times: int, watch: Stopwatch) -> None:
    """Click an element, which must appear; more often than once while it is shown."""
    await tab.evaluate(scripts.appears(selector))
    for _ in range(times):
        place = await tab.evaluate(scripts.place_of(selector))
        if place is None:
            return
        if place:
            x, y = place
            for kind in ("mousePressed", "mouseReleased"):
                await tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        tab.active_at = trio.current_time()
        await wait_until_idle(tab, watch)


async def _scroll(tab: Tab, times: int, watch: Stopwatch) -> None:
    """Scroll to the end, repeatedly until the page no longer grows."""
    for _ in range(times):
        before = await tab.evaluate(scripts.COUNT)
        await tab.evaluate(scripts.SCROLL)
        tab.active_at = trio.current_time()
        await wait_until_idle(tab, watch)
        if await tab.evaluate(scripts.COUNT) == before:
            return


async def _press(tab: Tab, key: str) -> None:
    text = TEXTS.get(key, key if len(key) == 1 else "")
    code = CODES.get(key) or ord(key.upper())
    name = " " if key == "Space" else key
    event = {"key": name, "code": key, "windowsVirtualKeyCode": code}
    await tab.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
    await tab.call("Input.dispatchKeyEvent", type="keyUp", **event)
