"""`CookieSync`: the cookies of the crawl in a browser, and those that scripts have set in the crawl."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from crawler import Crawl
from crawler_plugins.browser.tab import Tab

__all__ = ["CookieSync", "Key", "Known"]

Key = tuple[str, str, str]
"""Domain, path and name, which identify a cookie."""
Known = Mapping[Key, str]
"""The values of cookies."""
EXPIRED: Final = "Max-Age=0"


class CookieSync:
    """Carries the cookies of one page into a tab and back.

    Parameters:
        crawl: The crawl.
        tab: The tab.
        session: The session of the page.
        url: The URL of the page.
    """

    def __init__(self, crawl: Crawl, tab: Tab, session: str, url: str) -> None:
        self._crawl = crawl
        self._tab = tab
        self._session = session
        self._url = url
        self._before: Known = {}

    async def push(self) -> None:
        """Set the cookies that the crawl has for the page in the browser.

        Raises:
            CommandFailed: The browser is gone.
        """
        cookies = self._crawl.cookies.matching(self._url, session=self._session)
        self._before = {(cookie.domain, cookie.path, cookie.name): cookie.value for cookie in cookies}
        if cookies:
            scheme = self._url.partition(":")[0]
            given = [
                {
                    "name": cookie.name,
                    "value": cookie.value,
                    "url": f"{scheme}://{cookie.domain}{cookie.path}",
                    "path": cookie.path,
                    "secure": cookie.secure,
                    "httpOnly": cookie.http_only,
                    **({} if cookie.host_only else {"domain": cookie.domain}),
                    **({} if cookie.expires is None else {"expires": cookie.expires}),
                }
                for cookie in cookies
            ]
            for cookie in given:  # one by one, since an invalid one fails all
                self._tab.connection.post("Storage.setCookies", cookies=[cookie], browserContextId=self._tab.context)
            await self._tab.connection.call("Storage.getCookies", browserContextId=self._tab.context)

    async def pull(self, url: str) -> None:
        """Store the cookies that the page has set, and forget those that it has deleted.

        What a server has set meanwhile wins: the crawl knows that already.

        Parameters:
            url: Where the page is now.

        Raises:
            CommandFailed: The browser is gone.
        """
        found = (await self._tab.call("Network.getCookies", urls=[url]))["cookies"]
        after = {(cookie["domain"].lstrip("."), cookie["path"], cookie["name"]): cookie for cookie in found}
        kept = {
            (cookie.domain, cookie.path, cookie.name): cookie.value
            for cookie in self._crawl.cookies.matching(url, session=self._session)
        }
        fields = []
        for key, cookie in after.items():
            before = self._before.get(key)
            if cookie["value"] not in (before, kept.get(key)) and kept.get(key) == before:
                fields.append(set_cookie(cookie, self._crawl.clock()))
        if url == self._url:
            for key in self._before.keys() - after.keys():
                if kept.get(key) == self._before[key]:
                    domain, path, name = key
                    fields += [f"{name}=; Path={path}; {EXPIRED}", f"{name}=; Domain={domain}; Path={path}; {EXPIRED}"]
        for field in fields:
            self._crawl.cookies.set(url, field, session=self._session)


def set_cookie(cookie: Mapping[str, Any], now: float) -> str:
    """Return a cookie of a browser as the value of a ``Set-Cookie`` field.

    Parameters:
        cookie: As ``Network.getCookies`` has it.
        now: Seconds since the epoch.
    """
    parts = [f"{cookie['name']}={cookie['value']}", f"Path={cookie['path']}"]
    if cookie["domain"].startswith("."):
        parts.append(f"Domain={cookie['domain'][1:]}")
    if cookie.get("expires", -1) >= 0:
        parts.append(f"Max-Age={max(0, int(cookie['expires'] - now))}")
    parts += [word for word, name in (("Secure", "secure"), ("HttpOnly", "httpOnly")) if cookie.get(name)]
    return "; ".join(parts)
