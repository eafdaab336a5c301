"""`Chunks`: split the Markdown of pages into chunks for an index of embeddings."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

from crawler import ConfigError, Item, Plugin, Response
from crawler_plugins.item_fields import fields_of, json_fields_of
from crawler_plugins.markdown_pieces import pieces, sections

__all__ = ["Chunks", "estimate_tokens"]

BYTES_PER_TOKEN = 4
"""Bytes of UTF-8 that are counted as one token."""


def estimate_tokens(text: str) -> int:
    """Return an estimate of the tokens of a text: one for each 4 bytes of UTF-8, rounded up.

    Tokenizers of language models make a token of about 4 bytes of English prose. Code and other languages may have up
    to twice as many tokens.
    """
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


class Chunks(Plugin):
    """Adds a list of chunks to items: objects with ``headings``, ``text`` and ``tokens``.

    The Markdown is that of a field of the item or, without it, the main content of the page. A chunk belongs to one
    section; ``headings`` is the path of its headings. Sections that are larger than a chunk are cut at paragraphs,
    lines, sentences or words, the best that fits. A code block that is cut continues in the next chunk without a fence.

    Parameters:
        size: Maximum number of tokens of a chunk, at least 8.
        overlap: Maximum number of tokens that a chunk repeats of the one before it in its section, at most half of
            `size`.
        tokenizer: Function that returns the number of tokens of a text, or its name as ``module:function``. `None`:
            `estimate_tokens`, one token for each 4 bytes.
        markdown: Name of the field with the Markdown.
        field: Name of the field that is added. The item becomes a dict.

    Raises:
        ConfigError: An option is out of range, or there is no such function.
    """

    def __init__(
        self,
        size: int = 500,
        *,
        overlap: int = 50,
        tokenizer: Any = None,
        markdown: str = "markdown",
        field: str = "chunks",
    ) -> None:
        if size < 8:
            raise ConfigError(f"chunks: size must be at least 8 tokens, not {size}")
        if not 0 <= overlap <= size // 2:
            raise ConfigError(f"chunks: overlap must be from 0 to half of size, {size // 2}, not {overlap}")
        if not markdown or not field:
            raise ConfigError("chunks: markdown and field must be names of fields")
        self.size = size
        self.overlap = overlap
        self.markdown = markdown
        self.field = field
        self._count = _tokenizer(tokenizer)

    async def refine(self, item: Item, response: Response) -> Item:
        """Add the field."""
        found = fields_of(item).get(self.markdown)
        text = found if isinstance(found, str) else response.markdown()
        return json_fields_of(item) | {self.field: list(self.split(text))}

    def split(self, markdown: str) -> Iterator[dict[str, Any]]:
        """Yield the chunks of a text."""
        for headings, section in sections(markdown):
            for text in self._chunks(section):
                yield {"headings": headings, "text": text.strip("\n"), "tokens": self._count(text.strip("\n"))}

    def _chunks(self, section: str) -> Iterator[str]:
        if self._count(section) <= self.size:
            yield section
            return
        text, fresh = "", False
        for piece in pieces(section, self.size - self.overlap, self._count):
            if fresh and self._count(text + piece) > self.size:
                yield text
                text, fresh = self._tail(text), False
                if self._count(text + piece) > self.size:
                    text = ""
            text += piece
            fresh = fresh or bool(piece.strip())
        if fresh:
            yield text

    def _tail(self, text: str) -> str:
        """Return the last words of a text, up to the overlap."""
        tail = ""
        while text and self.overlap:
            cut = max(text.rstrip().rfind(" "), text.rstrip().rfind("\n")) + 1
            if cut == 0 or self._count(text[cut:] + tail) > self.overlap:
                break
            text, tail = text[:cut], text[cut:] + tail
        return tail


def _tokenizer(given: Any) -> Callable[[str], int]:
    """Return the function that counts tokens."""
    found = estimate_tokens if given is None else given
    if isinstance(found, str):
        try:
            found = pkgutil.resolve_name(found)
        except (ValueError, ImportError, AttributeError) as error:
            raise ConfigError(f"chunks: tokenizer {given!r} cannot be imported: {error}") from None
    if not callable(found):
        raise ConfigError(f"chunks: tokenizer must be a function, or module:function, not {given!r}")
    counter: Callable[[str], int] = found
    return counter
