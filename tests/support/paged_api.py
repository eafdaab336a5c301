"""An API in memory with pages of users."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from crawler.spiders import ApiSpider
from crawler.testing import FakeSite, Page, collect

URL = "https://api.test/users"
QUERY = "query ($after: String) { repo { issues(after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } } }"
"""A GraphQL query of a page."""


def asked(request) -> dict[str, str]:
    """Return the query of a request."""
    return {name: values[0] for name, values in parse_qs(str(request.url.query, "ascii")).items()}


def users(start: int, end: int) -> list[dict[str, int]]:
    """Return the users with the numbers from `start` to `end` - 1."""
    return [{"id": n} for n in range(start, end)]


def paged(total: int, size: int, *, name: str = "page", first: int = 1, more=lambda page, last: {}):
    """Return pages by number, of `size` items each."""

    def answer(request):
        page = int(asked(request).get(name, first)) - first
        listed = users(page * size, min((page + 1) * size, total))
        return Page({"data": listed} | more(page, (page + 1) * size >= total))

    return answer


async def ids(spider: ApiSpider, site: FakeSite, **options) -> list[int]:
    """Crawl a site without failures, and return the numbers of its items."""
    found = await collect(spider, site, **options)
    assert found.report.failed == 0
    return [item["id"] for item in found.items]


def queries(site: FakeSite) -> list[str]:
    """Return the queries that a site received, without those for robots.txt."""
    return [urlsplit(visit.url).query for visit in site.log if not visit.url.endswith("/robots.txt")]


def site_of(page) -> FakeSite:
    """Return a site of the API with one page."""
    return FakeSite({URL: page}, host="https://api.test")
