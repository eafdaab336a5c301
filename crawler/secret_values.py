"""`SecretValues`: values that are known to be secret, and texts without them, whatever surrounds the values.

Rule: a value is added before it is used, so no text that is made later shows it. The process has one registry,
`SECRET_VALUES`: log records, tracebacks and errors belong to the process too, and are made where no crawl is at hand.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from typing import Final
from urllib.parse import quote, quote_plus

__all__ = ["HIDDEN", "MAX_CONFIGURED", "MIN_LENGTH", "SECRET_VALUES", "SecretValues"]

HIDDEN: Final = "***"
"""Stands for a secret."""
MIN_LENGTH: Final = 6
"""Characters of a value that is looked for. A shorter one is in words and numbers by chance; its name hides it."""
MAX_CONFIGURED: Final = 1000
"""Values of arguments, options, settings and the environment: as many proxies with a password each."""
MAX_SENT: Final = 250
"""Values of cookies and header fields, of which a crawl may see any number: those of the last requests."""


class SecretValues:
    """A registry of secret values, of which the oldest are forgotten first."""

    def __init__(self) -> None:
        self._configured: dict[str, set[str]] = {}  # each value, and how it is written
        self._sent: dict[str, set[str]] = {}
        self._fields: set[str] = set()  # whole values of header fields whose parts are known
        self._forms: list[str] | None = []  # what is looked for, the longest first; `None`: to be listed again

    def __bool__(self) -> bool:
        return bool(self._configured or self._sent)

    def add(self, value: str, *, is_sent: bool = False) -> None:
        """Add a value; with `is_sent` among those of which there may be any number."""
        known, most = (self._sent, MAX_SENT) if is_sent else (self._configured, MAX_CONFIGURED)
        if len(value) < MIN_LENGTH or value in known or value in self._configured:
            return
        known[value] = _forms_of(value)
        if len(known) > most:
            del known[next(iter(known))]
            self._fields.clear()
        self._forms = None

    def is_new_field(self, value: str) -> bool:
        """Return whether the value of a header field was not asked about since something was forgotten."""
        if value in self._fields:
            return False
        self._fields.add(value)
        if len(self._fields) > MAX_SENT:
            self._fields = {value}
        return True

    def hide(self, text: str) -> str:
        """Return a text without the values."""
        if self._forms is None:  # listed when a text is shown, since a site may set a new cookie with each page
            self._forms = sorted(set().union(*self._configured.values(), *self._sent.values()), key=_by_length)
        for form in self._forms[bisect_left(self._forms, -len(text), key=_by_length) :]:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text

    def clear(self) -> None:
        """Forget all values."""
        self.__init__()  # type: ignore[misc]


def _by_length(form: str) -> int:
    """Return the key that sorts the longest first."""
    return -len(form)


def _forms_of(value: str) -> set[str]:
    """Return a value as it is written in texts, in URLs and forms, and in JSON and Python."""
    return {value, quote(value), quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], repr(value)[1:-1]}


SECRET_VALUES: Final = SecretValues()
"""The values that this process knows."""
