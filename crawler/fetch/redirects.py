"""Redirects become new requests, by the method rules of RFC 9110 section 15.4."""

from __future__ import annotations

from typing import Final

from crawler import urls
from crawler.errors import BadStatus
from crawler.headers import Headers
from crawler.messages import Request, Response

__all__ = ["redirected"]

STATUSES: Final = frozenset({301, 302, 303, 307, 308})
BODY_FIELDS: Final = frozenset(
    {"content-type", "content-length", "content-encoding", "content-language", "content-location"}
)
OWN_FIELDS: Final = frozenset({"authorization", "cookie", "host", "proxy-authorization"})
"""What is meant for one origin alone."""


def redirected(response: Response, *, most: int) -> Request | None:
    """The request that a redirect asks for; `None` if `response` is no redirect.

    It keeps everything of the request but what the rules take: 303 becomes GET (HEAD stays), 301 and 302 turn POST
    into GET as browsers do, 307 and 308 change nothing. Credentials and cookies given by hand stay on their origin.
    A target in its own chain of redirects is fetched again, since the hop may have set a cookie; so is what anything
    but a GET is redirected to, since its answer is its own.

    Parameters:
        response: any response.
        most: redirects in one chain.

    Raises:
        BadStatus: the chain is too long, or the target is no web URL.
    """
    location = _as_utf8(response.headers.get("location", ""))
    if response.status not in STATUSES or not location:
        return None
    request = response.request
    target = urls.join(response.url, location)
    if target is None:
        raise BadStatus(f"redirected to what is no web URL: {location!r}", status=response.status, request=request)
    target, _ = urls.split_userinfo(target)
    chain = (*request.redirects, request.url)
    if len(chain) > most:
        raise BadStatus(f"more than {most} redirects", status=response.status, request=request)
    method, body, fields = request.method, request.body, request.headers.pairs
    if (response.status == 303 and method != "HEAD") or (response.status in (301, 302) and method == "POST"):
        method, body = "GET", b""
        fields = tuple(pair for pair in fields if pair[0].lower() not in BODY_FIELDS)
    same_origin = urls.origin(target) == urls.origin(request.url)
    if not same_origin:
        fields = tuple(pair for pair in fields if pair[0].lower() not in OWN_FIELDS)
    return request.altered(
        url=target,
        method=method,
        body=body,
        headers=Headers(fields),
        auth=request.auth if same_origin else None,
        cookies=request.cookies if same_origin else {},
        dont_filter=request.dont_filter or target in chain or request.method not in ("GET", "HEAD"),
        redirects=chain,
    )


def _as_utf8(location: str) -> str:
    """Bytes above ASCII in a ``Location`` are UTF-8 if they can be, as browsers take them."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location
