"""`SiteSpider`: one item for each page of a site, or of several."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from crawler import urls
from crawler.messages import Drop, Produced, Request, Response
from crawler.spiders.page_content import FORMS, ContentForm, page_content
from crawler.spiders.site_links import form_targets, leads_back, linked_urls
from crawler.spiders.spider import Spider

__all__ = ["SiteSpider", "title_of"]

MAX_FORM_URLS: Final = 1000
"""Maximum number of form URLs that one run follows: each result page may have another form."""
MAX_URLS_OF_STEP: Final = 50_000
"""Number of URLs of a page that are compared with the sites in one step."""
log = logging.getLogger(__name__)


class SiteSpider(Spider):
    """Crawls all pages of a site that can be reached without scripts, and yields an item for each page.

    An item has `url`, `status`, `title` (with white space collapsed; `None` without one), `depth` (links from the start
    page) and `links` (number of different web URLs that its ``<a href>`` lead to, on any host).

    The site is the host and port of the start page. If the start page redirects to another host, that host is the site.
    With several start pages, links from one of their sites to another are followed.

    With the setting `thorough`, which is on by default, it follows ``a area frame iframe link``, refreshes, ``Link``
    header fields, and GET forms whose required fields have values. Without, it follows ``<a href>`` only. With the
    setting `srcset`, images, audio and video are fetched as well.

    Parameters:
        url: The start page, or several.
        content: A field to add to each item, as ``--as`` does: ``markdown``, ``text``, ``article``, or ``links``, which
            is then a list of URLs. `None`: no field.

    Raises:
        ValueError: `url` is not an absolute web URL or has none, or `content` is none of these.
    """

    name = "site"
    content: ContentForm | None = None

    def __init__(self, url: str | Sequence[str], content: ContentForm | None = None) -> None:
        super().__init__()
        self.start_urls = [urls.normalize(each) for each in ([url] if isinstance(url, str) else url)]
        if not self.start_urls:
            raise ValueError("url must have a start page")
        self._homes = {url: urls.authority(url) for url in self.start_urls}
        self._known = (0, frozenset(self._homes.values()))
        if content is not None:
            if content not in FORMS:
                raise ValueError(f"content must be one of {', '.join(FORMS)}, not {content!r}")
            self.content = content
        self._form_urls: set[str] = set()
        self._boxes: Counter[str] = Counter()

    def admit(self, request: Request) -> Drop | None:
        """Drop requests for other hosts, except start pages and the targets of their redirects."""
        if request.depth == 0 or urls.authority(request.url) in self._sites():
            return None
        return Drop("scope")

    def parse(self, response: Response) -> Produced:
        """Yield the item of a page, and requests for its links on the site."""
        if response.depth == 0 and response.redirects:
            self.state[response.redirects[0]] = urls.authority(response.url)
        yield from response.hrefs_in_steps()
        item: dict[str, Any] = {
            "url": response.url,
            "status": response.status,
            "title": title_of(response),
            "depth": response.depth,
            "links": len(response.hrefs()),
        }
        if self.content is not None:
            item[self.content] = found = page_content(response, self.content)
            text = found["markdown"] if isinstance(found, dict) else found
            if not text and self.content != "links" and response.is_html:
                self.crawl.count(f"{self.content}/empty")
                self.crawl.stats.sample(f"{self.content}/empty", response.url)
        yield item
        settings = self.crawl.settings
        found = (yield from linked_urls(response)) if settings.thorough else response.hrefs()
        sites = self._sites()
        inside: list[str] = []
        for start in range(0, len(found), MAX_URLS_OF_STEP):
            if start:
                yield None  # other tasks run
            inside += [url for url in found[start : start + MAX_URLS_OF_STEP] if urls.authority(url) in sites]
        if len(inside) < len(found):
            self.crawl.count("links to other sites", len(found) - len(inside))
        if settings.thorough:
            forms = form_targets(response, skip_nofollow=settings.obey_nofollow)
            inside += self._within_limit([url for url in forms if urls.authority(url) in sites], response.url)
        if settings.srcset:
            inside += [url for url in response.media() if urls.authority(url) in sites]
        if response.depth == 0 and settings.max_depth != 0 and all(url == response.url for url in inside):
            log.warning("%s", dead_end(response))
        yield from response.follow_all(inside)

    def _sites(self) -> frozenset[str]:
        """Return the hosts and ports of the start pages, or where they redirected to."""
        redirects = len(self.state)
        if redirects != self._known[0]:
            self._known = (redirects, frozenset({**self._homes, **self.state}.values()))
        return self._known[1]

    def _within_limit(self, urls_of_forms: list[str], page: str) -> list[str]:
        """Return the URLs of forms that may be followed, and count the others."""
        chosen = []
        for url in urls_of_forms:
            if leads_back(url, page):
                query = url.partition("?")[2]
                self._boxes[query] += 1
                # One run sends the same empty form back to its own page from five pages at most.
                if self._boxes[query] > 5:
                    self.crawl.count("forms that lead back to their page")
                    continue
            if url in self._form_urls or len(self._form_urls) < MAX_FORM_URLS:
                self._form_urls.add(url)
                chosen.append(url)
            else:
                self.crawl.count("forms beyond the limit")
        return chosen


def title_of(response: Response) -> str | None:
    """Return the title of a page with white space collapsed; `None` if it has none."""
    if not response.is_html:
        return None
    title = response.document.select_one("title:not(svg title)")
    return (" ".join(title.text.split()) or None) if title is not None else None


def dead_end(response: Response) -> str:
    """Return why a start page leads to no other page of its site, in one line."""
    if not response.is_html:
        return f"the start page {response.url} is not HTML: it has no links"
    if response.hrefs():
        return f"the start page {response.url} has no links to other pages of its site"
    if response.document.select_one("script") is None:
        return f"the start page {response.url} has no links"
    return f"the start page {response.url} has no links: is it made by scripts? A sitemap or an API may list the pages"
