"""Search a site by its own form.

::

    python -m crawler run examples/search_form.py -a words=Rome,Oslo -o maps.jsonl

The request is the one that a browser would send: what is not named here stays as it stands on the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crawler import Response, Spider


class Maps(Spider):
    """What an archive has on some places."""

    words: Sequence[str] = ("Rome",)
    start_urls = ["https://archive.example/"]

    def parse(self, response: Response) -> Iterator[object]:
        """The page with the form."""
        form = response.form("form[action='/find']")
        for word in self.words:
            yield form.submit({"q": word, "kind": "map"}, callback=self.parse_found, cb_kwargs={"word": word})

    def parse_found(self, response: Response, word: str) -> Iterator[object]:
        """A list of hits, perhaps with a next page."""
        for hit in response.css("li.hit a"):
            yield {"words": word, "title": hit.css("::text").get(), "url": response.urljoin(hit.attrib["href"])}
        if response.next_page:
            yield response.follow(response.next_page, self.parse_found, cb_kwargs={"word": word})
