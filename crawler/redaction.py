"""Which values are secret, and how they are kept out of logs, messages, reports and representations.

`is_secret` is the only list of names that suggest a secret. `redact` hides in a text what such names, URLs and header
fields reveal, and the values that `add_secrets` and `add_secret_field` were given. Everything that the framework shows
passes through `redact`: errors when they are made, log records in `crawler.logs`, URLs when `Stats` counts them, the
rest where it is printed.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from crawler.lazy_pattern import lazy_pattern
from crawler.secret_values import HIDDEN, SECRET_VALUES

__all__ = [
    "HIDDEN",
    "add_secret_field",
    "add_secrets",
    "character_at",
    "describe",
    "hide_secrets_of",
    "hide_userinfo",
    "is_secret",
    "redact",
    "redact_field",
    "redact_values",
    "stays_on_origin",
    "unsendable",
]

WORDS: Final = frozenset(
    {
        "auth", "bearer", "csrf", "hmac", "jwt", "key", "keys", "oauth", "otp", "pass", "pin", "pwd", "session",
        "sessions", "sid", "sig", "xsrf",
    }
)  # fmt: skip
"""Words that suggest a secret if a name contains them: ``api_key``, ``X-Auth``, ``sessionId``."""
ENDINGS: Final = lazy_pattern(
    r"(accesskey|apikey|authkey|authorization|cookie|credential|passphrase|passwd|password|privatekey|secret|secretkey"
    r"|sessid|sessionid|signature|signingkey|token)s?\Z"
)
"""Endings of such words, which languages and vendors write without a separator: ``accesstoken``, ``phpsessid``."""
CODES: Final = lazy_pattern(r"(access|pass|pin|secret)[-_. ]?code\Z", re.IGNORECASE)
"""Names of codes that open something, unlike the code of a country."""
PERSONAL: Final = lazy_pattern(
    r"(\A|[-_])(referer|(client|user|account|customer|device|tenant)[-_]?id)\Z", re.IGNORECASE
)
"""Header fields that are no secret, but tell another server who the client is, or where it comes from."""
WORD: Final = lazy_pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
CONTROLS: Final = lazy_pattern(r"[\0-\x08\x0a-\x1f\x7f]")
"""Characters that no secret contains: a line break would end a header field, and a NUL a text of C."""
CHARACTERS: Final = {"\n": "a line break", "\r": "a line break", "\0": "a NUL"}
USERINFO: Final = lazy_pattern(r"(//|(?<=\w:)/)[^/?#\s\"'<>\\]*@")
"""With one slash where a URL has been taken for a path."""
PASSWORD: Final = lazy_pattern(r"//[^/?#\s:@]*:([^/?#\s]+)@")
"""The password of a URL; a user alone is no secret."""
PAIR: Final = lazy_pattern(r"(?<![\w.%~$\[\]-])([\w.%~$\[\]-]{1,64})=('[^']*'|\"[^\"]*\"|[^&#\s\"<>]+)")
"""A parameter of a query, a fragment or a form: ``access_token=abc``."""
RUN: Final = lazy_pattern(r"[^\s\"'<>]+")
"""A part of a text that may be a URL or a form."""
CODE: Final = lazy_pattern(r"(?<![\w.%~$\[\]-])(code)=([^&#]+)", re.IGNORECASE)
"""The parameter of an authorization code (RFC 6749 section 4.1.2), which may be a code of a country as well."""
GRANT: Final = lazy_pattern(
    r"(?<![\w.%~$\[\]-])(?:state|code_verifier|grant_type)=|[/._-](?:callback|oauth[12]?|authorize|token)(?![^\W_])",
    re.IGNORECASE,
)
"""Parameters and words of a path that appear together with such a code, but not with other codes."""
ENTRY: Final = lazy_pattern(r"(['\"])([\w.%$-]{1,64})\1(: ?)(['\"])(?:\\.|(?!\4).)*\4")
"""An entry of a mapping, in Python or JSON: ``'X-Api-Key': 'abc'``."""
FIELD: Final = lazy_pattern(
    r"(\b(?:(?:proxy-)?authorization|(?:set-)?cookie)['\"]?: ?['\"]?)[^'\"\r\n]+", re.IGNORECASE
)
"""A header field that is a secret by its definition, as a line or in a mapping."""
SEPARATORS: Final = lazy_pattern(r"[/?#@:%\[\]]+")
"""Characters at which a library may divide a password that is not percent-encoded."""
AFTER: Final = "'),.:;]}"
"""Characters that belong to the sentence or the list around a value rather than to the value."""


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Return whether the name of an argument, an option, a header field or a parameter suggests that it is a secret.

    A path or URL is no name, although mappings have them as keys.
    """
    if "/" in name:
        return False
    words = map(str.lower, WORD.findall(name))
    return any(word in WORDS or ENDINGS.search(word) for word in words) or CODES.search(name) is not None


def stays_on_origin(name: str) -> bool:
    """Return whether a header field of the settings goes to the origins of start pages only."""
    return is_secret(name) or PERSONAL.search(name) is not None


def add_secrets(value: Any, name: str = "") -> None:
    """Remember the secrets in a JSON value, so that `redact` hides them wherever they appear.

    Parameters:
        value: With a secret name, each text in it is one. Else these are entries with secret names, and what URLs hold.
        name: Its name.
    """
    if isinstance(value, dict):
        for key, part in value.items():
            add_secrets(part, name if is_secret(name) else str(key))
    elif isinstance(value, (list, tuple)):
        for part in value:
            add_secrets(part, name)
    elif isinstance(value, str) and "://" in value:
        _add_secrets_of_url(value)
    elif isinstance(value, str) and is_secret(name):
        add_secret_field(name, value, is_sent=False)


def add_secret_field(name: str, value: str, *, is_sent: bool = True) -> None:
    """Remember the secrets in the value of a header field, or of something else with a secret name."""
    if is_sent and not SECRET_VALUES.is_new_field(value):
        return
    low = name.lower()
    if low in ("cookie", "set-cookie"):
        for pair in value.split(";")[: 1 if low == "set-cookie" else None]:
            before, mark, after = pair.strip().partition("=")
            _add_cookie(*((before, after) if mark else ("", before)), is_sent=is_sent)
        return
    scheme, space, credentials = value.partition(" ") if low.endswith("authorization") else ("", "", "")
    SECRET_VALUES.add(credentials if space else value, is_sent=is_sent)
    if scheme.lower() == "basic":
        try:
            SECRET_VALUES.add(b64decode(credentials).decode().partition(":")[2], is_sent=is_sent)
        except (binascii.Error, UnicodeDecodeError):
            return


def _add_cookie(name: str, value: str, *, is_sent: bool) -> None:
    """Remember a cookie: one with a secret name, or a value that is no word, such as a language or a currency."""
    if is_secret(name) or (len(value) >= 8 and any(map(str.isdigit, value))):
        SECRET_VALUES.add(value, is_sent=is_sent)


def _add_secrets_of_url(url: str) -> None:
    """Remember the password of a URL, and its secret parameters."""
    found = [match[1] for match in PASSWORD.finditer(url)]
    found += [match[2] for match in PAIR.finditer(url) if is_secret(unquote(match[1]))]
    for secret in found:
        SECRET_VALUES.add(secret)
        SECRET_VALUES.add(unquote(secret))


def redact(text: str) -> str:
    """Return a text without the secrets that it reveals.

    Hidden are user and password in URLs, the values of parameters and of entries of mappings with a secret name
    (``?api_key=…``, ``{"X-Api-Key": …}``), the ``code`` of an OAuth redirect, and the header fields ``Authorization``,
    ``Proxy-Authorization``, ``Cookie`` and ``Set-Cookie``. So is each value that is known to be secret.
    """
    if SECRET_VALUES:
        text = SECRET_VALUES.hide(text)
    if "@" in text:
        text = USERINFO.sub(rf"\1{HIDDEN}@", text)
    if "=" in text:
        text = PAIR.sub(_redact_pair, text)
        if "code=" in text.lower():
            text = RUN.sub(_redact_code, text)
    if ":" in text:
        text = ENTRY.sub(_redact_entry, text)
        text = FIELD.sub(rf"\1{HIDDEN}", text)
    return text


def redact_field(name: str, value: str) -> str:
    """Return the value of a header field, an argument or an option as it may be shown next to its name."""
    return HIDDEN if value and is_secret(name) else redact(value)


def redact_values(value: Any, name: str = "") -> Any:
    """Return a JSON value without the secrets that its texts, and the names in it, reveal."""
    if name and is_secret(name) and value not in (None, "", False, True):
        return HIDDEN
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redact_values(part, str(key)) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_values(part) for part in value]
    return value


def hide_userinfo(text: str) -> str:
    """Return an invalid URL as it may be shown: without everything between its scheme and its last ``@``.

    A password may be the reason why the URL is invalid, so its parts are not taken for granted.
    """
    head, at, rest = text.rpartition("@")
    if not at or (":" not in head.removeprefix("mailto:") and "//" not in head):
        return redact(text)
    scheme = head[: head.find("//") + 2] if "//" in head else ""
    return redact(f"{scheme}{HIDDEN}@{rest}")


def hide_secrets_of(url: str, text: str) -> str:
    """Return a text, such as the error of a library, without the secrets of a URL that it may repeat in part.

    Parameters:
        url: A URL with a password or secret parameters. It may be invalid.
        text: The text.
    """
    head, at, _ = url.rpartition("@")
    password = head.partition("//")[2].partition(":")[2] if at else ""
    secrets = {password, *SEPARATORS.split(password)}
    secrets.update(found[2] for found in PAIR.finditer(url) if is_secret(unquote(found[1])))
    secrets.update(found[2] for found in CODE.finditer(url) if GRANT.search(url))
    secrets |= set(map(unquote, secrets))
    for secret in sorted(secrets, key=len, reverse=True):
        # A shorter part of a secret is not hidden in other texts: it is in many words.
        if len(secret) >= 3:
            text = text.replace(secret, HIDDEN)
    return text


def describe(value: Any) -> str:
    """Return a value of a wrong type as an error message shows it: by its type, unless it is a number or empty."""
    return repr(value) if not value or isinstance(value, (int, float)) else type(value).__name__


def unsendable(value: str) -> str:
    """Return why a text cannot be sent as a secret, without the text; empty if it can.

    Positions count from 1.
    """
    found = CONTROLS.search(value)
    return "" if found is None else character_at(value, found.start())


def character_at(text: str, index: int) -> str:
    """Describe the character of a secret that cannot be sent, and its position."""
    character = text[index]
    kind = CHARACTERS.get(character) or ("a control character" if CONTROLS.match(character) else "a character")
    return f"{kind} that cannot be sent at position {index + 1}"


def _redact_pair(found: re.Match[str]) -> str:
    return _hidden(found) if is_secret(unquote(found[1])) and found[2] != "…" else found[0]


def _redact_code(run: re.Match[str]) -> str:
    return CODE.sub(_hidden, run[0]) if CODE.search(run[0]) and GRANT.search(run[0]) else run[0]


def _hidden(found: re.Match[str]) -> str:
    """Return a parameter without its value."""
    name, value = found[1], found[2]
    if value[0] in "'\"" and value[0] == value[-1]:
        return f"{name}={value[0]}{HIDDEN}{value[0]}"
    return f"{name}={HIDDEN}{value[len(value.rstrip(AFTER)) :]}"


def _redact_entry(found: re.Match[str]) -> str:
    quote, name, colon, quote_of_value = found[1], found[2], found[3], found[4]
    if not is_secret(name):
        return found[0]
    return f"{quote}{name}{quote}{colon}{quote_of_value}{HIDDEN}{quote_of_value}"
