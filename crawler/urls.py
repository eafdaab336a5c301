"""URLs by the WHATWG standard, and their canonical form.

`normalize` parses and serialises a URL as browsers do and drops the fragment, no more: paths keep their case, query
parameters their order, ``/a`` differs from ``/a/`` and ``%2F`` from ``/``.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

import ada_url

from crawler.lazy_pattern import lazy_pattern
from crawler.redaction import hide_userinfo

__all__ = [
    "LOGIN_URL",
    "Joiner",
    "authority",
    "host",
    "is_canonical",
    "is_origin",
    "is_plain",
    "is_web",
    "join",
    "join_all",
    "normalize",
    "origin",
    "part_of_site",
    "scheme_hint",
    "split_userinfo",
    "without_fragment",
    "without_fragments",
]

IGNORED: Final = r"[\t\n\r]*+"
"""Characters that a URL parser skips."""
NEEDS_WHOLE_BASE: Final = re.compile(
    rf"[\0- ?#]|h{IGNORED}t{IGNORED}t{IGNORED}p{IGNORED}(?:s{IGNORED})?:(?!//)|\Z", re.IGNORECASE
)
"""The beginning of a `href` for which more of the base URL than its folder may count: nothing, a query, a fragment,
white space that may hide one, or a scheme without slashes, after which a relative reference follows (``https:?a`` is
``?a``)."""
_SEGMENT: Final = r"\.{0,2}[\w-][\w.-]*"
_PATH: Final = rf"(?:{_SEGMENT}/)*+(?:{_SEGMENT})?(?:\?[\w.~=&;/-]*)?"
PLAIN_PATH: Final = re.compile(rf"(?!\?|\Z)/?{_PATH}", re.ASCII)
"""A reference that a URL parser appends unchanged to the folder or the origin of the base URL: no segment is ``.`` or
``..``, and no character is special or percent-encoded."""
PLAIN_URL: Final = re.compile(rf"https?://(?:[a-z0-9]++(?:-[a-z0-9]++)*+\.)++[a-z]{{2,}}+/{_PATH}", re.ASCII)
"""A URL that is its own canonical form: a host name in lower case that is not an IPv4 address and not
internationalised, without a port, and a plain path."""

IPV6_ZONE: Final = lazy_pattern(r"//(?:[^/?#]*@)?\[[0-9A-Fa-f:.]+%")
"""The beginning of an authority such as ``[fe80::1%25eth0]`` (RFC 6874), which the WHATWG standard does not know."""
LOGIN_URL: Final = lazy_pattern(
    r"(?:^|[/._-])(?:log-?in|log_in|sign-?in|sign_in|logon|auth(?:enticate|entication)?|sso|anmeld(?:en|ung)"
    r"|einloggen|connexion|identification|iniciar-sesion|acceso|accedi|entrar|aanmelden|servicelogin|wp-login)"
    r"(?:$|[/._-])",
    2,
)
"""Host and path of a login page."""
HOST_AND_PORT: Final = lazy_pattern(r"[\w.-]+:\d+(/.*)?|\[[0-9a-fA-F:]+\](:\d+)?(/.*)?")
"""A URL without its scheme."""
NOT_A_HOST: Final = lazy_pattern(r"[A-Za-z][A-Za-z0-9+.-]*:|/(?!/)|\.")
"""The beginning of a text that is no URL without its scheme: it has one, or is a path."""
SPACE: Final = "".join(map(chr, range(0x21)))
"""Characters that a URL parser drops at both ends of its input."""
SPACES: Final = frozenset(SPACE)
"""The same characters, for a look-up."""
MAX_REMEMBERED: Final = 32_768
"""URLs that are remembered as canonical, and references that are remembered with the URL they lead to."""
MAX_REMEMBERED_LENGTH: Final = 1024
"""Characters of such a URL or reference. Longer ones are parsed each time: remembered, they would fill the memory."""


class _RecentURLs:
    """A set of the URLs that were added last: at least `MAX_REMEMBERED` of them, and at most twice as many."""

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: set[str] = set()
        self._old: set[str] = set()

    def __contains__(self, url: str) -> bool:
        return url in self._new or url in self._old

    def add(self, url: str) -> None:
        if len(url) > MAX_REMEMBERED_LENGTH:
            return
        self._new.add(url)
        if len(self._new) >= MAX_REMEMBERED:
            self._old, self._new = self._new, set()


_canonical: Final = _RecentURLs()
"""URLs that are their own canonical form. Most URLs come from the links of a page, and need no second parse."""


def normalize(url: str) -> str:
    """Return the canonical form of an absolute ``http`` or ``https`` URL, without its fragment."""
    known = url.partition("#")[0]
    if known in _canonical:
        return known
    try:
        href = ada_url.normalize_url(url)
    except ValueError:
        problem = "IPv6 addresses with a zone are not supported" if IPV6_ZONE.search(url) else "not a URL"
        raise ValueError(f"{problem}: {hide_userinfo(url)!r}") from None
    if not is_web(href):
        raise ValueError(f"not an http or https URL: {hide_userinfo(url)!r}")
    href = href.partition("#")[0]
    _canonical.add(href)
    return href


def scheme_hint(text: str) -> str:
    """Return the URL that was meant, as the end of a message, if `text` lacks a scheme only; else an empty string."""
    if HOST_AND_PORT.fullmatch(text):
        return f" (did you mean http://{text}?)"
    if "." not in text or NOT_A_HOST.match(text):
        return ""
    return f" (did you mean {'https:' if text.startswith('//') else 'https://'}{text}?)"


def is_canonical(url: str) -> bool:
    """Return whether a URL is known to be its own canonical form; `False`: it may be all the same."""
    return url in _canonical


def is_web(url: str) -> bool:
    """Return whether a serialised URL is a web URL (``http`` or ``https``)."""
    return url.startswith(("http://", "https://"))


def is_plain(href: str) -> bool:
    """Return whether a reference can be joined without a URL parser, in a third of the time."""
    return PLAIN_PATH.fullmatch(href) is not None or PLAIN_URL.fullmatch(href) is not None


def part_of_site(url: str) -> str:
    """Return the first segment of the path of a normalized URL: ``orders`` for ``https://club.example/orders/7``."""
    parts = url.split("/", 4)
    return parts[3].partition("?")[0] if len(parts) > 3 else ""


def without_fragment(href: str) -> str:
    """Return a reference without its fragment, unless that changes the rest.

    A URL parser drops spaces at the end of its input, but not those in front of a fragment: ``a #b`` is ``a%20#b``.
    """
    rest = href.partition("#")[0]
    return rest if rest[-1:] not in SPACES or not rest.strip(SPACE) else href


def without_fragments(hrefs: list[str]) -> list[str]:
    """Return references without their fragments; see `without_fragment`, which few of them need."""
    return [
        ref if "#" not in ref else cut if (cut := ref.partition("#")[0])[-1:] not in SPACES else without_fragment(ref)
        for ref in hrefs
    ]


class _Folder(dict[str, str | None]):
    """The URLs of references without fragments on the pages of one folder, joined at their first use.

    An empty one depends on more of the base URL than its folder.
    """

    __slots__ = ("_folder", "_joins", "_root")

    def __init__(self, folder: str, joins: _Joins) -> None:
        self._folder = folder
        self._root = folder[: folder.find("/", 8)]
        self._joins = joins

    def join(self, href: str) -> str | None:
        """Join a reference without remembering it."""
        if PLAIN_PATH.fullmatch(href):
            return (self._root if href[0] == "/" else self._folder) + href
        if PLAIN_URL.fullmatch(href):
            return href
        return "" if NEEDS_WHOLE_BASE.match(href) else _join(self._folder, href)

    def __missing__(self, href: str) -> str | None:
        url = self.join(href)
        if url:
            _canonical.add(url)
        if len(href) > MAX_REMEMBERED_LENGTH:
            return url
        self[href] = url
        self._joins.count()
        return url


class _Joins:
    """Remembers where references lead, by the folder of their page: up to `MAX_REMEMBERED` references in all."""

    def __init__(self) -> None:
        self._folders: dict[str, _Folder] = {}
        self._size = 0

    def folder(self, base: str) -> _Folder:
        """Return the remembered references for the folder of a base URL."""
        end = base.find("?")
        name = base[: base.rfind("/", 0, end if end >= 0 else len(base)) + 1]
        folder = self._folders.get(name)
        if folder is None:
            self.count()
            folder = self._folders[name] = _Folder(name, self)
        return folder

    def count(self) -> None:
        """Count one more folder or reference, and forget all if there are too many."""
        self._size += 1
        if self._size > MAX_REMEMBERED:
            self._size = 0
            self._folders.clear()


_joins: Final = _Joins()


class Joiner:
    """Joins references with one base URL. Hardly any reference depends on more of it than its folder."""

    __slots__ = ("_base", "_folder")

    def __init__(self, base: str) -> None:
        self._base = base
        self._folder = _joins.folder(base)

    def join(self, href: str) -> str | None:
        """Return the absolute web URL of a reference, without its fragment.

        `None` means that it is not a web URL (``mailto:``, ``javascript:``, malformed).
        """
        href = without_fragment(href)
        url = self._folder[href]
        return self._join(href) if url == "" else url

    def join_all(self, hrefs: list[str]) -> list[str | None]:
        """Return the absolute web URL of each reference; see `join`. They have no fragments (`without_fragments`)."""
        folder = self._folder
        # Of too many, the first ones would be forgotten before the last ones are joined.
        urls = list(map(folder.join if len(hrefs) > MAX_REMEMBERED else folder.__getitem__, hrefs))
        if "" in urls:
            urls = [self._join(href) if url == "" else url for href, url in zip(hrefs, urls, strict=True)]
        return urls

    def _join(self, href: str) -> str | None:
        """Join a reference that depends on the whole base URL. Most of them are empty: they lead to the page itself."""
        return _join(self._base, href) if href else self._base


def join(base: str, href: str) -> str | None:
    """Return the absolute web URL of a reference on the page at `base`, a canonical URL; see `Joiner.join`."""
    return Joiner(base).join(href)


def join_all(base: str, hrefs: list[str]) -> list[str | None]:
    """Return the absolute web URL of each reference on the page at `base`, a canonical URL; see `Joiner.join_all`."""
    return Joiner(base).join_all(hrefs)


def _join(base: str, href: str) -> str | None:
    try:
        url = ada_url.join_url(base, href)
    except ValueError:
        return None
    return url.partition("#")[0] if is_web(url) else None


def origin(url: str) -> str:
    """Return scheme, host and port of a canonical URL: ``https://example.com:8443`` (RFC 6454 section 4)."""
    end = url.find("/", 8)
    start = url.rfind("@", 8, end)
    return url[:end] if start < 0 else url[: url.index("/") + 2] + url[start + 1 : end]


def is_origin(name: str) -> bool:
    """Return whether a name is an origin of web pages, as `origin` returns it."""
    try:
        return name.startswith(("http://", "https://")) and origin(normalize(f"{name}/")) == name
    except ValueError:
        return False


def authority(url: str) -> str:
    """Return host and port of a canonical URL, the port unless it is the default: ``example.com:8443``."""
    return origin(url).partition("//")[2]


def host(url: str) -> str:
    """Return the host of a canonical URL without port; an IPv6 address keeps its brackets."""
    name = authority(url)
    return name[: name.index("]") + 1] if name.startswith("[") else name.partition(":")[0]


def is_loopback(url: str) -> bool:
    """Return whether the host of a canonical URL or origin is this machine: ``localhost``, ``127.0.0.1``, ``[::1]``.

    Names that end with ``.localhost`` are, too (RFC 6761 section 6.3).
    """
    name = host(url if url.find("/", 8) >= 0 else f"{url}/").rstrip(".")
    is_ipv4 = name.rpartition(".")[2].isdigit()  # by the URL Standard
    return name in ("localhost", "[::1]") or name.endswith(".localhost") or (is_ipv4 and name.startswith("127."))


def split_userinfo(url: str) -> tuple[str, tuple[str, str] | None]:
    """Return a canonical URL without user and password, and the pair of them, decoded; `None` if it had none."""
    end = url.find("/", 8)
    at = url.rfind("@", 0, end)
    if at < 0:
        return url, None
    parsed = ada_url.URL(url)
    userinfo = (unquote(parsed.username), unquote(parsed.password))
    return url[: url.index("/") + 2] + url[at + 1 :], userinfo
