"""`LlmsTxt`: fetch ``/llms.txt`` of the sites of a crawl, and follow its links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from crawler import Plugin, Request, Response

__all__ = ["LlmsTxt"]

LINK = re.compile(r"\]\(\s{0,9}<?([^()\s<>]{1,2000})|<(https?://[^<>\s]{1,2000})>")
"""The target of a link of Markdown, or an address in angle brackets."""


class LlmsTxt(Plugin):
    """Requests ``/llms.txt`` for each start page, as a page of the crawl, and follows its links.

    The file lists the pages of a site that its owner recommends to language models, as Markdown (llmstxt.org). The
    spider handles it and the pages that it links to like other pages: scope, robots.txt and limits apply. A missing
    file is not a failure.
    """

    name = "llms_txt"

    def parse(self, response: Response) -> Iterator[Request]:
        """Yield a request for the file of a start page, or requests for the links of the file."""
        if urlsplit(response.url).path == "/llms.txt":
            if not response.is_html:
                yield from response.follow_all([one or other for one, other in LINK.findall(response.text)])
        elif response.depth == 0:
            yield from response.follow_all(["/llms.txt"])
