"""Redirects become new requests, by the method rules of RFC 9110 section 15.4 and of the Fetch standard.

Where those leave it open, or browsers agree on something else, it is done as browsers do.
"""

from __future__ import annotations

import re
from typing import Final

from crawler import content, html, urls
from crawler.errors import BadRedirect
from crawler.headers import Headers
from crawler.messages import Request, Response
from crawler.messages.request import copy_unchecked

__all__ = ["redirect_request", "refresh_request"]

STATUSES: Final = frozenset({301, 302, 303, 307, 308})
BODY_FIELDS: Final = frozenset(
    {
        "content-digest", "content-encoding", "content-language", "content-length", "content-location", "content-type",
        "digest", "expect", "last-modified", "repr-digest", "trailer", "transfer-encoding",
    }
)  # fmt: skip
"""What describes a body, and goes with it."""
OWN_FIELDS: Final = frozenset({"host", "origin"})
"""What is meant for one origin alone, beside what `SECRET` finds."""
SECRET: Final = re.compile(r"auth|cookie|credential|csrf|key|passw|secret|session|signature|token|xsrf", re.IGNORECASE)
"""What stands in the name of a field that may hold a secret: ``Authorization``, ``X-Api-Key``, ``X-Auth-Token`` …"""


def redirect_request(response: Response, *, max_redirects: int) -> Request | None:
    """The request that a redirect asks for; `None` if `response` is no redirect, or does not say where to.

    It keeps everything of the request but what the rules take: 303 becomes GET (HEAD stays), 301 and 302 turn POST
    into GET as browsers do, 307 and 308 change nothing. Credentials, cookies given by hand and fields whose name tells
    of a secret stay on their origin. A target in its own chain of redirects is fetched again, since the hop may have
    set a cookie; so is what anything but a GET is redirected to, since its answer is its own.

    Parameters:
        response: any response.
        max_redirects: redirects in one chain.

    Raises:
        BadRedirect: the chain is too long, or the target is no web URL.
    """
    if response.status not in STATUSES:
        return None
    request = response.request
    location = _location(response)
    if not location:
        return None
    target = urls.join(response.url, location)
    if target is None:
        raise BadRedirect(f"redirected to what is no web URL: {location!r}", status=response.status, request=request)
    target, _ = urls.split_userinfo(target)
    chain = (*request.redirects, request.url)
    if len(chain) > max_redirects:
        goes_round = target in chain
        raise BadRedirect(
            f"more than {max_redirects} redirects{', in a circle' if goes_round else ''}",
            status=response.status,
            reason="redirect_loop" if goes_round else "too_many_redirects",
            request=request,
        )
    new = (response.status == 303 and request.method != "HEAD") or (
        response.status in (301, 302) and request.method == "POST"
    )
    return _next(request, target, chain, as_get=new)


def refresh_request(response: Response, *, max_delay: float, max_redirects: int) -> Request | None:
    """The request that a page asks for by a ``Refresh`` header or a ``<meta http-equiv=refresh>``.

    It is a redirect by 303. `None`, so that the page is a page: it does not refresh, or later, or to what is no web
    URL, or has been redirected often enough, or goes to a page in its own chain. A page that refreshes to itself is
    asked for again if it has set a cookie, once.

    Parameters:
        response: a response that is a page otherwise.
        max_delay: seconds: the longest wait of a refresh that is followed.
        max_redirects: redirects in one chain.
    """
    from crawler.html import refresh  # noqa: PLC0415 - few crawls follow refreshes

    request = response.request
    said, base, encoding = None, response.url, "utf-8"
    if "refresh" in response.headers:  # it goes before those of the page: only the first one counts
        said = refresh.parse_refresh(_as_utf8(response.headers.get_list("refresh")[0]))
    if said is None and response.is_html:
        said, base = refresh.meta_refresh(response.document), html.base_url(response.document, base)
        encoding = response.encoding
    if said is None or said.seconds > max_delay or len(request.redirects) >= max_redirects:
        return None
    target = urls.join(base, content.encode_query(said.url, encoding)) if said.url else response.url
    if target is None:
        return None
    target, _ = urls.split_userinfo(target)
    if target in request.redirects or (target == request.url and "set-cookie" not in response.headers):
        return None
    return _next(request, target, (*request.redirects, request.url), as_get=True)


def _next(request: Request, target: str, chain: tuple[str, ...], *, as_get: bool) -> Request:
    """What is asked for after `request`, by GET if it is said so, without what must not go along."""
    method, body, fields = request.method, request.body, request.headers.pairs
    if as_get:
        method, body = "HEAD" if method == "HEAD" else "GET", b""
        fields = tuple(pair for pair in fields if pair[0].lower() not in BODY_FIELDS)
    same_origin = urls.origin(target) == urls.origin(request.url)
    if not same_origin:
        fields = tuple(pair for pair in fields if not _is_own(pair[0]))
        if request.url.startswith("https:") and target.startswith("http:"):  # RFC 9110 section 10.1.3
            fields = tuple(pair for pair in fields if pair[0].lower() != "referer")
    return copy_unchecked(
        request,
        url=target,
        method=method,
        body=body,
        headers=Headers(fields),
        auth=request.auth if same_origin else None,
        cookies=request.cookies if same_origin else {},
        dont_filter=request.dont_filter or target in chain or request.method not in ("GET", "HEAD"),
        redirects=chain,
    )


def _is_own(name: str) -> bool:
    """Whether a field given by hand is meant for the origin that it was given for."""
    return name.lower() in OWN_FIELDS or SECRET.search(name) is not None


def _location(response: Response) -> str:
    """Where a redirect leads, as it is written; empty: it does not say.

    Several fields that say the same are one, as proxies repeat them.

    Raises:
        BadRedirect: they say different things, so that nobody knows which of them was injected.
    """
    if "location" not in response.headers:
        return ""
    said = {text: None for line in response.headers.get_list("location") if (text := line.strip("\t\n\f\r "))}
    if len(said) > 1:
        raise BadRedirect(
            f"redirected to several places at once: {', '.join(map(repr, said))}",
            status=response.status,
            request=response.request,
        )
    return _as_utf8(next(iter(said), ""))


def _as_utf8(location: str) -> str:
    """Bytes above ASCII in a ``Location`` are UTF-8 if they can be, as browsers take them."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location
