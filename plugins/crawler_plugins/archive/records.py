"""WARC records (WARC 1.1, ISO 28500:2017) as bytes, and the HTTP messages inside of them."""

from __future__ import annotations

import base64
import hashlib
import re
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from crawler import Request, Response

__all__ = ["RENAMED", "digest_of", "encode", "is_compressed", "new_id", "request_message", "response_head", "warc_date"]

Fields = Iterable[tuple[str, str]]

RENAMED: Final = "X-Archive-Orig-"
"""Prefix of header fields that are not true of the body as the archive holds it."""
SECRET: Final = re.compile(r"auth|cookie|token|secret|session|api-?key|password", re.IGNORECASE)
"""Names of request fields with credentials."""
LINE_BREAK: Final = re.compile(r"[\r\n\0]+")


def new_id() -> str:
    """Return a new record ID (section 5.2)."""
    return f"<urn:uuid:{uuid.uuid4()}>"


def warc_date(seconds: float) -> str:
    """Return a time, in seconds since the epoch, as a ``WARC-Date`` (section 5.4)."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def digest_of(data: bytes) -> str:
    """Return the SHA-1 of some bytes as a labelled digest (section 5.8)."""
    return "sha1:" + base64.b32encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode("ascii")


def encode(fields: Fields, block: bytes) -> bytes:
    """Return a record (section 4).

    Parameters:
        fields: The named fields, in order, without ``Content-Length``.
        block: The content.
    """
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return b"WARC/1.1\r\n%bContent-Length: %d\r\n\r\n%b\r\n\r\n" % (lines.encode(), len(block), block)


def response_head(response: Response) -> bytes:
    """Return the status line and header fields of a response, true of the body as the archive holds it.

    The archive holds bodies without transfer coding and, if the coded body is not known, without content coding.
    HTTP/2 and HTTP/3 are written as HTTP/1.1.
    """
    wire = response.wire
    assert wire is not None
    untrue = {"transfer-encoding"}
    fields = list(wire.fields)
    if wire.body is None and "content-encoding" in response.headers:
        untrue |= {"content-encoding", "content-length"}
        fields.append(("Content-Length", str(len(response.body))))
    last = len(wire.fields)
    kept = [
        (RENAMED + name if name.lower() in untrue and number < last else name, value)
        for number, (name, value) in enumerate(fields)
    ]
    version = wire.http_version if wire.http_version.startswith("HTTP/1") else "HTTP/1.1"
    return _head(f"{version} {wire.status} {wire.reason}", kept)


def request_message(request: Request, sent: Sequence[tuple[str, str]], *, credentials: bool) -> bytes:
    """Return a request as an HTTP/1.1 message.

    Parameters:
        request: The request.
        sent: The header fields that were sent.
        credentials: Whether fields with credentials are included.
    """
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    names = {name.lower() for name, _ in sent}
    fields = [("Host", parts.netloc.rpartition("@")[2])] if "host" not in names else []
    fields += [(name, value) for name, value in sent if credentials or not SECRET.search(name)]
    if request.body and "content-length" not in names:
        fields.append(("Content-Length", str(len(request.body))))
    return _head(f"{request.method} {target} HTTP/1.1", fields) + request.body


def is_compressed(response: Response) -> bool:
    """Return whether another compression would save nothing: the body is coded, or an image, a video or a ZIP file."""
    wire = response.wire
    if wire is not None and wire.body is not None and "content-encoding" in response.headers:
        return True
    kind = response.headers.get("content-type", "").lower()
    return kind.startswith(("image/", "video/", "audio/", "font/", "application/zip", "application/gzip")) and (
        "svg" not in kind
    )


def _head(first: str, fields: Fields) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in fields)]
    return ("\r\n".join(LINE_BREAK.sub(" ", line) for line in lines) + "\r\n\r\n").encode("latin-1", "replace")
