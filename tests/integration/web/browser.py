"""A browser without a window: Chromium, by the WebDriver protocol of its chromedriver."""

from __future__ import annotations

import base64
import contextlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

__all__ = ["Browser", "browser"]

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element in JSON (WebDriver, section 12)."""
PATIENCE = 20.0
"""Seconds for which a condition is waited for."""


class Browser:
    """One session of a browser.

    Parameters:
        client: Speaks to chromedriver.
        session: The path of the session.
    """

    def __init__(self, client: httpx.Client, session: str) -> None:
        self._client = client
        self._session = session

    def call(self, method: str, path: str, **values: Any) -> Any:
        """Send a command, and return its value."""
        body = values if method == "POST" else None
        response = self._client.request(method, f"{self._session}/{path}", json=body)
        value = response.json()["value"]
        if response.status_code != 200:
            raise RuntimeError(f"{path}: {value['error']}: {value['message']}")
        return value

    def open(self, url: str) -> None:
        """Load a page."""
        self.call("POST", "url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page, and return what it returns."""
        return self.call("POST", "execute/sync", script=script, args=list(arguments))

    def run_async(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page that calls its last argument with the result."""
        return self.call("POST", "execute/async", script=script, args=list(arguments))

    def text(self, selector: str = "body") -> str:
        """Return the visible text of an element; empty if there is none."""
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def click(self, selector: str) -> None:
        """Click an element, as a person does: it must be visible."""
        found = self.call("POST", "element", using="css selector", value=selector)
        self.call("POST", f"element/{found[ELEMENT]}/click")

    def type(self, selector: str, text: str) -> None:
        """Type into an element."""
        found = self.call("POST", "element", using="css selector", value=selector)
        self.call("POST", f"element/{found[ELEMENT]}/value", text=text)

    def wait(self, condition: Callable[[], object], what: str) -> Any:
        """Wait until a condition is true, and return its value."""
        until = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(RuntimeError):  # an element was replaced meanwhile
                if found := condition():
                    return found
            if time.monotonic() > until:
                raise TimeoutError(f"{what}: {self.text()[:2000]}")
            time.sleep(0.05)

    def wait_for_text(self, text: str, selector: str = "body") -> None:
        """Wait until an element has a text."""
        self.wait(lambda: text in self.text(selector), f"no {text!r} in {selector}")

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page, in CSS pixels, as a device has it."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("POST", "goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=metrics)

    def prefer(self, scheme: str) -> None:
        """Prefer ``light`` or ``dark``."""
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.call("POST", "goog/cdp/execute", cmd="Emulation.setEmulatedMedia", params=media)

    def screenshot(self) -> bytes:
        """Return what the page looks like, as PNG."""
        return base64.b64decode(self.call("GET", "screenshot"))


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser with a profile of its own, and close it at the end.

    Raises:
        FileNotFoundError: chromium or chromedriver is not installed.
    """
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            raise FileNotFoundError(f"{program} is not installed: apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory() as profile:
        driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        try:
            assert driver.stdout is not None
            port = next(found[1] for line in driver.stdout if (found := re.search(r"successfully on port (\d+)", line)))
            arguments = [
                "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                f"--user-data-dir={profile}",
            ]  # fmt: skip
            options = {
                "browserName": "chrome",
                "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": arguments},
            }
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
                made = client.post("/session", json={"capabilities": {"alwaysMatch": options}}).json()["value"]
                if "sessionId" not in made:
                    raise RuntimeError(made["message"])
                session = f"/session/{made['sessionId']}"
                try:
                    yield Browser(client, session)
                finally:
                    client.delete(session)
        finally:
            driver.terminate()
            driver.wait()
            driver.stdout.close()
