"""`Sessions`: the plugin that logs in, recognises sessions that have ended, and logs in again.

Rule: one task at a time logs in to a session, and the requests of that session wait for it. A page that comes back
logged out is fetched again, and fails only if a new session does not get it either.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context, ContextVar
from hashlib import blake2b
from typing import Any, Final

import msgspec
import trio

from crawler import urls
from crawler.environment import resolve_values
from crawler.errors import ConfigError, LoggedOut, RequestError, WouldExceedDeadline
from crawler.headers import Headers
from crawler.hooks.crawl import Crawl
from crawler.hooks.plugin import Plugin
from crawler.logs import get_logger
from crawler.messages import Drop, Request, Response, Retry
from crawler.messages.checks import parse_headers
from crawler.messages.request import copy_unchecked
from crawler.redaction import add_secrets, redact, redact_values
from crawler.scope.domains import Domains
from crawler.sessions.login import Login
from crawler.sessions.logout import LogoutLinks
from crawler.settings import Settings

__all__ = ["Sessions", "session_plugins"]

REDIRECTS: Final = (301, 302, 303, 307, 308)
MAX_UNUSED: Final = 10
"""Logins in a row whose sessions end before they serve a page: more would not get any either."""
LONGEST_PAUSE: Final = 30.0
"""Most seconds between two logins of which the first was in vain: two a minute lock no account."""
log = get_logger("crawler.sessions")
logging_in: ContextVar[Session | None] = ContextVar("logging_in", default=None)
"""The session that this task logs in to: its requests need no login."""


def session_plugins(spider: Any, settings: Settings) -> list[Plugin]:
    """Return the plugins for the `login` of a spider, and for links that log out."""
    logins = _logins(spider.login)
    plugins: list[Plugin] = [Sessions(spider, logins)] if logins else []
    if settings.skip_logout or (settings.skip_logout is None and (logins or _has_cookie(settings.headers))):
        plugins.append(LogoutLinks())
    return plugins


class LoginFailed(Exception):
    """A login has failed; the text says what was seen."""


class Sessions(Plugin):
    """Logs in to the sessions that a spider declares."""

    name = "sessions"

    def __init__(self, spider: Plugin, logins: Sequence[Login]) -> None:
        self._sessions = [Session(self, spider, login) for login in logins]
        keys = [session.key for session in self._sessions]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise ConfigError(f"two logins have the session and the page {twice!r}: give each a session= of its own")
        self._nursery: trio.Nursery | None = None

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Log in from tasks of its own: a page that is cancelled interrupts no login."""
        async with trio.open_nursery() as self._nursery:
            yield
            self._nursery.cancel_scope.cancel()

    async def start(self, function: Any, *args: object) -> None:
        """Run a function that belongs to no page."""
        if self._nursery is None:  # in the lifespan of the spider
            await function(*args)
        else:
            Context().run(self._nursery.start_soon, function, *args)

    async def fetch(self, request: Request, send: Any) -> Response | Request | Retry | Drop | None:
        """Send a request in its session."""
        inside = logging_in.get()
        if inside is not None:
            return await inside.send(request, send, {})  # type: ignore[no-any-return]
        session = next((session for session in self._sessions if session.has(request)), None)
        return None if session is None else await session.fetch(request, send)


class Session:
    """One account at one site."""

    def __init__(self, owner: Sessions, spider: Plugin, login: Login) -> None:
        where = f"login at {login.url}"
        self.login = login
        self.key = f"{login.session}@{_place(login.url)}"
        self._owner = owner
        self._spider = spider
        self._values: dict[str, Any] = resolve_values(dict(login.values or {}), where)
        self._json = resolve_values(login.json, where)
        self._identity = self._digest()
        add_secrets([self._values, self._json])
        self._domains = _domains(login)
        self._fields: Mapping[str, str] | None = None  # those that the last login has given
        self._served = 0  # pages since the crawl has begun
        self._served_before = 0  # those before the last login
        self._unused = 0  # logins in a row whose sessions have ended before they served a page
        self._in_vain = 0  # logins in a row that did not help the page that asked for them
        self._not_before = 0.0
        self._done: trio.Event | None = None  # set when the login that runs has ended
        self._failed = ""

    def has(self, request: Request) -> bool:
        """Return whether a request belongs to the session."""
        is_mine = request.session == self.login.session and self._domains.match(request.url)
        return is_mine and not request.url.endswith("/robots.txt")  # which is public, and the login waits for it

    # ---- pages -------------------------------------------------------------------------------------------------------

    async def fetch(self, request: Request, send: Any) -> Any:
        """Send a request of the session. Raise `LoggedOut` if it has to be sent again."""
        if self._done is not None or not self._is_open():
            is_first = not self._is_open()
            await self._renew(self._number, request)
            if not is_first:  # those that came back logged out go first, or others would use up each session
                raise self._refusal(request, "the session has ended", renewed=True)
        number = self._number
        response = await self.send(request, send, self._fields or {})
        if not isinstance(response, Response):
            return response
        why = self._shows_logged_out(request, response)
        if not why:
            self._served += 1
            return response
        is_known = self._number != number or self._done is not None  # another page has noticed it before
        if self._number == number:
            if not is_known and self._owner.crawl.clock() < self._not_before:
                raise self._put_off(self._not_before, request)
            if not await self._renew(number, request):
                raise self._refusal(request, f"{why}, although the login at {self.login.url} succeeds")
        raise self._refusal(request, why, again=True, renewed=is_known)

    async def send(self, request: Request, send: Any, fields: Mapping[str, str]) -> Any:
        """Send a request by the proxy of the session, with its header fields. Its response belongs to the original."""
        changes: dict[str, Any] = {}
        if self.login.proxy is not None and request.proxy is None:
            changes["proxy"] = self.login.proxy
        if added := [pair for pair in fields.items() if pair[0].lower() not in request.headers]:
            changes["headers"] = Headers((*request.headers.pairs, *added))
        if not changes:
            return await send(request)
        response = await send(copy_unchecked(request, **changes))
        if isinstance(response, Response):
            response.request = request  # the secrets of the session are stored with no request that follows
        return response

    def _put_off(self, at: float, request: Request) -> WouldExceedDeadline:
        scope = self.login.session or urls.host(self.login.url)
        return WouldExceedDeadline(f"{self._shown} has not succeeded", retry_at=at, scope=scope, request=request)

    def _refusal(self, request: Request, why: str, *, again: bool = False, renewed: bool = False) -> LoggedOut:
        error = LoggedOut(f"{request.shown_url} came back logged out: {why}", request=request)
        error.retryable, error.renewed = again, renewed
        return error

    def _shows_logged_out(self, request: Request, response: Response) -> str:
        """Return what shows that a page came back logged out; empty if nothing does."""
        places = self._places
        if _place(request.url) in places:
            return ""
        if response.status in REDIRECTS:
            target = urls.join(request.url, response.headers.get("location", ""))
            if target is not None and _place(target) in places:
                return f"a redirect to {target.partition('?')[0]}"
        return f"status {response.status}" if self.login.expired(response) else ""

    # ---- login -------------------------------------------------------------------------------------------------------

    async def _renew(self, number: int, request: Request) -> bool:
        """Log in, unless that was done since `number`. Return `False` if the new session does not get a page either.

        It is put off without end if the login has failed: the crawl ends, and its job may be resumed.
        """
        helped = True
        if self._done is None and self._number == number and not self._failed:
            done = self._done = trio.Event()
            found: list[bool] = []
            await self._owner.start(self._run, request, done, found)
            await done.wait()
            helped = found != [False]
        elif self._done is not None:
            await self._done.wait()
        if self._failed or self._number == number:
            raise self._put_off(self._owner.crawl.clock(), request)
        return helped

    async def _run(self, request: Request, done: trio.Event, found: list[bool]) -> None:
        """Log in, and look whether that helps the page that asks for it."""
        was_open, token = self._is_open(), logging_in.set(self)
        try:
            places = await self._log_in()
            known = self._kept()
            kept = {"login": self._identity, "places": sorted({*known.get("places", ()), *places})}
            self._owner.state[self.key] = {**kept, "number": known.get("number", 0) + 1}
            if was_open:
                found.append(await self._helps(request))
        except WouldExceedDeadline:  # the crawl ends, or this worker is about to
            log.debug("%s has to wait", self._shown)
        except Exception as error:
            is_told = isinstance(error, (LoginFailed, RequestError, ValueError))  # the text says it all
            self._fail(str(error) if is_told else f"{type(error).__name__}: {error}", None if is_told else error)
        finally:
            logging_in.reset(token)
            self._done = None
            done.set()

    async def _helps(self, request: Request) -> bool:
        """Return whether the new session gets the page that came back logged out."""
        if request.method != "GET":
            return True
        crawl = self._owner.crawl
        try:
            response = await crawl.fetch(copy_unchecked(request, accept_status=REDIRECTS))
        except RequestError:
            return True  # its next attempt will say
        why = self._shows_logged_out(request, response)
        if not why:
            self._unused = 0 if self._served > self._served_before else self._unused + 1
            self._served_before = self._served
        if self._unused == MAX_UNUSED:
            raise LoginFailed(f"the last {MAX_UNUSED} sessions have ended before they served a page")
        self._in_vain = self._in_vain + 1 if why else 0
        self._not_before = crawl.clock() + min(2.0**self._in_vain, LONGEST_PAUSE) if why else 0.0
        if why and not self._served:
            raise LoginFailed(f"it seems to succeed, but {request.shown_url} comes back logged out ({why})")
        return not why

    async def _log_in(self) -> set[str]:
        """Log in, and return where the login page is. Raise `LoginFailed` if it is refused."""
        login, crawl, places = self.login, self._owner.crawl, {_place(self.login.url)}
        log.debug("logging in at %s", login.url)
        options: dict[str, Any] = {"session": login.session, "ignore_robots": True}  # its user has named it
        response: object
        if isinstance(login.how, Request):
            response = await crawl.fetch(copy_unchecked(login.how, **options))
        elif not isinstance(login.how, str):
            response = await self._steps()(login.session)
        elif login.values is None:
            response = await crawl.fetch(Request(login.how, method="POST", json=self._json, **options))
        else:
            had_cookies = bool(crawl.cookies.matching(login.url, session=login.session))
            page = await crawl.fetch(Request(login.how, **options))
            if page.status >= 400:
                raise LoginFailed(f"status {page.status} for the login page")
            if page.redirects and had_cookies and not self._has_form(page):
                return places  # the session is still logged in
            places.add(_place(page.url))
            response = await crawl.fetch(page.form(fields=self._values).submit(self._values, **options))
        if isinstance(response, Response):
            if seen := self._refused_by(response):
                raise LoginFailed(seen)
            if login.headers is not None:
                self._fields = dict(parse_headers(login.headers(response)).pairs)
                add_secrets(self._fields)
        elif response is False:
            raise LoginFailed("the method of the spider returned False")
        return places

    def _steps(self) -> Any:
        """Return the method that logs in, bound to the spider: in the body of a class it is a function."""
        how: Any = self.login.how
        own = getattr(self._spider, _name(how), None)
        return own if getattr(own, "__func__", None) is how else how

    def _refused_by(self, response: Response) -> str:
        """Return what shows that a login has failed; empty if nothing does."""
        at = f"status {response.status} at {response.url}"
        if self.login.check is not None:
            return "" if self.login.check(response) else f"check= does not hold ({at})"
        if response.status >= 400:
            return at
        return f"the login form again ({at})" if self._values and self._has_form(response) else ""

    def _has_form(self, response: Response) -> bool:
        try:
            response.form(fields=self._values)
        except ValueError:
            return False
        return True

    def _fail(self, seen: str, error: BaseException | None) -> None:
        """End the crawl. Its pages wait for the next run of a job."""
        self._failed = seen
        crawl, more = self._owner.crawl, ""
        if crawl.job.durable:
            more = "; the same command continues the job"
        self._owner.state.pop(self.key, None)
        crawl.stats.samples["login_failed"] = [redact(f"{self._shown} has failed: {seen}{more}")]  # for the losses
        if error is not None:
            log.error("%s has failed: %s", self._shown, seen, exc_info=error)
        crawl.stop("login_failed")

    # ---- what a job keeps --------------------------------------------------------------------------------------------

    def _kept(self) -> Mapping[str, Any]:
        """Return what is kept of the session. Its cookies are kept with those of the crawl."""
        found: Mapping[str, Any] = self._owner.state.values_now.get(self.key, {})
        return found if found.get("login") == self._identity else {}

    @property
    def _number(self) -> int:
        """The number of logins so far, those of other workers included."""
        number: int = self._kept().get("number", 0)
        return number

    @property
    def _places(self) -> set[str]:
        return {_place(self.login.url), *self._kept().get("places", ())}

    def _is_open(self) -> bool:
        return bool(self._kept()) and (self.login.headers is None or self._fields is not None)

    def _digest(self) -> str:
        """Return a digest of the login without its secrets: of another account, the session is another one."""
        how = self.login.how
        written = how.url if isinstance(how, Request) else how if isinstance(how, str) else _name(how)
        values = [self._values, self._json, written]
        return blake2b(msgspec.json.encode(redact_values(values), order="sorted"), digest_size=8).hexdigest()

    @property
    def _shown(self) -> str:
        session = f" (session {self.login.session!r})" if self.login.session else ""
        return f"the login at {self.login.url}{session}"


def _place(url: str) -> str:
    """Return host, port and path of a URL: a login page has a query that says where to go next."""
    return url.partition("?")[0].partition("://")[2].rstrip("/")


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _domains(login: Login) -> Domains:
    if login.domains is not None:
        return Domains(login.domains)
    host = urls.host(login.url)
    try:
        return Domains([f"~{host}"])
    except ConfigError:  # a single label
        return Domains([host])


def _logins(given: Any) -> list[Login]:
    """Return the logins of a spider. Something else of that name, such as a callback, is its own affair."""
    if isinstance(given, Login):
        return [given]
    if isinstance(given, str) and "://" in given:
        raise ConfigError('login must be a Login, as in Login("https://site.example/login", {"user": …}), not a URL')
    if not isinstance(given, (list, tuple)) or not any(isinstance(one, Login) for one in given):
        return []
    if not all(isinstance(one, Login) for one in given):
        raise ConfigError(f"login must be a Login or a list of them, not {given!r}")
    return list(given)


def _has_cookie(headers: Mapping[str, Any]) -> bool:
    return any(_has_cookie(value) if isinstance(value, Mapping) else name.lower() == "cookie" and bool(value)
               for name, value in headers.items())  # fmt: skip
