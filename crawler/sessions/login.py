"""`Login`: how a spider logs in, and how it sees that this has failed or that a session has ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from crawler import urls
from crawler.lazy_pattern import lazy_pattern
from crawler.messages import Request, Response
from crawler.messages.checks import parse_proxy, parse_statuses, require_text
from crawler.redaction import redact

__all__ = ["Check", "Login"]

Check: TypeAlias = "Callable[[Response], object] | int | Iterable[int] | str"
"""A condition on a response: a function, a status or several, or a CSS selector of which an element must be there."""
Steps: TypeAlias = Callable[..., Awaitable[object]]
REFERENCE: Final = lazy_pattern(rb"\benv(?::|%3A)\w")
"""A reference to the environment in the body of a request, where none is read."""


class Login:
    """How a spider logs in to a site. The crawl does it before the first page that needs it, and whenever it has to.

    ::

        class Orders(Spider):
            start_urls = ["https://club.example/orders"]
            login = Login("https://club.example/login", {"user": "ada", "password": "env:CLUB_PASSWORD"})

    Several accounts are a list: ``login = [Login(…, session="ada"), Login(…, session="bob")]``. Requests with
    ``session="ada"`` belong to the first of them.

    Parameters:
        how: The URL of the page with the login form; a `Request` that logs in, such as one to a JSON API; or, for a
            login of several steps, a method of the spider: an ``async def`` that gets the name of the session, fetches
            with ``self.crawl.fetch(Request(…, session=session))``, and returns the last response, or `False` if the
            login has failed.
        values: Values of the form by name, as `Form.submit` takes them. ``env:NAME`` stands for the value of an
            environment variable. Hidden fields, such as CSRF tokens, keep the values of the page.
        json: A value to be sent to the URL as JSON by POST, instead of a form. ``env:NAME`` works here, too.
        url: The page to which the site redirects visitors. Default: the URL of `how`; a method needs it.
        check: What shows that the login has succeeded, in the page that it leads to: a CSS selector of which an element
            must be there, a status or several, or a function of the `Response`. Default: the response is no error and
            has not the login form again.
        expired: What shows that a page came back logged out, beside a redirect to the login page: a status or several,
            a CSS selector, or a function of the `Response`, as the server sent it. Default: status 401.
        session: Name of the cookie session, as in `Request`.
        domains: Hosts whose pages need the login, written as `Spider.allowed_domains`. Default: the host of the login
            page and all hosts of its registrable domain.
        proxy: The proxy of all requests of the session; see `Request`.
        headers: A function of the response of the login that returns header fields for the requests of the session,
            such as ``lambda r: {"Authorization": f"Bearer {r.json()['token']}"}``. They are kept in memory only.

    Raises:
        ValueError: A URL, a status or a proxy is invalid, or `url` is missing.
        TypeError: An argument has the wrong type.
    """

    def __init__(
        self,
        how: str | Request | Steps,
        values: Mapping[str, Any] | None = None,
        *,
        json: Any = None,
        url: str | None = None,
        check: Check | None = None,
        expired: Check = 401,
        session: str = "",
        domains: Sequence[str] | None = None,
        proxy: str | None = None,
        headers: Callable[[Response], Mapping[str, str]] | None = None,
    ) -> None:
        if not (isinstance(how, (str, Request)) or callable(how)):
            raise TypeError(f"Login() takes a URL, a Request or a method of the spider, not {how!r}")
        if isinstance(how, str) and (values is None) == (json is None):
            raise TypeError("Login(URL) takes the values of the form, or json=")
        if not isinstance(how, str) and (values is not None or json is not None):
            raise TypeError("values and json= belong to the URL of a login page: a Request or method has its own")
        if isinstance(how, Request) and REFERENCE.search(how.body):
            raise ValueError("env:NAME is not read in a Request: write Login(URL, json={…}), or read os.environ")
        if values is not None and not isinstance(values, Mapping):
            raise TypeError(f"the values of a Login are a mapping of names to values, not {type(values).__name__}")
        if headers is not None and not callable(headers):
            raise TypeError("headers of a Login is a function of the response: lambda response: {…}")
        address = url or (how if isinstance(how, str) else how.url if isinstance(how, Request) else None)
        if address is None:
            raise ValueError("Login(method) needs url=, the login page to which the site redirects visitors")
        self.how = how
        self.values = values
        self.json = json
        self.url = urls.normalize(address)
        self.check = None if check is None else _condition("check", check)
        self.expired = _condition("expired", expired)
        self.session = require_text("session", session) if session else ""
        self.domains = domains
        self.proxy = parse_proxy(proxy) if proxy else None
        self.headers = headers

    def __repr__(self) -> str:
        return f"Login({redact(self.url)!r}{f', session={self.session!r}' if self.session else ''})"


def _condition(name: str, given: Check) -> Callable[[Response], object]:
    """Return a condition as a function of the response."""
    if callable(given):
        return given
    if isinstance(given, str):
        return lambda response: response.is_html and response.css(given).get() is not None
    if isinstance(given, (int, Iterable)):
        statuses = parse_statuses((given,) if isinstance(given, int) else given)
        return lambda response: response.status in statuses
    raise TypeError(f"{name} of a Login is a function, a status or several, or a CSS selector, not {given!r}")
