"""The templates of ``crawler new``: one spider of each kind, ready to run."""

from __future__ import annotations

from typing import Final, Literal

__all__ = ["TEMPLATES", "Template"]

Template = Literal["page", "crawl", "feed", "api"]
"""The kinds of spiders."""

PAGE: Final = '''\
"""A spider that follows links. Run it:  crawler run {file} -o {name}.jsonl"""

from collections.abc import Iterator

from crawler import Response, Settings, Spider


class {kind}(Spider):
    start_urls = ["{url}"]
    allowed_domains = ["{domain}"]  # links to other sites are not followed

    # Settings of this spider. The command line overrides them: -s max_pages=5
    settings = Settings(
        max_pages=50,  # a limit for trying things out; delete it when you are done
        delay=0.5,  # seconds between two requests to the same host
    )

    def parse(self, response: Response) -> Iterator[object]:
        """Parse a page. Yield items, which are written to the output, and requests for more pages."""
        yield {{
            "url": response.url,
            "title": response.css("title::text").get(),
            "headings": response.css("h1::text, h2::text").getall(),
        }}

        # Follow every link of the page. A page is fetched only once.
        yield from response.follow_all("a[href]")

        # Pages of another kind can have their own method:
        # yield from response.follow_all("article h3 a", self.parse_article)

    # def parse_article(self, response: Response) -> Iterator[object]:
    #     yield {{"title": response.css("h1::text").get(), "price": response.css(".price::text").get()}}
'''

CRAWL: Final = '''\
"""A spider that chooses links by rules. Run it:  crawler run {file} -o {name}.jsonl"""

from collections.abc import Iterator

from crawler import CrawlSpider, Response, Rule, Settings


class {kind}(CrawlSpider):
    start_urls = ["{url}"]
    allowed_domains = ["{domain}"]  # links to other sites are not followed

    # The first rule that matches a link applies. A link without a rule is not followed.
    rules = [
        # Send these pages to a method. With follow=True, their links are followed too.
        # Rule(r"/article/", "parse_item"),
        Rule(callback="parse_item", follow=True),
    ]

    # Settings of this spider. The command line overrides them: -s max_pages=5
    settings = Settings(
        max_pages=50,  # a limit for trying things out; delete it when you are done
        delay=0.5,  # seconds between two requests to the same host
    )

    def parse_item(self, response: Response) -> Iterator[object]:
        """Parse a page of a rule. Yield items, and requests for more pages."""
        yield {{
            "url": response.url,
            "title": response.css("title::text").get(),
        }}
'''

FEED: Final = '''\
"""A spider that reads files of records. Run it:  crawler run {file} -o {name}.jsonl"""

from collections.abc import Iterator
from typing import Any

from crawler import Response
from crawler.spiders import FeedSpider


class {kind}(FeedSpider):
    url = "{url}"  # XML, CSV, JSON Lines or a JSON array, gzipped or not

    itertag = "item"  # XML: the name of the elements that are records
    items = ""  # JSON: the path of the array of records, such as "data.products"

    def parse_record(self, response: Response, record: Any) -> Iterator[object]:
        """Parse a record: a dict (CSV), any value (JSON), or an element of xml.etree (XML)."""
        # XML: yield {{"title": record.findtext("title")}}
        yield super().parse_record(response, record)
'''

API: Final = '''\
"""A spider that reads an API page by page. Run it:  crawler run {file} -o {name}.jsonl"""

from collections.abc import Iterator
from typing import Any

from crawler import Response, Settings
from crawler.spiders import ApiSpider


class {kind}(ApiSpider):
    url = "{url}"
    items = ""  # the path of the items in a page, such as "data.items"; empty if the page is a list
    next = "link"  # how to find the next page: link, page, offset, cursor:meta.next, url:links.next, graphql
    # token = "env:API_TOKEN"  # a token from an environment variable

    # Settings of this spider. The command line overrides them: -s max_pages=5
    settings = Settings(
        max_pages=50,  # a limit for trying things out; delete it when you are done
    )

    def parse_item(self, item: Any, response: Response) -> Iterator[object]:
        """Handle one item of a page. Yield items, and requests for more pages."""
        yield item
'''

TEMPLATES: Final[dict[Template, str]] = {"page": PAGE, "crawl": CRAWL, "feed": FEED, "api": API}
"""The text of each template."""
