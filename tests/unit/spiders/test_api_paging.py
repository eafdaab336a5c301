"""`ApiSpider`: every page of an API exactly once, with every kind of paging."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import httpx
import pytest
from support.paged_api import QUERY, URL, asked, ids, paged, queries, site_of, users

from crawler import Request, Settings
from crawler.spiders import ApiSpider
from crawler.testing import Page, collect


async def test_paging_by_number_ends_at_a_short_page(autojump_clock):
    site = site_of(paged(5, 2))
    assert await ids(ApiSpider(url=URL, items="data", next="page"), site) == [0, 1, 2, 3, 4]
    assert queries(site) == ["page=1", "page=2", "page=3"]


async def test_paging_by_number_ends_at_an_empty_page(autojump_clock):
    site = site_of(paged(4, 2))
    assert await ids(ApiSpider(url=URL, items="data", next="page"), site) == [0, 1, 2, 3]
    assert queries(site) == ["page=1", "page=2", "page=3"]


async def test_a_short_page_in_the_middle_does_not_end_the_paging_if_configured(autojump_clock):
    pages = {"1": users(0, 3), "2": users(3, 4), "3": users(4, 7)}
    site = site_of(lambda request: Page(pages.get(asked(request)["page"], [])))
    assert await ids(ApiSpider(url=URL, next="page", until="empty"), site) == list(range(7))
    assert await ids(ApiSpider(url=URL, next="page"), site) == list(range(4))


async def test_a_server_that_returns_fewer_items_than_requested_is_read_to_its_end(autojump_clock):
    site = site_of(paged(5, 2))  # it was asked for 100
    assert await ids(ApiSpider(url=URL, items="data", next="page", size=100), site) == [0, 1, 2, 3, 4]
    assert queries(site)[0] == "page=1&limit=100"


async def test_paging_with_other_names_and_another_first_page(autojump_clock):
    site = site_of(paged(3, 2, name="p", first=0))
    spider = ApiSpider(
        url=f"{URL}?q=a%20b&p=7", items="data", next="page", param="p", first=0, size=2, size_param="per_page",
        params={"sort": "id"},
    )  # fmt: skip
    assert await ids(spider, site) == [0, 1, 2]
    assert queries(site) == ["q=a%20b&sort=id&p=0&per_page=2", "q=a%20b&sort=id&p=1&per_page=2"]


@pytest.mark.parametrize("size", [0, 2, 100])
async def test_paging_by_offset(autojump_clock, size):
    def answer(request):
        start = int(asked(request)["offset"])
        return Page({"data": users(start, min(start + 2, 5))})

    site = site_of(answer)
    assert await ids(ApiSpider(url=URL, items="data", next="offset", size=size), site) == [0, 1, 2, 3, 4]
    assert [parse_qs(query)["offset"] for query in queries(site)] == [["0"], ["2"], ["4"]]


async def test_a_declared_total_saves_the_last_request(autojump_clock):
    site = site_of(paged(4, 2, more=lambda page, last: {"meta": {"total": "4"}}))
    assert await ids(ApiSpider(url=URL, items="data", next="page", total="meta.total"), site) == [0, 1, 2, 3]
    assert queries(site) == ["page=1", "page=2"]


@pytest.mark.parametrize("says", [(True, False), ("true", "false"), (1, 0), ("yes", "")])
async def test_a_flag_ends_the_paging(autojump_clock, says):
    site = site_of(paged(4, 2, more=lambda page, last: {"has_more": says[last]}))
    assert await ids(ApiSpider(url=URL, items="data", next="page", more="has_more"), site) == [0, 1, 2, 3]
    assert queries(site) == ["page=1", "page=2"]


async def test_the_number_of_pages_can_be_limited(autojump_clock):
    site = site_of(paged(100, 2))
    assert await ids(ApiSpider(url=URL, items="data", next="page", max_pages=3), site) == list(range(6))
    site = site_of(paged(100, 2, more=lambda page, last: {"total": 100}))
    spider = ApiSpider(url=URL, items="data", next="page", max_pages=3, parallel=True, total="total")
    assert sorted(await ids(spider, site)) == list(range(6))


@pytest.mark.parametrize(("total", "pages"), [(0, 1), (1, 1), (2, 1), (3, 2), (40, 20), (41, 21)])
@pytest.mark.parametrize("way", ["page", "offset"])
async def test_parallel_paging_requests_each_existing_page_once(autojump_clock, way, total, pages):
    def answer(request):
        query = asked(request)
        start = (int(query["page"]) - 1) * 2 if way == "page" else int(query["offset"])
        return Page({"data": users(start, min(start + 2, total)), "total": total}, delay=1.0)

    site = site_of(answer)
    spider = ApiSpider(url=URL, items="data", next=way, total="total", parallel=True)
    settings = Settings(per_host=8, slow_start=False)
    assert sorted(await ids(spider, site, settings=settings)) == list(range(total))
    assert len(queries(site)) == len(set(queries(site))) == pages
    if pages > 10:
        assert site.peak["https://api.test"] == 8


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize(("way", "first"), [("page", 0), ("page", 3), ("offset", 1), ("offset", 4)])
async def test_paging_may_begin_in_the_middle(autojump_clock, way, first, parallel):
    base = {("page", 0): 0, ("page", 3): 1, ("offset", 1): 1, ("offset", 4): 0}[way, first]

    def answer(request):
        value = int(asked(request)[way]) - base
        start = value * 2 if way == "page" else value
        return Page({"data": users(start, min(start + 2, 10)), "total": 10})

    site = site_of(answer)
    spider = ApiSpider(url=URL, items="data", next=way, first=first, total="total", parallel=parallel)
    assert sorted(await ids(spider, site)) == list(range(4 if first > 1 else 0, 10))
    assert len(queries(site)) == (3 if first > 1 else 5)


async def test_items_added_during_the_paging_are_read_too(autojump_clock):
    def answer(request):
        page = int(asked(request)["page"])
        total = 4 if page == 1 else 5
        return Page({"data": users((page - 1) * 2, min(page * 2, total)), "total": total})

    spider = ApiSpider(url=URL, items="data", next="page", total="total", parallel=True)
    assert sorted(await ids(spider, site_of(answer))) == [0, 1, 2, 3, 4]


async def test_parallel_pages_without_a_total_fail_clearly(autojump_clock, caplog):
    spider = ApiSpider(url=URL, items="data", next="page", total="totl", parallel=True)
    found = await collect(spider, site_of(paged(4, 2)))
    assert (found.report.failed, found.items) == (1, [])
    assert "does not have the total number of items" in caplog.text


async def test_paging_by_cursor(autojump_clock):
    after = {None: ("a b&c", [0, 1]), "a b&c": (7, []), "7": (None, [2])}

    def answer(request):
        cursor, listed = after[asked(request).get("cursor")]
        return Page({"data": [{"id": n} for n in listed], "meta": {"next": cursor}})

    site = site_of(answer)
    assert await ids(ApiSpider(url=URL, items="data", next="cursor:meta.next"), site) == [0, 1, 2]
    assert queries(site) == ["", "cursor=a%20b%26c", "cursor=7"]


@pytest.mark.parametrize("end", [None, "", False])
@pytest.mark.parametrize("way", ["cursor:next", "url:next"])
async def test_paging_ends_without_a_next_page(autojump_clock, end, way):
    site = site_of(Page({"data": users(0, 2), "next": end}))
    assert await ids(ApiSpider(url=URL, items="data", next=way), site) == [0, 1]
    assert len(queries(site)) == 1


async def test_paging_by_url(autojump_clock):
    site = site_of(lambda request: Page(
        {"data": users(0, 2), "@odata.nextLink": "?skip=2"} if not asked(request) else {"data": users(2, 3)}
    ))  # fmt: skip
    spider = ApiSpider(url=URL, items="data", next='url:"@odata.nextLink"', size=5)
    site.pages[f"{URL}?limit=5"] = Page({"data": users(0, 2), "@odata.nextLink": f"{URL}?skip=2"})
    assert await ids(spider, site) == [0, 1, 2]
    assert queries(site) == ["limit=5", "skip=2"]


@pytest.mark.parametrize(
    "header",
    [
        '<?page=2>; rel="next"',
        '<https://api.test/users?page=1>; rel="prev first", <https://api.test/users?page=2>; title="a, <b>"; REL=next',
        "</users?page=2>;rel='x';rel=next",
        '<users?page=2> ; rel = "last Next"',
    ],
)
async def test_paging_by_link_header(autojump_clock, header):
    pages = {"": Page(users(0, 2), headers={"Link": header}), "page=2": Page(users(2, 3))}
    site = site_of(lambda request: pages[str(request.url.query, "ascii")])
    expected = [0, 1] if "rel='x'" in header else [0, 1, 2]
    assert await ids(ApiSpider(url=URL), site) == expected


async def test_a_page_without_link_header_is_the_only_one(autojump_clock):
    assert await ids(ApiSpider(url=URL), site_of(Page(users(0, 2)))) == [0, 1]


async def test_paging_by_several_link_headers(autojump_clock):
    headers = [("Link", "<?page=9>; rel=last"), ("Link", "<?page=2>; rel=next")]
    pages = {"": Page(users(0, 2), headers=headers), "page=2": Page(users(2, 3))}
    site = site_of(lambda request: pages[str(request.url.query, "ascii")])
    assert await ids(ApiSpider(url=URL), site) == [0, 1, 2]


async def test_paging_parameters_in_a_body(autojump_clock):
    bodies = []

    def answer(request):
        bodies.append(json.loads(request.content))
        start = bodies[-1]["offset"]
        return Page({"hits": users(start, min(start + 2, 3))})

    spider = ApiSpider(url=URL, items="hits", next="offset", size=2, body={"query": "x"}, params={"v": "1"})
    assert await ids(spider, site_of(answer)) == [0, 1, 2]
    assert bodies == [{"query": "x", "offset": start, "limit": 2} for start in (0, 2)]


def graph(request) -> Page:
    asked = json.loads(request.content)
    assert (request.method, asked["query"]) == ("POST", QUERY)
    start = int(asked["variables"].get("after") or 0)
    more = start < 4
    issues = {"nodes": users(start, start + 2), "pageInfo": {"hasNextPage": more, "endCursor": str(start + 2)}}
    return Page({"data": {"repo": {"issues": issues}}})


@pytest.mark.parametrize("way", ["", "graphql", "graphql:data.repo.issues.pageInfo"])
async def test_paging_of_graphql(autojump_clock, way):
    site = site_of(graph)
    spider = ApiSpider(url=URL, query=QUERY, items="data.repo.issues.nodes", next=way, variables={"owner": "x"})
    assert await ids(spider, site) == [0, 1, 2, 3, 4, 5]
    variables = [json.loads(visit.body)["variables"] for visit in site.log if visit.method == "POST"]
    assert variables == [{"owner": "x"}, {"owner": "x", "after": "2"}, {"owner": "x", "after": "4"}]


@pytest.mark.parametrize("fault", [httpx.ReadError("reset"), Page("busy", 503), httpx.ConnectError("refused")])
async def test_a_graphql_query_is_idempotent_and_is_repeated(autojump_clock, fault):
    site = site_of([fault, graph])
    spider = ApiSpider(url=URL, query=QUERY, items="data.repo.issues.nodes", max_pages=1)
    assert await ids(spider, site) == [0, 1]


async def test_other_posts_of_the_spider_are_not_repeated(autojump_clock):
    class Writes(ApiSpider):
        def parse_item(self, item, response):
            yield Request("https://api.test/write", self.parse_write, method="POST", json=item)

        def parse_write(self, response):
            return {"written": True}

    site = site_of(graph)
    site.pages["https://api.test/write"] = httpx.ReadError("reset")
    found = await collect(Writes(url=URL, query=QUERY, items="data.repo.issues.nodes", max_pages=1), site)
    assert (found.report.failed, found.report.retries) == (2, 0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"errors": [{"message": "no field\n'x'"}, {"message": "b"}], "data": None},
         "responded with errors: no field 'x'; b"),
        ({"errors": "odd"}, "responded with errors: odd"),
        ({"data": {"issues": {"nodes": []}}}, "it has no pageInfo"),
        ({"data": {"issues": {"nodes": [], "pageInfo": {"hasNextPage": True}}}}, "a next page but no endCursor"),
        ({"data": {"issues": None}}, "expected a list of items at data.issues.nodes, found nothing"),
    ],
)  # fmt: skip
async def test_errors_of_a_graphql_response_are_reported(autojump_clock, caplog, body, told):
    found = await collect(ApiSpider(url=URL, query=QUERY, items="data.issues.nodes"), site_of(Page(body)))
    assert (found.report.failed, found.items) == (1, [])
    assert told in caplog.text


@pytest.mark.parametrize("way", ["page", "offset"])
async def test_a_server_that_repeats_one_page_ends_the_paging(autojump_clock, caplog, way):
    found = await collect(ApiSpider(url=URL, next=way), site_of(Page(users(0, 2))))
    assert [item["id"] for item in found.items] == [0, 1]
    assert found.report.counters == {"repeated pages": 1}
    assert "repeats the items of the previous page: paging ends there" in caplog.text


async def test_a_cursor_that_names_itself_ends_the_paging(autojump_clock):
    site = site_of(lambda request: Page({"data": users(0, 1) if not asked(request) else users(1, 2), "next": "x"}))
    found = await collect(ApiSpider(url=URL, items="data", next="cursor:next"), site)
    assert [item["id"] for item in found.items] == [0, 1]
    assert found.report.counters == {"repeated pages": 1}


async def test_next_urls_that_form_a_circle_end_the_paging(autojump_clock):
    pages = {"": "?b", "b": "?c", "c": "?b"}
    site = site_of(lambda request: Page({
        "data": [{"id": str(request.url.query, "ascii")}], "next": pages[str(request.url.query, "ascii")]
    }))  # fmt: skip
    assert await ids(ApiSpider(url=URL, items="data", next="url:next"), site) == ["", "b", "c"]


async def test_a_server_that_answers_all_parallel_requests_with_the_first_page(autojump_clock):
    found = await collect(
        ApiSpider(url=URL, items="data", next="page", total="total", parallel=True),
        site_of(Page({"data": users(0, 2), "total": 8})),
    )
    assert [item["id"] for item in found.items] == [0, 1]
    assert found.report.counters == {"repeated pages": 3}
