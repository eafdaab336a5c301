"""Search a site with its own search form.

::

    python -m crawler run examples/search_form.py -a words=Rome,Oslo -o maps.jsonl

The request is the one that a browser would send: fields that are not named keep the values of the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crawler import Response, Spider


class Maps(Spider):
    """Maps that an archive holds of some places."""

    words: Sequence[str] = ("Rome",)
    start_urls = ["https://archive.example/"]

    def parse(self, response: Response) -> Iterator[object]:
        """Submit the form once for each search term."""
        form = response.form("form[action='/find']")
        for word in self.words:
            yield form.submit({"q": word, "kind": "map"}, callback=self.parse_found, cb_kwargs={"word": word})

    def parse_found(self, response: Response, word: str) -> Iterator[object]:
        """Yield an item for each hit, then follow the next page."""
        for hit in response.css("li.hit a"):
            yield {"words": word, "title": hit.css("::text").get(), "url": response.urljoin(hit.attrib["href"])}
        if response.next_page:
            yield response.follow(response.next_page, self.parse_found, cb_kwargs={"word": word})
