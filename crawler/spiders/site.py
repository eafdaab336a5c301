"""`SiteSpider`: one item for each page of a site."""

from __future__ import annotations

from typing import Any

from crawler import urls
from crawler.messages import Drop, Produced, Request, Response
from crawler.spiders.spider import Spider

__all__ = ["SiteSpider", "title_of"]


class SiteSpider(Spider):
    """Crawls all pages of a site by their ``<a href>`` links and yields an item for each page.

    An item has `url`, `status`, `title` (with white space collapsed; `None` without one), `depth` (links from the start
    page) and `links` (number of different web URLs that its ``<a href>`` lead to, on any host).

    The site is the host and port of the start page. If the start page redirects to another host, that host is the site.
    With the setting `srcset`, images, audio and video are fetched as well.

    Parameters:
        url: The start page.

    Raises:
        ValueError: `url` is not an absolute web URL.
    """

    name = "site"

    def __init__(self, url: str) -> None:
        super().__init__()
        self.start_urls = [urls.normalize(url)]

    def admit(self, request: Request) -> Drop | None:
        """Drop requests for other hosts, except start pages and the targets of their redirects."""
        if request.depth == 0 or urls.authority(request.url) == self.state.get("site"):
            return None
        return Drop("scope")

    def parse(self, response: Response) -> Produced:
        """Yield the item of a page, and requests for its links on the site."""
        site = urls.authority(response.url)
        if response.depth == 0:
            self.state["site"] = site
        found = response.hrefs()
        item: dict[str, Any] = {
            "url": response.url,
            "status": response.status,
            "title": title_of(response),
            "depth": response.depth,
            "links": len(found),
        }
        yield item
        prefixes = (f"http://{site}/", f"https://{site}/")
        inside = [url for url in found if url.startswith(prefixes)]
        if len(inside) < len(found):
            self.crawl.count("links to other sites", len(found) - len(inside))
        if self.crawl.settings.srcset:
            inside += [url for url in response.media() if url.startswith(prefixes)]
        yield from response.follow_all(inside)


def title_of(response: Response) -> str | None:
    """Return the title of a page with white space collapsed; `None` if it has none."""
    if not response.is_html:
        return None
    title = response.document.select_one("title:not(svg title)")
    return (" ".join(title.text.split()) or None) if title is not None else None
