"""`SiteSpider`: every page of a site, one item each."""

from __future__ import annotations

from typing import Any

from crawler import urls
from crawler.messages import Drop, Produced, Request, Response
from crawler.spiders.spider import Spider

__all__ = ["SiteSpider", "title_of"]


class SiteSpider(Spider):
    """Follows every ``<a href>`` that stays on the host and port of the start page.

    An item a page: `url`, `status`, `title` (white space folded, `None` without one), `depth` (links from the start
    page) and `links` (how many different web URLs its ``<a href>`` lead to, on the host and off it). Where the start
    page redirects to another host, that one is the site. With the setting `srcset`, pictures, sounds and films are
    followed as well.

    Parameters:
        url: the start page.

    Raises:
        ValueError: `url` is no web URL.
    """

    name = "site"

    def __init__(self, url: str) -> None:
        super().__init__()
        self.start_urls = [urls.normalize(url)]

    def admit(self, request: Request) -> Drop | None:
        """Only start pages, and what they redirect to, may be on any host."""
        if request.depth == 0 or urls.authority(request.url) == self.state.get("site"):
            return None
        return Drop("scope")

    def parse(self, response: Response) -> Produced:
        """One item, and the links of the page that stay on the site."""
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
    """The title of a page, white space folded; `None` without one."""
    if not response.is_html:
        return None
    title = response.document.select_one("title:not(svg title)")
    return (" ".join(title.text.split()) or None) if title is not None else None
