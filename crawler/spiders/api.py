"""`ApiSpider`: the items of an API that gives them page by page."""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import attrs

from crawler import urls
from crawler.errors import ConfigError
from crawler.hooks.plugin import Crawl
from crawler.messages import Produced, Request, Response
from crawler.messages.checks import encode_params
from crawler.records.json_path import compile_path, get_path, parse_keys
from crawler.spiders.api_credentials import ApiCredentials, parse_credentials, resolve_value
from crawler.spiders.arguments import check_argument_types, check_start_urls
from crawler.spiders.callback_results import map_callback
from crawler.spiders.idempotent_posts import IdempotentPosts
from crawler.spiders.paging import PARAMETERS, PageContent, Paging, Position, parse_next, with_query
from crawler.spiders.spider import Spider

__all__ = ["ApiSpider"]

log = logging.getLogger("crawler.spiders")


@attrs.frozen
class _Plan:
    """What the arguments mean."""

    paging: Paging
    items: Any
    param: str
    credentials: ApiCredentials


class ApiSpider(Spider):
    r"""Goes through an API page by page; each page is a request, so a job goes on where it was.

    ::

        python -m crawler run crawler.spiders.api:ApiSpider -a url=https://api.example/users -a items=data \\
            -a next=cursor:meta.next -o users.jsonl

    Places in a page are dotted paths (``data.items``), or JMESPath expressions where the extra ``jmespath`` is
    installed. Values of `token`, `user`, `headers` and `params` may be ``env:NAME``: what the environment has under
    that name. `token`, `user` and `headers` go to the scheme, host and port of the start URLs only, and what comes from
    the environment is not kept in the job; `params` are part of the URLs.

    Raises:
        ConfigError: an argument that is none, or does not fit.
    """

    url: str = ""
    """The first page, instead of `start_urls`."""
    items: str = ""
    """Where the items of a page stand; empty: the page is a list of them."""
    next: str = ""
    """How the next page is found: ``page``, ``offset``, ``cursor:PATH``, ``url:PATH``, ``link`` (``Link: rel=next``,
    RFC 8288; the default), ``graphql`` or ``graphql:PATH`` of its ``pageInfo`` (the default with a `query`)."""
    param: str = ""
    """Name of the parameter for page number, offset or cursor; default ``page``, ``offset``, ``cursor``, ``after``."""
    first: int | None = None
    """Number of the first page (default 1), or first offset (default 0)."""
    size: int = 0
    """Items to ask for on a page; 0: as many as the server likes."""
    size_param: str = "limit"
    """Name of the parameter for `size`."""
    total: str = ""
    """Where the number of all items stands; it saves the request behind the last page."""
    more: str = ""
    """Where it stands whether there are more pages."""
    until: Literal["short", "empty"] = "short"
    """By number and offset, the last page is one with fewer items than the first one, or only one without any."""
    parallel: bool = False
    """By number and offset: asks for all pages at once when the first one has told the `total`."""
    max_pages: int | None = None
    """Pages of each start URL."""
    params: dict[str, str] = {}  # noqa: RUF012 - an argument; it is never changed
    """Parameters that are added to the start URLs."""
    body: dict[str, Any] | None = None
    """A JSON object to send by POST; parameters of paging are put into it instead of into the URL."""
    query: str = ""
    """A GraphQL query, whose variables are `variables`, the cursor, and the size if there is one."""
    variables: dict[str, Any] = {}  # noqa: RUF012 - an argument; it is never changed
    """Variables of the `query`."""
    headers: dict[str, str] = {}  # noqa: RUF012 - an argument; it is never changed
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
        """Looks at the arguments once more, which a subclass may have set since."""
        _ = self._plan
        if self.query or self.body is not None:
            crawl.retries = IdempotentPosts(crawl.retries, "parse_page")
        if type(self).start is ApiSpider.start:
            check_start_urls(self)
        yield

    def start(self) -> Iterator[Request]:
        """The first page of each start URL."""
        for url in self.start_urls:
            yield self.page_request(url, self._plan.paging.start())

    def page_request(self, url: str, position: Position) -> Request:
        """The request for one page.

        Parameters:
            url: where the pages begin, or the URL of this page where pages are found by URL.
            position: where it stands.
        """
        plan = self._plan
        paged = {} if position.value is None or not plan.param else {plan.param: position.value}
        if self.size:
            paged[self.size_param] = self.size
        arguments = {"url": url, "position": position}
        if plan.paging.kind in ("link", "url") and position.value is not None:
            target, body = str(position.value), self._body({})
        else:
            extra: dict[str, Any] = {
                name: resolve_value(value, f"params: {name}") for name, value in self.params.items()
            }
            body = self._body(paged)
            target = with_query(urls.normalize(url), extra if body is not None else extra | paged)
        method = "GET" if body is None else "POST"
        return Request(target, self.parse_page, method=method, json=body, cb_kwargs=arguments)

    def parse_item(self, item: Any, response: Response) -> Produced:
        """One item of a page: like a callback it yields items and requests, or returns one.

        By default it is the item; what is no object becomes ``{"value": ...}``.
        """
        return item if isinstance(item, dict) else {"value": item}

    def parse_page(self, response: Response, position: Position, url: str) -> Produced:
        """A page.

        Parameters:
            response: the page.
            position: where it stands.
            url: where the pages begin.

        Raises:
            ValueError: it is no JSON, has no list where items are to be, reports errors, or its next page is odd.
        """
        paging = self._plan.paging
        seen = self._seen(response)
        if paging.is_repeat(seen, position):
            self._repeated(f"page {position.number} of {url} has the items of the page before it")
            return None
        if position.number == 1 and (missing := paging.missing(seen)):
            log.warning("%s: nothing stands where %s is to be: %s", response.url, missing, getattr(self, missing))
        at_once = self.parallel and position.number == 1
        following = paging.remaining(seen) if at_once else self._next(seen, position, url)
        requests = (self.page_request(url, each) for each in following)
        items = map_callback(self.parse_item, seen.items, response)
        if isinstance(items, Iterable):
            return itertools.chain(requests, items)
        for request in requests:
            self.crawl.add(request)
        return items

    async def fetch(self, request: Request, send: Any) -> Response | None:
        """Adds the credentials, if the request goes to the API itself."""
        opened = self._plan.credentials.with_credentials(request)
        if opened is None:
            return None
        answer: Response = await send(opened)
        if isinstance(answer, Response):
            answer.request = request  # a redirect is asked without them, if it leads elsewhere
        return answer

    def _next(self, seen: PageContent, position: Position, url: str) -> list[Position]:
        try:
            following = self._plan.paging.next_positions(seen, position)
        except ValueError as error:
            raise ValueError(f"{seen.url}: {error}") from None
        if following and following[0].value == position.value:
            self._repeated(f"page {position.number} of {url} names itself as its next page")
            return []
        return following

    def _repeated(self, what: str) -> None:
        log.warning("%s: it ends there", what)
        self.crawl.count("repeated pages")

    def _seen(self, response: Response) -> PageContent:
        """What a page shows."""
        body = response.json()
        if self.query and isinstance(body, dict) and body.get("errors"):
            raise ValueError(f"{response.url} answered with errors: {_messages(body['errors'])}")
        items = self._plan.items(body)
        if items is None:  # a null, or what an expression makes of nothing, is an empty page; what is missing is none
            *way, last = parse_keys(self.items) or ("",)
            holder = get_path(body, way)
            items = [] if parse_keys(self.items) is None or (isinstance(holder, dict) and last in holder) else None
        if not isinstance(items, list):
            where = f"at {self.items}" if self.items else "there"
            hint = "; name the way to them (items=...)" if isinstance(items, dict) and not self.items else ""
            what = f"no list of items stands {where}, but {_kind(items)}{hint}"
            raise ValueError(f"{response.url}: {what}")  # noqa: TRY004 - of a server
        following = (link.target for link in response.link_header if "next" in link.rel and link.anchor is None)
        return PageContent(body, items, response.url, next(following, None))

    def _body(self, paged: dict[str, Any]) -> dict[str, Any] | None:
        if self.query:
            return {"query": self.query, "variables": self.variables | paged}
        return None if self.body is None else self.body | paged

    @functools.cached_property
    def _plan(self) -> _Plan:
        """The arguments as they are when they are first needed."""
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
                raise ConfigError(f"{name} next: name the place of pageInfo, as in graphql:data.users.pageInfo")
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
        """Whether the arguments fit together."""
        if kind == "graphql" and not (self.query and self.items):
            raise ConfigError(f"{name} {'items' if self.query else 'query'}: graphql needs it")
        if self.query and self.body is not None:
            raise ConfigError(f"{name} body: a query makes the body itself")
        if self.parallel and kind not in ("page", "offset"):
            raise ConfigError(f"{name} parallel: only pages by number or offset can be asked for at once")
        if self.parallel and not self.total:
            raise ConfigError(f"{name} parallel: it needs total=, where the number of all items stands")
        for argument, least in (("size", 0), ("max_pages", 1), ("first", 0)):
            value = getattr(self, argument)
            if value is not None and value < least:
                raise ConfigError(f"{name} {argument}: at least {least}, not {value}")
        if self.size and not self.size_param:
            raise ConfigError(f"{name} size_param: it is empty")
        try:
            encode_params({key: resolve_value(value, f"{name} params") for key, value in self.params.items()})
        except TypeError as error:
            raise ConfigError(f"{name} params: {error}") from None


def _place(path: str, where: str) -> Any:
    try:
        return compile_path(path)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def _kind(value: Any) -> str:
    names = {type(None): "nothing", dict: "an object", str: "text", bool: "true or false"}
    return names.get(type(value), "a number")


def _messages(errors: Any) -> str:
    """What a GraphQL server complains of (GraphQL specification section 7.1.2)."""
    several = errors if isinstance(errors, list) else [errors]
    texts = [str(one.get("message", one)) if isinstance(one, dict) else str(one) for one in several[:3]]
    return "; ".join(" ".join(text.split())[:200] for text in texts) + ("; …" if len(several) > 3 else "")
