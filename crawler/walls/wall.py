"""`find_wall`: whether a response takes the place of the page that was asked for, and of what kind it is.

Rule: a wall has the marks of one *and* lacks content. A page with text or links of its own is good, whatever scripts,
forms and banners it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from crawler.lazy_pattern import lazy_pattern
from crawler.urls import LOGIN_URL
from crawler.walls.signatures import FIELDS, SIGNATURES, WIDGETS
from crawler.walls.suspicion import MAX_SIZE, Kind

if TYPE_CHECKING:
    import re

    from crawler.headers import Headers

__all__ = ["Wall", "find_wall"]

MAX_LINKS: Final = 20
"""Links of a wall. Parked domains have the most; a page has at least a menu."""
FEW_LINKS: Final = 4
"""Links of a challenge or shell, as Anubis has."""

UNSEEN: Final = lazy_pattern(rb"<!--.*?-->|<(script|style|template|svg|title|noscript)\b.*?</\1\s*>", 16)
TAG: Final = lazy_pattern(rb"<[^>]*>")
LINK: Final = lazy_pattern(rb"<a\s[^>]*href")
NOSCRIPT: Final = lazy_pattern(rb"<noscript\b[^>]*>(.*?)</noscript", 16)
FILLED_IN: Final = lazy_pattern(rb"""<textarea\b|<select\b|<input\b[^>]*type=["']?(?:text|email|tel|search|password)""")
PASSWORD: Final = lazy_pattern(rb"""<input\b[^>]*type=["']?password""")
ASKS_HUMANS: Final = lazy_pattern(rb"robot|human|captcha|verif|security check|unusual|mensch|humain|humano|checking")
ASKS_SCRIPTS: Final = lazy_pattern(
    rb"(?:enable|requires?|needs?|turn on|activ\w+|aktivier\w+|habilit\w+|without)\b[^<]{0,60}javascript"
    rb"|javascript\b[^<]{0,60}(?:enabled|disabled|required|activ|aktiv|habilit|not available|unavailable|not supported)"
)
HAS_DATA: Final = lazy_pattern(
    rb"ld\+json|application/json|__\w+_(?:state|data)__|__nuxt__|__next_f|<i?frame\b|<form\b"
)
RETURN: Final = lazy_pattern(
    r"(?:^|&)(?:next|return\w*|redirect\w*|continue|url|dest\w*|back\w*|goto|target|service|referr?er|from|retour|zurueck"
    r"|callback\w*|came_from|rurl|r)=.",
    2,
)
CONSENT_URL: Final = lazy_pattern(
    r"(?:^|[/._-])(?:consent|cookie-?wall|privacy-?(?:gate|wall)|myprivacy|zustimmung|gdpr|collectconsent)(?:$|[/._-])",
    2,
)


class Wall(NamedTuple):
    """A response that takes the place of the page that was asked for."""

    kind: Kind
    """``challenge``, ``login``, ``consent``, ``javascript`` or ``parked``."""
    vendor: str = ""
    """Whose wall it is, such as ``Cloudflare``; empty if that is not known."""


def find_wall(
    url: str, status: int, headers: Headers, body: bytes, redirects: Sequence[str], *, is_html: bool
) -> Wall | None:
    """Return the wall that a response is; `None`: a page. The first of the `redirects` was asked for."""
    for name, (vendor, values) in FIELDS.items():
        if name in headers and headers[name].strip().lower() in values:
            return Wall("challenge", vendor)
    if not is_html or not body or len(body) > MAX_SIZE:
        return None
    html = body.lower()
    links = len(LINK.findall(html))
    if links > MAX_LINKS:
        return None
    page = UNSEEN.sub(b" ", html)
    text = len(b" ".join(TAG.sub(b" ", page).split()))
    is_error = status >= 400  # whose status says what it is, unless it is a challenge
    wall = _signed(html, links, text, is_error=is_error)
    if wall is None and redirects and not is_error:
        wall = _redirected(url, redirects[0], html, text)
    if wall is None and links <= FEW_LINKS and FILLED_IN.search(page) is None:
        wall = _captcha(page, text)
        if wall is None and not is_error:
            wall = _shell(html, page, text)
    return wall


def _signed(html: bytes, links: int, text: int, *, is_error: bool) -> Wall | None:
    """Return the wall whose vendor the marks show."""
    for kind, vendor, marks, _, max_text in SIGNATURES:
        fits = links <= 2 * FEW_LINKS if kind == "challenge" else not is_error
        if fits and text <= max_text and all(mark in html for mark in marks):
            return Wall(kind, vendor)
    return None


def _captcha(page: bytes, text: int) -> Wall | None:
    """Return the wall of a page that has nothing but a widget and a sentence."""
    if text <= 600 and ASKS_HUMANS.search(page) is not None:
        return next((Wall("challenge", vendor) for mark, vendor in WIDGETS.items() if mark in page), None)
    return None


def _redirected(url: str, first: str, html: bytes, text: int) -> Wall | None:
    """Return the wall that a redirect led to: a form that asks for a login or consent instead of another page.

    A login form is one only if it leads back, by a parameter, or is on another host: after a wrong password a redirect
    leads to the form as well, and the spider expects it.
    """
    asked, found = urlsplit(first), urlsplit(url)
    is_elsewhere = found.netloc != asked.netloc
    if text <= 1500 and b"<form" in html and _is_new(LOGIN_URL, asked, found):
        if PASSWORD.search(html) is not None and (is_elsewhere or RETURN.search(found.query) is not None):
            return Wall("login")
        if is_elsewhere and b'type="email"' in html:
            return Wall("login")
    has_form = b"<form" in html or b"<button" in html
    return Wall("consent") if text <= 8000 and has_form and _is_new(CONSENT_URL, asked, found) else None


def _is_new(pattern: re.Pattern[str], asked: SplitResult, found: SplitResult) -> bool:
    """Return whether the host and path that a redirect led to match, and those that were asked for do not."""
    is_asked = pattern.search(asked.netloc + asked.path) is not None
    return not is_asked and pattern.search(found.netloc + found.path) is not None


def _shell(html: bytes, page: bytes, text: int) -> Wall | None:
    """Return the wall that a page without content is, if it asks for JavaScript."""
    if b"<script" not in html or HAS_DATA.search(html) is not None or html.count(b"<img") > 2:
        return None
    hidden = b" ".join(NOSCRIPT.findall(html))
    asks = ASKS_SCRIPTS.search(hidden) if text <= 60 and len(hidden) <= 1000 else None
    if asks is None and text <= 300:
        asks = ASKS_SCRIPTS.search(TAG.sub(b" ", page))
    return None if asks is None else Wall("javascript")
