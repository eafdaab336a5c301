"""The entries of a form, and their encoding as a query or a body (HTML Standard, "Form submission").

Equal entries have equal bodies, including the boundary of multipart bodies, so that a crawl recognises equal requests.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias
from urllib.parse import quote_from_bytes

import attrs

from crawler.content.labels import canonical_label, python_codec, standard_name
from crawler.html.forms import Control

__all__ = [
    "MULTIPART",
    "PLAIN",
    "URLENCODED",
    "Entry",
    "Upload",
    "construct_entries",
    "encode_entries",
    "pick_encoding",
]

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
PLAIN: Final = "text/plain"
_BREAK: Final = re.compile(r"\r\n?|\n")


@attrs.frozen
class Upload:
    """A file to submit."""

    name: str = ""
    """The file name that is submitted."""
    content: bytes = b""
    """The content of the file."""
    type: str = "application/octet-stream"
    """Its media type."""


Entry: TypeAlias = "tuple[str, str | Upload]"
"""A name, and a text or a file."""


def pick_encoding(accepted: str | None, label: str) -> str:
    """Return the encoding of a submission (HTML Standard, "picking an encoding for the form")."""
    if accepted is not None:
        found = [name for word in accepted.split() if (name := canonical_label(word))]
        label = found[0] if found else "utf-8"
    return "utf-8" if label in ("utf-16le", "utf-16be", "replacement") else label


def construct_entries(
    controls: Iterable[Control],
    button: Control | None,
    encoding: str,
    filled: Mapping[str, Sequence[str | Upload]] | None = None,
) -> list[Entry]:
    """Return the entries that a form submits with a button (HTML Standard, "constructing the entry list")."""
    entries: list[Entry] = []
    rest = dict(filled or {})
    for control in controls:
        if control.name in rest:
            entries += [(control.name, value) for value in rest.pop(control.name)]
        elif not control.enabled or (filled and control.name in filled):
            continue
        else:
            entries += _entries(control, button, encoding)
        if control.dirname and control.enabled:
            entries.append((control.dirname, control.direction))
    return entries + [(name, value) for name, values in rest.items() for value in values]


def _entries(control: Control, button: Control | None, encoding: str) -> list[Entry]:
    """Return the entries of one control as it is on the page."""
    name = control.name
    if control.submits and control is not button:
        return []
    if control.kind == "image":
        prefix = f"{name}." if name else ""
        return [(f"{prefix}x", "0"), (f"{prefix}y", "0")]  # where it is clicked
    values: Sequence[str | Upload] = control.values
    if control.submits:
        values = (control.value,)
    elif control.kind == "hidden" and name.lower() == "_charset_":
        values = (standard_name(encoding),)
    elif control.kind == "file":
        values = (Upload(),)
    return [(name, value) for value in values if name]


def encode_entries(entries: Sequence[Entry], enctype: str, encoding: str) -> tuple[bytes, str]:
    """Return entries as bytes, and the media type."""
    if enctype == MULTIPART:
        return _multipart(entries, encoding)
    flat = [
        (_with_crlf(name), _with_crlf(value.name if isinstance(value, Upload) else value)) for name, value in entries
    ]
    if enctype == PLAIN:
        return _encode("".join(f"{name}={value}\r\n" for name, value in flat), encoding), PLAIN
    pairs = [f"{_urlencode(name, encoding)}={_urlencode(value, encoding)}" for name, value in flat]
    return "&".join(pairs).encode(), URLENCODED


def _multipart(entries: Sequence[Entry], encoding: str) -> tuple[bytes, str]:
    """Encode as RFC 7578 specifies, with names escaped as in the HTML Standard."""
    parts: list[bytes] = []
    for name, value in entries:
        head = b'Content-Disposition: form-data; name="' + _escape(_with_crlf(name), encoding) + b'"'
        if isinstance(value, Upload):
            head += b'; filename="' + _escape(value.name, encoding) + b'"\r\nContent-Type: ' + value.type.encode()
            parts.append(head + b"\r\n\r\n" + value.content)
        else:
            parts.append(head + b"\r\n\r\n" + _encode(_with_crlf(value), encoding))
    digest = hashlib.blake2b(b"\0".join(parts), digest_size=16)
    boundary = f"----form{digest.hexdigest()}".encode()
    while any(boundary in part for part in parts):
        digest.update(b"again")
        boundary = f"----form{digest.hexdigest()}".encode()
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"
    return body, f"{MULTIPART}; boundary={boundary.decode()}"


def _with_crlf(text: str) -> str:
    """Convert line breaks to CR LF."""
    return _BREAK.sub("\r\n", text)


def _encode(text: str, encoding: str) -> bytes:
    """Encode text. Characters that the encoding lacks become character references, as in browsers."""
    return text.encode(python_codec(encoding), "xmlcharrefreplace")


def _urlencode(text: str, encoding: str) -> str:
    """Percent-encode for forms, with spaces as plus signs (URL Standard, "urlencoded serializing")."""
    return quote_from_bytes(_encode(text, encoding), "*-._ ").replace("~", "%7E").replace(" ", "+")


def _escape(text: str, encoding: str) -> bytes:
    return _encode(text, encoding).replace(b"\r", b"%0D").replace(b"\n", b"%0A").replace(b'"', b"%22")
