"""Names of files from URLs and header fields of servers, which may hold anything: made safe for every file system."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from email.message import Message
from itertools import islice
from mimetypes import MimeTypes
from typing import Final
from urllib.parse import unquote, urlsplit

from crawler import Response

__all__ = ["extension", "folders", "host", "media_type", "name", "safe_name"]

MAX_NAME: Final = 200
"""Bytes of a name; file systems allow 255, and a suffix may follow."""
MAX_DISPOSITION: Final = 2000
"""Bytes of a ``Content-Disposition`` that is read: the parser of e-mails takes quadratic time."""
MAX_COMPOSED: Final = 2000
"""Characters of a name that is brought into normal form C, which takes quadratic time. A longer one is cut anyway."""
MAX_FOLDERS: Final = 10
"""Folders of a URL that are kept."""
UNSAFE: Final = re.compile(
    '[\\x00-\\x1f\\x7f-\\x9f<>:"/\\\\|?*\\u200b-\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff\\ud800-\\udfff]'
)
"""Separators, characters that Windows forbids, control characters, and those that change the order of a text."""
RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE | re.DOTALL)
"""Names of devices on Windows, with any ending."""
EXTENSION: Final = re.compile(r"\.[A-Za-z0-9]{1,10}")
NOT_VISIBLE: Final = re.compile(r"[^\t -~\xa0-\xff]")
"""Characters of a header field on which the parser of e-mails could stumble."""
MEDIA_TYPE: Final = re.compile(r"[!#$&^_.+a-z0-9-]+/[!#$&^_.+a-z0-9-]+")
ANY_TYPE: Final = "application/octet-stream"
TYPES: Final = MimeTypes()
"""The media types that Python knows, not those of the machine: names must not depend on it."""


def safe_name(name: str) -> str:
    """Return a name for one file or folder that is valid on Linux, macOS and Windows, and not hidden.

    Forbidden characters become ``_``, and a name of more than 200 bytes of UTF-8 is cut; a digest keeps it unique.
    """
    composed = unicodedata.normalize("NFC", name) if len(name) <= MAX_COMPOSED else name
    name = UNSAFE.sub("_", composed).strip(" ").rstrip(". ")
    if name.startswith(".") or not name:
        name = "_" + name[1:]
    if RESERVED.fullmatch(name):
        name = "_" + name
    data = name.encode()
    if len(data) <= MAX_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    tail = "-" + hashlib.sha256(data).hexdigest()[:8]
    if stem and EXTENSION.fullmatch(dot + ending):
        tail += dot + ending
    return data[: MAX_NAME - len(tail)].decode(errors="ignore") + tail


def host(url: str) -> str:
    """Return the host of a URL, with its port if it has one: ``site.example_8080``."""
    return urlsplit(url).netloc


def folders(url: str) -> list[str]:
    """Return the folders in the path of a URL, decoded, at most the first ten."""
    parts = urlsplit(url).path.split("/")[1:-1]
    return [safe_name(unquote(part)) for part in islice(filter(None, parts), MAX_FOLDERS)]


def name(response: Response) -> str:
    """Return the name of a file: that of ``Content-Disposition`` (RFC 6266), else the last part of the URL's path."""
    disposition = response.headers.get("content-disposition")
    given = None
    if disposition is not None and len(disposition) <= MAX_DISPOSITION:
        message = Message()
        message["Content-Disposition"] = NOT_VISIBLE.sub(" ", disposition)
        given = message.get_filename()
    return given or unquote(urlsplit(response.url).path.rpartition("/")[2]) or "index"


def media_type(response: Response) -> str:
    """Return the media type of a response in lower case, without parameters. Default: ``application/octet-stream``."""
    essence = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return essence if MEDIA_TYPE.fullmatch(essence) else ANY_TYPE


def extension(file_name: str, kind: str) -> str:
    """Return the ending of a file with its dot. The media type decides, unless the name has an ending that fits it.

    Parameters:
        file_name: The name by the server or the URL.
        kind: The media type.
    """
    _, dot, ending = file_name.rpartition(".")
    own = (dot + ending).lower() if EXTENSION.fullmatch(dot + ending) else ""
    known = TYPES.guess_all_extensions(kind, strict=False)
    if own in known or kind == ANY_TYPE or not known:
        return own
    return TYPES.guess_extension(kind, strict=False) or own
