"""What ``crawler new`` writes: a spider of each kind, ready to run."""

from __future__ import annotations

from typing import Final, Literal

__all__ = ["TEMPLATES", "Template"]

Template = Literal["page", "crawl", "feed", "api"]
"""The kinds of spiders."""

PAGE: Final = '''\
"""A spider. Run it:  crawler run {file} -o {name}.jsonl"""

from crawler import Response, Settings, Spider


class {kind}(Spider):
    start_urls = ["{url}"]
    allowed_domains = ["{domain}"]  # links that lead elsewhere are not followed

    # What this spider needs. The command line goes over it: -s max_pages=5
    settings = Settings(
        max_pages=50,  # a limit while you try things out; delete it when you are done
        delay=0.5,  # seconds between two requests to the same host
    )

    def parse(self, response: Response):
        """Gets every page. What it yields is an item, which goes to the output, or a request for another page."""
        yield {{
            "url": response.url,
            "title": response.css("title::text").get(),
            "headings": response.css("h1::text, h2::text").getall(),
        }}

        # Every link of the page. Pages that are known already are not fetched again.
        yield from response.follow_all("a[href]")

        # Pages of another kind get a method of their own:
        # yield from response.follow_all("article h3 a", self.parse_article)

    # def parse_article(self, response: Response):
    #     yield {{"title": response.css("h1::text").get(), "price": response.css(".price::text").get()}}
'''

CRAWL: Final = '''\
"""A spider that goes by rules. Run it:  crawler run {file} -o {name}.jsonl"""

from crawler import CrawlSpider, Response, Rule, Settings


class {kind}(CrawlSpider):
    start_urls = ["{url}"]
    allowed_domains = ["{domain}"]  # links that lead elsewhere are not followed

    # The first rule that a link fits takes it; a link that no rule takes is left alone.
    rules = [
        # Pages of this kind go to a method. With follow=True their links are followed too.
        # Rule(r"/article/", "parse_item"),
        Rule(callback="parse_item", follow=True),
    ]

    # What this spider needs. The command line goes over it: -s max_pages=5
    settings = Settings(
        max_pages=50,  # a limit while you try things out; delete it when you are done
        delay=0.5,  # seconds between two requests to the same host
    )

    def parse_item(self, response: Response):
        """Gets the pages of a rule. What it yields is an item, or a request for another page."""
        yield {{
            "url": response.url,
            "title": response.css("title::text").get(),
        }}
'''

FEED: Final = '''\
"""A spider that reads files of records. Run it:  crawler run {file} -o {name}.jsonl"""

from crawler import Response
from crawler.spiders import FeedSpider


class {kind}(FeedSpider):
    url = "{url}"  # XML, CSV, JSON Lines or a JSON array, gzipped or not

    itertag = "item"  # XML: the element that is a record
    items = ""  # JSON: the keys that lead to the array of records, as in "data.products"

    def parse_record(self, response: Response, record):
        """Gets every record: a dict (CSV), any value (JSON), an element of xml.etree (XML)."""
        # XML: yield {{"title": record.findtext("title")}}
        yield super().parse_record(response, record)
'''

API: Final = '''\
"""A spider that goes through an API. Run it:  crawler run {file} -o {name}.jsonl"""

from crawler import Response, Settings
from crawler.spiders import ApiSpider


class {kind}(ApiSpider):
    url = "{url}"
    items = ""  # where the items of a page stand, as in "data.items"; empty: the page is a list of them
    next = "link"  # or page, offset, cursor:meta.next, url:links.next, graphql
    # token = "env:API_TOKEN"  # from the environment

    # What this spider needs. The command line goes over it: -s max_pages=5
    settings = Settings(
        max_pages=50,  # a limit while you try things out; delete it when you are done
    )

    def parse_item(self, item, response: Response):
        """Gets every item of a page. What it yields is an item, or a request for more of it."""
        yield item
'''

TEMPLATES: Final[dict[Template, str]] = {"page": PAGE, "crawl": CRAWL, "feed": FEED, "api": API}
"""What is written, by kind."""
