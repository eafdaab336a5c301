"""`Club`: a site for members whose sessions end, in memory."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import httpx

from crawler import Login, Produced, Response, Settings, Spider
from crawler.testing import FakeSite, Page

__all__ = ["FORM", "ORDERS", "Club", "Members"]

ORDERS = 36
HOST = "https://club.test"
FORM = (
    "<form action=/find><input name=q></form><form action=/join method=post><input name=user><input name=password"
    " type=password><input name=again type=password></form><form action=/enter method=post><input type=hidden name=csrf"
    " value={}><input name=user><input name=password type=password></form>"
)


class Club:
    """A list of orders, each on a page of its own, for members only.

    Parameters:
        lasts: Pages of one session before it ends.
        users: Passwords by user.
        again: Whether a wrong password gets the login form again, with status 200, instead of a 403.
        expired: The response to a page without a session. Default: a redirect to the login page.
        forbidden: Numbers of orders that no member gets.
        delay: Seconds that each page takes.
    """

    def __init__(
        self,
        *,
        lasts: int = 10**9,
        users: Mapping[str, str] | None = None,
        again: bool = False,
        expired: Page | None = None,
        forbidden: frozenset[int] = frozenset(),
        delay: float = 0.05,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.lasts = lasts
        self.users = dict(users or {"ada": "engine 1"})
        self.again = again
        self.expired = expired
        self.forbidden = forbidden
        self.delay = delay
        self.logins: Counter[str] = Counter()
        """Successful logins by user."""
        self.refused = 0
        """Logins with a wrong password or token."""
        self.sessions: dict[str, list[Any]] = {}
        self._numbers = itertools.count(1)
        self._tokens: set[str] = set()
        links = "".join(f"<a href=/order/{n}>order {n}</a>" for n in range(ORDERS))
        pages: dict[str, Any] = {
            "/login": self._form,
            "/enter": self._enter,
            "/logout": self._leave,
            "/orders": self._member(lambda user: f"<a href=/logout>x</a><a href=/out>Sign out</a>{links}"),
            "/out": self._leave,
            **{f"/order/{n}": self._member(self._order(n), n) for n in range(ORDERS)},
        }
        self.site = FakeSite(pages | dict(extra or {}), host=HOST)

    def _form(self, request: httpx.Request) -> Page:
        token = f"t{next(self._numbers)}"
        self._tokens.add(token)
        return Page(FORM.format(token), delay=self.delay)

    def _enter(self, request: httpx.Request) -> Page:
        form = {name: value for name, [value] in parse_qs(request.content.decode()).items()}
        user, token = form.get("user", ""), form.get("csrf", "")
        if token not in self._tokens or self.users.get(user) != form.get("password"):
            self.refused += 1
            return self._form(request) if self.again else Page("wrong password", 403)
        self._tokens.discard(token)
        self.logins[user] += 1
        session = f"{user}{next(self._numbers)}"
        self.sessions[session] = [user, self.lasts]
        field = {"Location": "/home", "Set-Cookie": f"id={session}; Path=/; HttpOnly"}
        return Page("", 303, headers=field, delay=self.delay)

    def _leave(self, request: httpx.Request) -> Page:
        self.sessions.pop(_cookie(request), None)
        return Page("bye")

    def _order(self, number: int) -> Any:
        return lambda user: f"<h1>{number}</h1><p>{user}</p><a href=/orders>all</a><a href=/logout>bye</a>"

    def _member(self, page: Any, number: int = -1) -> Any:
        def answer(request: httpx.Request) -> Page:
            session = self.sessions.get(_cookie(request))
            if session is None or session[1] <= 0 or number in self.forbidden:
                to = f"/login?next={request.url.path}"
                return self.expired or Page("", 302, headers={"Location": to}, delay=self.delay)
            session[1] -= 1
            return Page(page(session[0]), delay=self.delay)

        return answer


def _cookie(request: httpx.Request) -> str:
    field: str = request.headers.get("cookie", "")
    return field.removeprefix("id=")


class Members(Spider):
    """Yields an item for each order."""

    name = "members"
    start_urls = [f"{HOST}/orders"]
    settings = Settings(obey_robots=False)
    login: Any = Login(f"{HOST}/login", {"user": "ada", "password": "engine 1"})

    def parse(self, response: Response) -> Produced:
        if response.css("h1"):
            yield {"order": int(response.css("h1::text").get() or ""), "user": response.css("p::text").get()}
        yield from response.follow_all()
