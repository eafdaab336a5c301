"""`Catalog`: which responses an archive has for a request, and where."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import attrs

from crawler import ConfigError, Request
from crawler_plugins.archive.members import BrokenRecord, Compression
from crawler_plugins.archive.reader import Record, records_of
from crawler_plugins.archive.records import digest_of

__all__ = ["Catalog", "Location", "failure_fields"]

REPEATED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which a request is sent again."""
EMPTY: Final = digest_of(b"")
log = logging.getLogger("crawler.plugins.replay")


@attrs.frozen
class Location:
    """The place of a record."""

    part: int
    """Number of the file."""
    offset: int
    """Byte offset in it."""
    kind: Literal["response", "revisit", "failure"]
    """The type of the record."""
    status: int = 0
    """HTTP status code of a response or revisit."""


@attrs.define(eq=False, repr=False)
class Catalog:
    """The places of the responses of an archive."""

    _found: dict[bytes, list[Location]] = attrs.field(factory=dict, init=False)
    _used: dict[bytes, int] = attrs.field(factory=dict, init=False)
    _by_digest: dict[str, Location] = attrs.field(factory=dict, init=False)
    _by_date: dict[tuple[str, str], Location] = attrs.field(factory=dict, init=False)

    def __len__(self) -> int:
        return sum(map(len, self._found.values()))

    @classmethod
    def of(cls, paths: Sequence[Path], compressions: Sequence[Compression]) -> Catalog:
        """Read the files of an archive once.

        Raises:
            ConfigError: A file is not an archive, or cannot be read.
        """
        catalog = cls()
        exchanges: list[tuple[Record, Location]] = []
        asked: dict[str, tuple[str, str]] = {}  # method and body of requests other than GET, by ID of either record
        for part, (path, compression) in enumerate(zip(paths, compressions, strict=True)):
            count = 0
            try:
                for offset, record in records_of(path, compression):
                    count += 1
                    catalog._take(record, part, offset, exchanges, asked)
            except OSError as error:
                raise ConfigError(f"replay: cannot read {path}: {error.strerror}") from error
            except BrokenRecord as error:
                if not count:
                    raise ConfigError(f"replay: {path} is not a WARC file: {error}") from error
                log.warning("%s: %s: the rest of the file is left out", path, error)
        for record, location in exchanges:
            ids = [record.fields.get("warc-record-id", ""), *_concurrent(record)]
            method, digest = next((asked[one] for one in ids if one in asked), ("GET", EMPTY))
            catalog._add(_key(method, record.url, digest), location)
        return catalog

    def next(self, request: Request) -> Location | None:
        """Return the place of the next response to a request, or of the last one if all were used; `None` without one.

        Attempts that were repeated count as their last one.
        """
        key = _key(request.method, request.url, digest_of(request.body))
        found = self._found.get(key)
        if found is None:
            return None
        number = self._used.get(key, 0)
        self._used[key] = number + 1
        return found[min(number, len(found) - 1)]

    def original(self, revisit: Record) -> Location | None:
        """Return the place of the record that has the body of a revisit; `None` if the archive lacks it."""
        fields = revisit.fields
        digest = self._by_digest.get(fields.get("warc-payload-digest", ""))
        if digest is not None:
            return digest
        url = fields.get("warc-refers-to-target-uri", "").strip("<>")
        return self._by_date.get((url, fields.get("warc-refers-to-date", "")))

    def _take(
        self,
        record: Record,
        part: int,
        offset: int,
        exchanges: list[tuple[Record, Location]],
        asked: dict[str, tuple[str, str]],
    ) -> None:
        kind, fields = record.kind, record.fields
        if kind in ("response", "revisit") and record.is_http:
            status = _status(record.block)
            location = Location(part, offset, "response" if kind == "response" else "revisit", status)
            if kind == "response":
                self._by_digest.setdefault(fields.get("warc-payload-digest", "-"), location)
                self._by_date.setdefault((record.url, fields.get("warc-date", "")), location)
            exchanges.append((attrs.evolve(record, block=b""), location))
        elif kind == "request" and record.is_http and not record.block.startswith(b"GET "):
            head, _, body = record.block.partition(b"\r\n\r\n")
            method = head.split(b" ", 1)[0].decode("latin-1")
            for one in (fields.get("warc-record-id", ""), *_concurrent(record)):
                asked[one] = (method, digest_of(body))
        elif kind == "metadata" and record.block.startswith(b"fetchError:"):
            lines = failure_fields(record)
            asked[fields.get("warc-record-id", "")] = (lines.get("method", "GET"), lines.get("requestDigest", EMPTY))
            exchanges.append((attrs.evolve(record, block=b""), Location(part, offset, "failure")))

    def _add(self, key: bytes, location: Location) -> None:
        found = self._found.setdefault(key, [])
        if found and (found[-1].kind == "failure" or found[-1].status in REPEATED):
            found[-1] = location
        else:
            found.append(location)


def failure_fields(record: Record) -> dict[str, str]:
    """Return the fields of a metadata record by name."""
    lines = record.block.decode("utf-8", "replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _concurrent(record: Record) -> list[str]:
    return record.fields.get_list("warc-concurrent-to")


def _status(block: bytes) -> int:
    words = block[:64].split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def _key(method: str, url: str, digest: str) -> bytes:
    return hashlib.blake2b(f"{method} {digest} {url}".encode(), digest_size=16).digest()
