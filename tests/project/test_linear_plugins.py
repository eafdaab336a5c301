"""Every parser of the first-party plugins takes time in proportion to its input, whatever a server or archive holds."""

from __future__ import annotations

import gzip
from contextlib import suppress
from typing import Final

import pytest
from crawler_plugins.archive.cdxj import url_key
from crawler_plugins.archive.members import BrokenRecord
from crawler_plugins.archive.reader import to_response
from crawler_plugins.chunks import Chunks
from crawler_plugins.files import names
from crawler_plugins.simhash import simhash
from support.growth import Parser, Unit, growing

from crawler import Request, Response, urls

GET: Final = Request("https://e.com/")
CHUNKS: Final = Chunks()
MARKDOWN_PARTS: Final[tuple[Unit, ...]] = (
    "# a\n", "###### a\n", "#", "a ", "a", "a. ", "\n", "\n\n", " ", "```\n", "````\n", "~~~\n", "[a](b) ", "![", "](",
    "*", "_", "`", "| a | b |\n", "- a\n", "> ", "\\", "é", "<br>", ("# ", "a"), "1. a\n", "# [a](b)\n", "\r",
)  # fmt: skip
MESSAGE_PARTS: Final[tuple[Unit, ...]] = (
    "A: b\r\n", " folded\r\n", "\tfolded\n", "A{n}: b\r\n", "\r\n", "\n", "\r", ":", "a", "5\r\nabcde\r\n", "0;a\r\n",
    "5;", "-6\r\n", "1\r\na\r\n", "f", " ", "X-Archive-Orig-A{n}: b\r\n", "Content-Encoding: gzip\r\n", "\x85", "\0",
)  # fmt: skip
NAME_PARTS: Final[tuple[Unit, ...]] = (
    "a", "/", "a/", ".", "..", "%2f", "%41", "%", "é", "e\u0301", "\u0301\u0316", "\u0316\u0301", "\u200b", ":", " ",
    "\\", "?", "&", "a=b&", "con", '"', "filename=", "filename*=UTF-8''a;", ";", "=", "[", "]", "@",
)  # fmt: skip


def _replay(text: str) -> None:
    for body in (text.encode("latin-1", "replace"), gzip.compress(b"") * (len(text) // 20)):
        for head in ("", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                     "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\n"):  # fmt: skip
            with suppress(BrokenRecord):
                to_response(GET, head.encode() + body, max_size=10**9)


def _name(text: str) -> None:
    names.safe_name(text)
    url = urls.join(GET.url, text)
    if url is not None:
        names.folders(url), names.host(url), names.name(Response(url)), url_key(url)
    fields = {"Content-Disposition": f"attachment; {text}", "Content-Type": text}
    with suppress(ValueError):  # a value that no header field can have
        response = Response(GET.url, headers=fields)
        names.name(response), names.media_type(response)


PARSERS: Final[dict[str, Parser]] = {
    "chunks": (lambda text: list(CHUNKS.split(text)), MARKDOWN_PARTS, (("", ""), ("# a\n", ""))),
    "fingerprints": (simhash, (*MARKDOWN_PARTS, "a{n} ", "中"), (("", ""),)),
    "archived responses": (_replay, MESSAGE_PARTS, (("", ""),)),
    "names of files": (_name, NAME_PARTS, (("", ""), ("/", "/a"), ("?", ""))),
}  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_linear_time(name: str) -> None:
    assert growing(PARSERS[name]) == {}
