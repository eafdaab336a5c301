"""From a redirect to the next request, by the method rules of RFC 9110 section 15.4 and of the Fetch standard.

Where these leave a choice, or browsers agree on something else, this does as browsers do.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from crawler import content, html, urls
from crawler.errors import BadRedirect
from crawler.headers import Headers, may_cross_origins
from crawler.messages import Request, Response
from crawler.messages.request import copy_unchecked

if TYPE_CHECKING:
    from crawler.html.refresh import Refresh

__all__ = ["redirect_request", "refresh_request", "refresh_targets"]

STATUSES: Final = frozenset({301, 302, 303, 307, 308})
BODY_FIELDS: Final = frozenset(
    {
        "content-digest", "content-encoding", "content-language", "content-length", "content-location", "content-type",
        "digest", "expect", "last-modified", "repr-digest", "trailer", "transfer-encoding",
    }
)  # fmt: skip
"""Fields that describe a body, and are dropped with it."""


def redirect_request(response: Response, *, max_redirects: int, portable: Collection[str] = ()) -> Request | None:
    """Return the request for the target of a redirect; `None` if `response` is not a redirect or names no target.

    The new request keeps everything of the old one except what the rules change: 303 becomes GET (HEAD stays HEAD),
    301 and 302 turn POST into GET as browsers do, 307 and 308 change nothing. Credentials, cookies of the request
    itself and fields that `may_cross_origins` does not name stay on their origin. The duplicate filter is off for a
    target in its own chain of redirects, since the hop may have set a cookie, and after methods other than GET and
    HEAD, whose results differ.
    """
    if response.status not in STATUSES:
        return None
    request = response.request
    location = _location(response)
    if not location:
        return None
    target = urls.join(response.url, location)
    if target is None:
        raise BadRedirect(
            f"redirected to a target that is not a web URL: {location!r}", status=response.status, request=request
        )
    target, _ = urls.split_userinfo(target)
    chain = (*request.redirects, request.url)
    if len(chain) > max_redirects:
        is_loop = target in chain
        raise BadRedirect(
            f"more than {max_redirects} redirects{', in a loop' if is_loop else ''}",
            status=response.status,
            reason="redirect_loop" if is_loop else "too_many_redirects",
            request=request,
        )
    as_get = (response.status == 303 and request.method != "HEAD") or (
        response.status in (301, 302) and request.method == "POST"
    )
    return _next_request(request, target, chain, portable, as_get=as_get)


def refresh_request(
    response: Response, *, max_delay: float, max_redirects: int, portable: Collection[str] = ()
) -> Request | None:
    """Return the request for the target of a ``Refresh`` header or of ``<meta http-equiv=refresh>``, as for a 303.

    `None` means that the response is an ordinary page: it has no refresh, or a later one, its target is not a web URL
    or is in its own chain of redirects, or that chain is long enough. A page that refreshes to itself is fetched again,
    once, if it has set a cookie.
    """
    from crawler.html import refresh  # noqa: PLC0415 - few crawls follow refreshes

    request = response.request
    found, base, encoding = _header_refresh(response), response.url, "utf-8"
    if found is None and response.is_html:
        found, base = refresh.meta_refresh(response.document), html.base_url(response.document, base)
        encoding = response.encoding
    if found is None or found.seconds > max_delay or len(request.redirects) >= max_redirects:
        return None
    target = urls.join(base, content.encode_query(found.url, encoding)) if found.url else response.url
    if target is None:
        return None
    target, _ = urls.split_userinfo(target)
    if target in request.redirects or (target == request.url and "set-cookie" not in response.headers):
        return None
    return _next_request(request, target, (*request.redirects, request.url), portable, as_get=True)


def refresh_targets(response: Response) -> list[str]:
    """Return the web URLs that a page refreshes to after any time, without scripts and in a ``<noscript>``."""
    from crawler.html import refresh  # noqa: PLC0415 - few crawls follow refreshes

    header = _header_refresh(response)
    found = [urls.join(response.url, header.url)] if header is not None and header.url else []
    if response.is_html and response.document.select_one("meta[http-equiv]") is not None:
        base = html.base_url(response.document, response.url)
        addresses = (one.url for one in refresh.meta_refreshes(response.document) if one.url)
        found += [urls.join(base, content.encode_query(address, response.encoding)) for address in addresses]
    return list(dict.fromkeys(url for url in found if url is not None))


def _header_refresh(response: Response) -> Refresh | None:
    """Return the ``Refresh`` header field, which takes precedence over the page; the first one counts."""
    if "refresh" not in response.headers:
        return None
    from crawler.html import refresh  # noqa: PLC0415 - few servers send it

    return refresh.parse_refresh(_as_utf8(response.headers.get_list("refresh")[0]))


def _next_request(
    request: Request, target: str, chain: tuple[str, ...], portable: Collection[str], *, as_get: bool
) -> Request:
    """Return the request that follows `request`, without what must not follow it to the target."""
    method, body, fields = request.method, request.body, request.headers.pairs
    if as_get:
        method, body = "HEAD" if method == "HEAD" else "GET", b""
        fields = tuple(pair for pair in fields if pair[0].lower() not in BODY_FIELDS)
    same_origin = urls.origin(target) == urls.origin(request.url)
    if not same_origin:
        fields = tuple(pair for pair in fields if may_cross_origins(pair[0], portable))
    return copy_unchecked(
        request,
        url=target,
        method=method,
        body=body,
        headers=Headers(fields),
        auth=request.auth if same_origin else None,
        cookies=request.cookies if same_origin else {},
        dont_filter=request.dont_filter or target in chain or request.method not in ("GET", "HEAD"),
        ignore_robots=request.ignore_robots and same_origin,
        redirects=chain,
    )


def _location(response: Response) -> str:
    """Return the target of a redirect as written; empty if it names none.

    Equal fields count once: some proxies repeat them.
    """
    if "location" not in response.headers:
        return ""
    targets = {text: None for line in response.headers.get_list("location") if (text := line.strip("\t\n\f\r "))}
    if len(targets) > 1:
        raise BadRedirect(
            f"redirected to several places at once: {', '.join(map(repr, targets))}",
            status=response.status,
            request=response.request,
        )
    return _as_utf8(next(iter(targets), ""))


def _as_utf8(location: str) -> str:
    """Decode bytes above ASCII as UTF-8 if they are valid, as browsers do."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location
