"""`LogoutLinks`: skips links that log out. After one of them, the site serves the pages of a visitor."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from crawler.hooks.plugin import Plugin
from crawler.lazy_pattern import lazy_pattern
from crawler.messages import Drop, Request, Response

__all__ = ["LogoutLinks", "logs_out"]

REASON: Final = "logout"
NAMES: Final = (
    # en
    "logout logoff signout signoff endsession endsessions"
    # de, nl, da, no, sv, fi
    " abmelden ausloggen abmeldung uitloggen afmelden logud loggut loggaut kirjauduulos"
    # fr, es, ca, pt, it, ro
    " deconnexion sedeconnecter deconnecter cerrarsesion desconectar desconectarse tancasessio terminarsessao"
    " encerrarsessao sair esci disconnetti disconnettiti deconectare"
    # pl, cs, sk, hu, tr, hr
    " wyloguj wylogujsie odhlasit odhlasitse odhlasitsa kijelentkezes cikisyap oturumukapat odjava odjavise"
    # ru, uk, el
    " выйти выход вийти вихід αποσυνδεση"
    # ja, zh, ko
    " ログアウト サインアウト 退出登录 退出登錄 注销 登出 로그아웃"
)
"""What links that log out are called, without spaces, hyphens and accents."""
AMBIGUOUS: Final = frozenset({"sair", "esci", "выход", "desconectar"})
"""Words that mean other things, too: they count as the text of a link, not in its path."""
PREFIXES: Final = ("user", "users", "account", "auth", "do", "action", "member", "session", "wp", "sso", "specialuser")
"""What a path may have before such a word: ``userlogout``, ``doLogout``, ``Special:UserLogout``."""
SEPARATORS: Final = lazy_pattern(r"[\W_]+")
MAX_TEXT: Final = 40
"""Characters of the text of a link that logs out, at most: a longer one is a headline."""
MAX_FOUND: Final = 1000
"""URLs that are remembered because of the text of a link: a site has one or two."""


class LogoutLinks(Plugin):
    """Skips requests of links that log out."""

    name = "logout_links"

    def __init__(self) -> None:
        self._found: set[str] = set()

    def parse(self, response: Response) -> None:
        """Note the links of a page that say that they log out."""
        if not response.is_html or len(self._found) >= MAX_FOUND:
            return
        for link in response.links():
            if link.url not in self._found and ("logout" in link.rel or _says_logout(link.text)):
                self._found.add(link.url)

    def admit(self, request: Request) -> Drop | None:
        """Skip a link that logs out. A start page is what the user wants."""
        is_link = request.depth > 0 and request.method == "GET"
        return Drop(REASON) if is_link and (request.url in self._found or logs_out(request.url)) else None


def logs_out(url: str) -> bool:
    """Return whether the path or query of a URL says that it logs out."""
    address, _, query = url.partition("?")
    parts = address.partition("://")[2].split("/")[1:]
    return any(map(_is_logout, parts)) or any(_is_logout(part) for pair in query.split("&") for part in pair.split("="))


def _is_logout(part: str) -> bool:
    """Return whether a segment of a path, or a name or value of a query, is one of the words."""
    if len(part) > MAX_TEXT * 3:  # percent-encoded
        return False
    text = unquote(part)
    stem, dot, ending = text.rpartition(".")
    word = _plain(stem if dot and len(ending) <= 5 else text)
    return any(rest in WORDS and rest not in AMBIGUOUS for rest in (word, *_without_prefixes(word)))


def _without_prefixes(word: str) -> Iterable[str]:
    return (word.removeprefix(prefix) for prefix in PREFIXES if word.startswith(prefix))


def _says_logout(text: str) -> bool:
    return 0 < len(text) <= MAX_TEXT and _plain(text) in WORDS


def _plain(text: str) -> str:
    """Return a text in lower case, without spaces, punctuation and accents."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    without = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return SEPARATORS.sub("", without)


WORDS: Final = frozenset(map(_plain, NAMES.split()))
