"""Read the articles of a site: main content as Markdown, byline, date, and the rating from the JSON-LD data.

::

    python -m crawler run examples/articles.py -a start_urls=https://news.example/ -o articles.jsonl
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import Response, Spider


class Articles(Spider):
    """Pages of a site with an author, one item each."""

    start_urls = ["https://news.example/"]

    def parse(self, response: Response) -> Iterator[object]:
        """Yield the article of a page, then follow its links."""
        article = response.article()
        if article.byline:
            blocks = [block for block in response.data().json_ld if isinstance(block, dict)]
            ratings = [block["aggregateRating"] for block in blocks if "aggregateRating" in block]
            yield {
                "url": response.url,
                "title": article.title,
                "byline": article.byline,
                "date": article.date,
                "rating": ratings[0]["ratingValue"] if ratings else None,
                "markdown": article.markdown,
            }
        yield from response.follow_all()
