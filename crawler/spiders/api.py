"""`ApiSpider`: the items of a paginated API."""

from __future__ import annotations

import functools
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import attrs

from crawler import urls
from crawler.environment import resolve
from crawler.errors import ConfigError
from crawler.hooks.crawl import Crawl
from crawler.logs import get_logger
from crawler.messages import Produced, Request, Response
from crawler.messages.encoding import encode_params
from crawler.messages.request import copy_unchecked
from crawler.records.json_path import compile_path, get_path, parse_keys
from crawler.spiders.api_credentials import ApiCredentials, parse_credentials
from crawler.spiders.arguments import check_argument_types, check_start_urls
from crawler.spiders.callback_results import map_callback
from crawler.spiders.paging import PARAMETERS, PageContent, Paging, Position, parse_next, with_query
from crawler.spiders.spider import Spider

__all__ = ["ApiSpider", "IdempotentPosts"]


class IdempotentPosts:
    """A `RetryPolicy` that also retries the POST requests of one callback.

    By default a POST is not repeated (RFC 9110 section 9.2.2), but one that asks for a page of a list is a read.
    """

    def __init__(self, policy: Any, callback: str) -> None:
        self._policy = policy
        self._callback = callback

    def _as_read(self, request: Request) -> Request:
        return copy_unchecked(request, method="GET") if request.callback == self._callback else request

    def goes_back(self, request: Request, error: Any, refusals: int) -> bool:
        """See `RetryPolicy.goes_back`."""
        back: bool = self._policy.goes_back(self._as_read(request), error, refusals)
        return back

    def wait(self, request: Request, attempts: int, error: Any) -> float | None:
        """See `RetryPolicy.wait`."""
        seconds: float | None = self._policy.wait(self._as_read(request), attempts, error)
        return seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)


log = get_logger("crawler.spiders")


@attrs.frozen
class _Plan:
    """The parsed arguments."""

    paging: Paging
    items: Any
    param: str
    credentials: ApiCredentials


class ApiSpider(Spider):
    r"""Reads the items of a paginated JSON or GraphQL API.

    Each page is a request, so a durable job resumes between pages::

        python -m crawler run crawler.spiders.api:ApiSpider -a url=https://api.example/users -a items=data \\
            -a next=cursor:meta.next -o users.jsonl

    Paths in a page are dotted (``data.items``), or JMESPath expressions with the extra ``jmespath``. Values of `token`,
    `user`, `headers` and `params` may be ``env:NAME``, which means the value of that environment variable. `token`,
    `user` and `headers` are sent to the origins of the start URLs only, and values from the environment are not stored
    in the job; `params` are part of the URLs.

    Raises:
        ConfigError: An argument is invalid, or arguments contradict each other.
    """

    secret_arguments = frozenset({"user"})

    url: str = ""
    """URL of the first page, instead of `start_urls`."""
    items: str = ""
    """Path of the items in a page; empty if the page is a list of them."""
    next: str = ""
    """How the next page is found.

    ``page`` or ``offset`` counts; ``cursor:PATH`` and ``url:PATH`` read it from the page; ``link`` reads ``Link:
    rel=next`` (RFC 8288). ``graphql`` or ``graphql:PATH`` reads it from ``pageInfo``. Default: ``graphql`` with a
    `query`, else ``link``."""
    param: str = ""
    """Name of the parameter for page number, offset or cursor. Default: ``page``, ``offset``, ``cursor`` or
    ``after``."""
    first: int | None = None
    """Number of the first page (default 1), or first offset (default 0)."""
    size: int = 0
    """Number of items to request per page; 0 means the default of the server."""
    size_param: str = "limit"
    """Name of the parameter for `size`."""
    total: str = ""
    """Path of the total number of items. It saves the request after the last page."""
    more: str = ""
    """Path of the value that says whether there are more pages."""
    until: Literal["short", "empty"] = "short"
    """With ``page`` and ``offset``, the last page is one with fewer items than the first (``short``), or without any
    (``empty``)."""
    parallel: bool = False
    """With ``page`` and ``offset``, whether to request all pages at once, after the first one has given the `total`."""
    max_pages: int | None = None
    """Maximum number of pages per start URL; `None` means no limit."""
    params: dict[str, str] = {}  # noqa: RUF012 - never changed
    """Parameters to add to the start URLs."""
    body: dict[str, Any] | None = None
    """A JSON object to send by POST. Paging parameters become part of it, instead of the URL."""
    query: str = ""
    """A GraphQL query. Its variables are `variables`, the cursor, and the size if there is one."""
    variables: dict[str, Any] = {}  # noqa: RUF012 - never changed
    """Variables of the `query`."""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    """Header fields for the API."""
    token: str = ""
    """A bearer token (RFC 6750)."""
    user: str = ""
    """``user:password`` (RFC 7617)."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        check_argument_types(self, ApiSpider)
        if self.url:
            self.start_urls = [self.url]
        if self.start_urls:
            check_start_urls(self)
        self._build_plan()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Check the arguments again, since a subclass may have set some after `__init__`."""
        _ = self._plan
        if self.query or self.body is not None:
            crawl.control.retries = IdempotentPosts(crawl.control.retries, "parse_page")
        if type(self).start is ApiSpider.start:
            check_start_urls(self)
        yield

    def start(self) -> Iterator[Request]:
        """Yield a request for the first page of each start URL."""
        for url in self.start_urls:
            yield self.page_request(url, self._plan.paging.start())

    def page_request(self, url: str, position: Position) -> Request:
        """Return the request for a page.

        Parameters:
            url: The start URL; if pages are found by URL, only the first page is there.
            position: The position of the page.
        """
        plan = self._plan
        paged = {} if position.value is None or not plan.param else {plan.param: position.value}
        if self.size:
            paged[self.size_param] = self.size
        arguments = {"url": url, "position": position}
        if plan.paging.kind in ("link", "url") and position.value is not None:
            target, body = str(position.value), self._body({})
        else:
            extra: dict[str, Any] = {name: resolve(value, f"params: {name}") for name, value in self.params.items()}
            body = self._body(paged)
            target = with_query(urls.normalize(url), extra if body is not None else extra | paged)
        method = "GET" if body is None else "POST"
        return Request(target, self.parse_page, method=method, json=body, cb_kwargs=arguments)

    def parse_item(self, item: Any, response: Response) -> Produced:
        """Handle one item of a page: return or yield items and requests, in any form of a callback.

        By default the item is returned; one that is not an object becomes ``{"value": ...}``.

        Parameters:
            item: A JSON value.
            response: The page.
        """
        return item if isinstance(item, dict) else {"value": item}

    def parse_page(self, response: Response, position: Position, url: str) -> Produced:
        """Handle a page: request the next one, and call `parse_item` for each item.

        Parameters:
            response: The page.
            position: The position of the page.
            url: The start URL.

        Raises:
            ValueError: The page is not JSON, has no list of items, reports errors, or names no valid next page.
        """
        paging = self._plan.paging
        page = self._content(response)
        if paging.is_repeat(page, position):
            self._repeated(f"page {position.number} of {url} repeats the items of the previous page")
            return None
        if position.number == 1 and (missing := paging.missing(page)):
            log.warning("%s: no value at the path of %s: %s", response.url, missing, getattr(self, missing))
        at_once = self.parallel and position.number == 1
        following = paging.remaining(page) if at_once else self._next(page, position, url)
        requests = (self.page_request(url, each) for each in following)
        items = map_callback(self.parse_item, page.items, response)
        if isinstance(items, Iterable):
            return itertools.chain(requests, items)
        for request in requests:
            self.crawl.add(request)
        return items

    async def fetch(self, request: Request, send: Any) -> Response | None:
        """Add the credentials if the request goes to the API itself."""
        opened = self._plan.credentials.with_credentials(request)
        if opened is None:
            return None
        answer: Response = await send(opened)
        if isinstance(answer, Response):
            answer.request = request  # a redirect to another origin goes without them
        return answer

    def _next(self, page: PageContent, position: Position, url: str) -> list[Position]:
        try:
            following = self._plan.paging.next_positions(page, position)
        except ValueError as error:
            raise ValueError(f"{page.url}: {error}") from None
        if following and following[0].value == position.value:
            self._repeated(f"page {position.number} of {url} names itself as its next page")
            return []
        return following

    def _repeated(self, what: str) -> None:
        log.warning("%s: paging ends there", what)
        self.crawl.count("repeated pages")

    def _content(self, response: Response) -> PageContent:
        """Return the content of a page."""
        body = response.json()
        if self.query and isinstance(body, dict) and body.get("errors"):
            raise ValueError(f"{response.url} responded with errors: {_messages(body['errors'])}")
        items = self._plan.items(body)
        if items is None:  # null, or an expression without a result, is an empty page; a missing key is an error
            *way, last = parse_keys(self.items) or ("",)
            holder = get_path(body, way)
            items = [] if parse_keys(self.items) is None or (isinstance(holder, dict) and last in holder) else None
        if not isinstance(items, list):
            where = f"at {self.items}" if self.items else "as the page"
            hint = "; name the path to them (items=...)" if isinstance(items, dict) and not self.items else ""
            what = f"expected a list of items {where}, found {_kind(items)}{hint}"
            raise ValueError(f"{response.url}: {what}")  # noqa: TRY004 - the server sent it
        following = (link.target for link in response.link_header if "next" in link.rel and link.anchor is None)
        return PageContent(body, items, response.url, next(following, None))

    def _body(self, paged: dict[str, Any]) -> dict[str, Any] | None:
        if self.query:
            return {"query": self.query, "variables": self.variables | paged}
        return None if self.body is None else self.body | paged

    @functools.cached_property
    def _plan(self) -> _Plan:
        """The arguments at the time of the first request."""
        return self._build_plan()

    def _build_plan(self) -> _Plan:
        check_argument_types(self, ApiSpider)
        name = f"{type(self).__name__}: argument"
        try:
            kind, path = parse_next(self.next or ("graphql" if self.query else "link"))
        except ValueError as error:
            raise ConfigError(f"{name} next: {error}") from None
        self._check(kind, name)
        where, more = path, self.more
        if kind == "graphql":
            if not path and parse_keys(self.items) is None:
                raise ConfigError(f"{name} next: name the path of pageInfo, as in graphql:data.users.pageInfo")
            info = path or f"{self.items.rpartition('.')[0]}.pageInfo".removeprefix(".")
            where, more = f"{info}.endCursor", self.more or f"{info}.hasNextPage"
        found = {
            argument: _place(text, f"{name} {argument}")
            for argument, text in (("next", where), ("more", more), ("total", self.total))
            if text
        }
        counted = kind in ("page", "offset")
        first = self.first if self.first is not None else int(kind == "page")
        paging = Paging(
            kind=kind, where=found.get("next"), more=found.get("more"), total=found.get("total"), first=first,
            until=self.until if counted else "empty", max_pages=self.max_pages,
        )  # fmt: skip
        return _Plan(
            paging,
            _place(self.items, f"{name} items"),
            self.param or PARAMETERS.get(kind, ""),
            parse_credentials(
                frozenset(urls.origin(urls.normalize(url)) for url in self.start_urls),
                headers=self.headers,
                token=self.token,
                user=self.user,
                where=name,
            ),
        )

    def _check(self, kind: str, name: str) -> None:
        """Check that the arguments fit together."""
        if kind == "graphql" and not (self.query and self.items):
            raise ConfigError(f"{name} {'items' if self.query else 'query'}: required by graphql")
        if self.query and self.body is not None:
            raise ConfigError(f"{name} body: cannot be combined with query")
        if self.parallel and kind not in ("page", "offset"):
            raise ConfigError(f"{name} parallel: only possible with next=page and next=offset")
        if self.parallel and not self.total:
            raise ConfigError(f"{name} parallel: requires total=, the path of the total number of items")
        for argument, least in (("size", 0), ("max_pages", 1), ("first", 0)):
            value = getattr(self, argument)
            if value is not None and value < least:
                raise ConfigError(f"{name} {argument}: must be at least {least}, not {value}")
        if self.size and not self.size_param:
            raise ConfigError(f"{name} size_param: must not be empty")
        try:
            encode_params({key: resolve(value, f"{name} params") for key, value in self.params.items()})
        except TypeError as error:
            raise ConfigError(f"{name} params: {error}") from None


def _place(path: str, where: str) -> Any:
    try:
        return compile_path(path)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def _kind(value: Any) -> str:
    names = {type(None): "nothing", dict: "an object", str: "a string", bool: "a boolean"}
    return names.get(type(value), "a number")


def _messages(errors: Any) -> str:
    """Return the messages of a GraphQL response with errors (GraphQL specification section 7.1.2)."""
    several = errors if isinstance(errors, list) else [errors]
    texts = [str(one.get("message", one)) if isinstance(one, dict) else str(one) for one in several[:3]]
    return "; ".join(" ".join(text.split())[:200] for text in texts) + ("; …" if len(several) > 3 else "")
