"""`DefaultFields`: the header fields that every request carries, by origin."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from crawler import urls
from crawler.headers import Headers
from crawler.limits.pace import first_match
from crawler.redaction import is_secret
from crawler.settings.headers import DefaultHeaders, merged

__all__ = ["DefaultFields", "FieldSet", "encode_fields", "override_fields"]

Pairs = list[tuple[str, str]]
EncodedPairs = tuple[tuple[bytes, bytes], ...]


class FieldSet(NamedTuple):
    """The default fields for one origin."""

    pairs: Pairs
    """The fields in order, without cookies."""
    encoded: EncodedPairs
    """The same, as they are sent."""
    cookies: str
    """The value of the field ``Cookie``; empty without one."""


class DefaultFields:
    """The fields of the crawler and of the setting `headers`.

    Fields with a secret name go to the origins of start pages only, those of a glob to its hosts only.
    """

    def __init__(self, basic: Mapping[str, str], headers: DefaultHeaders, start_origins: Container[str]) -> None:
        self._basic = list(basic.items())
        self._everywhere = {name: value for name, value in headers.items() if isinstance(value, str)}
        self._by_host = {glob: fields for glob, fields in headers.items() if not isinstance(fields, str)}
        self._secret = {name for name, value in self._everywhere.items() if value and is_secret(name)}
        self._start_origins = start_origins
        self._of_origin = lru_cache(maxsize=4096)(self._find)
        self._usual = self._find("", is_start=False)

    @property
    def has_secrets(self) -> bool:
        """Whether a field goes to the origins of start pages only."""
        return bool(self._secret)

    def of(self, url: str) -> FieldSet:
        """Return the default fields of a request for a canonical URL."""
        if not self._secret and not self._by_host:
            return self._usual
        origin = urls.origin(url)
        return self._of_origin(origin, is_start=origin in self._start_origins)

    def _find(self, origin: str, *, is_start: bool) -> FieldSet:
        fields = {name: value for name, value in self._everywhere.items() if is_start or name not in self._secret}
        of_host = first_match(self._by_host, origin) if origin else None
        pairs = override_fields(self._basic, Headers(merged(fields, of_host or {})))
        cookies = "; ".join(value for name, value in pairs if name.lower() == "cookie")
        pairs = [pair for pair in pairs if pair[0].lower() != "cookie"]
        return FieldSet(pairs, encode_fields(pairs), cookies)


def override_fields(fields: Iterable[tuple[str, str]], own: Headers) -> Pairs:
    """Return the fields that `own` does not name, then those of `own`, without empty ones."""
    return [pair for pair in (*(pair for pair in fields if pair[0] not in own), *own.pairs) if pair[1]]


def encode_fields(fields: Pairs) -> EncodedPairs:
    """Return fields as they are sent."""
    return tuple([(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields])
