"""`ApiSpider`: items, credentials, jobs and errors. Paging: `test_api_paging`."""

from __future__ import annotations

import json

import pytest
from support.cases import each
from support.paged_api import QUERY, URL, asked, ids, paged, site_of, users

from crawler import ConfigError, FetchTimeout, Request, RetryPolicy, Settings, crawl
from crawler.spiders import ApiSpider
from crawler.spiders.api import IdempotentPosts
from crawler.testing import FakeSite, Page, collect

READ = Request("https://api.test/", "parse_page", method="POST")
WRITE = Request("https://api.test/", "parse_other", method="POST")


class Policy:
    """Records the methods that it is asked about."""

    name = "mine"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def goes_back(self, request: Request, error: object, refusals: int) -> bool:
        self.asked.append(request.method)
        return True

    def wait(self, request: Request, attempts: int, error: object) -> float | None:
        self.asked.append(request.method)
        return 1.5


def test_only_requests_of_the_callback_are_reads():
    policy = Policy()
    reads = IdempotentPosts(policy, "parse_page")
    for request in (READ, WRITE, READ.replace(method="GET")):
        assert reads.goes_back(request, FetchTimeout(), 1) is True
        assert reads.wait(request, 1, FetchTimeout()) == 1.5
    assert policy.asked == ["GET", "GET", "POST", "POST", "GET", "GET"]
    assert READ.method == "POST"


def test_the_policy_decides_about_all_other_requests():
    assert IdempotentPosts(Policy(), "parse_page").name == "mine"


def test_the_usual_policy_repeats_reads_only():
    reads = IdempotentPosts(RetryPolicy(Settings()), "parse_page")
    assert reads.wait(READ, 1, FetchTimeout()) is not None
    assert reads.wait(WRITE, 1, FetchTimeout()) is None


NEW_LINE = "\n"


# ---- items -----------------------------------------------------------------------------------------------------------


async def test_items_may_be_scalars(autojump_clock):
    found = await collect(ApiSpider(url=URL), site_of(Page([1, "b", None, {"c": 1}])))
    assert found.items == [{"value": 1}, {"value": "b"}, {"value": None}, {"c": 1}]


async def test_items_by_a_jmespath_expression(autojump_clock):
    body = {"groups": [{"users": [{"id": 1, "on": True}]}, {"users": [{"id": 2, "on": False}, {"id": 3, "on": True}]}]}
    assert await ids(ApiSpider(url=URL, items="groups[].users[?on][]"), site_of(Page(body))) == [1, 3]
    assert await ids(ApiSpider(url=URL, items="nothing[].users"), site_of(Page(body))) == []


@pytest.mark.parametrize("form", ["plain", "generator", "coroutine", "async generator"])
@pytest.mark.parametrize("parallel", [False, True])
async def test_an_item_may_lead_to_requests(autojump_clock, form, parallel):
    class Details(ApiSpider):
        def detail(self, item, response):
            return response.follow(f"/users/{item['id']}", self.parse_detail)

        def parse_detail(self, response):
            return response.json()

        if form == "plain":
            parse_item = detail
        elif form == "generator":

            def parse_item(self, item, response):
                yield self.detail(item, response)

        elif form == "coroutine":

            async def parse_item(self, item, response):
                return self.detail(item, response)

        else:

            async def parse_item(self, item, response):
                yield self.detail(item, response)

    site = site_of(paged(3, 2, more=lambda page, last: {"total": 3}))
    site.pages |= {f"{URL}/{n}": Page({"id": n, "name": str(n)}) for n in range(3)}
    spider = Details(url=URL, items="data", next="page", total="total", parallel=parallel)
    assert sorted(await ids(spider, site)) == [0, 1, 2]


async def test_an_item_that_cannot_be_handled_fails_its_page_only(autojump_clock):
    class Strict(ApiSpider):
        def parse_item(self, item, response):
            yield {"id": 10 // item["id"]}

    found = await collect(Strict(url=URL, next="page", until="empty"), site_of(lambda request: Page(
        {"1": [{"id": 1}], "2": [{"id": 2}, {"id": 0}]}.get(asked(request)["page"], [])
    )))  # fmt: skip
    assert found.items == [{"id": 10}]
    assert found.report.failed == 1


@pytest.mark.parametrize(
    ("page", "items", "told"),
    [
        (
            Page({"data": []}),
            "",
            "expected a list of items as the page, found an object; name the path to them (items=...)",
        ),
        (Page({"data": {"x": 1}}), "data", "expected a list of items at data, found an object"),
        (Page({"dat": []}), "data", "expected a list of items at data, found nothing"),
        (Page({"data": "x"}), "data", "expected a list of items at data, found a string"),
        (Page({"data": True}), "data", "expected a list of items at data, found a boolean"),
        (Page(5), "", "expected a list of items as the page, found a number"),
        (Page("<html>"), "data", "is not JSON"),
        (Page({"data": [], "next": 5.5}), "data", "the next page is named by neither text nor a number: 5.5"),
        (Page({"data": [], "next": {}}), "data", "the next page is named by neither text nor a number: {}"),
    ],
)
async def test_an_unexpected_page_fails_with_the_reason(autojump_clock, caplog, page, items, told):
    found = await collect(ApiSpider(url=URL, items=items, next="cursor:next"), site_of(page))
    assert (found.report.failed, found.items) == (1, [])
    assert told in caplog.text


async def test_an_invalid_next_url_fails_its_page(autojump_clock, caplog):
    found = await collect(ApiSpider(url=URL, items="d", next="url:n"), site_of(Page({"d": [], "n": "mailto:x@y.z"})))
    assert found.report.failed == 1
    assert "the URL of the next page is not a web URL: 'mailto:x@y.z'" in caplog.text


async def test_null_instead_of_a_list_is_an_empty_page(autojump_clock):
    assert await ids(ApiSpider(url=URL, items="a.data"), site_of(Page({"a": {"data": None}}))) == []
    assert await ids(ApiSpider(url=URL, items='"a.b"'), site_of(Page({"a.b": None}))) == []


async def test_a_first_page_without_the_configured_fields_is_reported(autojump_clock, caplog):
    assert await ids(ApiSpider(url=URL, items="data", next="page", more="has_mor"), site_of(paged(4, 2))) == [0, 1]
    assert "no value at the path of more: has_mor" in caplog.text


# ---- credentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ({"token": "s3cret"}, "authorization", "Bearer s3cret"),
        ({"token": "env:API_TOKEN"}, "authorization", "Bearer from env"),
        ({"user": "ada:engine:1"}, "authorization", "Basic YWRhOmVuZ2luZTox"),
        ({"user": "env:API_USER"}, "authorization", "Basic dTpw"),
        ({"headers": {"X-Key": "env:API_TOKEN"}}, "x-key", "from env"),
        ({"headers": {"Accept": "application/vnd.x+json"}}, "accept", "application/vnd.x+json"),
    ],
)
async def test_credentials_go_to_the_api_and_nowhere_else(autojump_clock, monkeypatch, arguments, name, value):
    monkeypatch.setenv("API_TOKEN", "from env")
    monkeypatch.setenv("API_USER", "u:p")
    site = FakeSite({
        "https://api.test/users": Page({"data": users(0, 1), "next": "/moved"}),
        "https://api.test/moved": Page(status=302, headers={"Location": "/second"}),
        "https://api.test/second": Page({"data": users(1, 2), "next": "/away"}),
        "https://api.test/away": Page(status=302, headers={"Location": "https://other.test/third"}),
        "https://other.test/third": Page({"data": users(2, 3), "next": "https://other.test/fourth"}),
        "https://other.test/fourth": Page({"data": users(3, 4)}),
    })  # fmt: skip
    assert await ids(ApiSpider(url=URL, items="data", next="url:next", **arguments), site) == [0, 1, 2, 3]
    sent = {visit.url: visit.headers.get(name) for visit in site.log if not visit.url.endswith("/robots.txt")}
    assert [sent[f"https://api.test/{page}"] for page in ("users", "moved", "second", "away")] == [value] * 4
    assert value not in [sent[f"https://other.test/{page}"] for page in ("third", "fourth")]


async def test_a_token_is_not_kept_in_the_job_and_may_change(autojump_clock, tmp_path, monkeypatch):
    site = site_of(paged(6, 2))
    for secret, pages in (("first-secret", 2), ("second-secret", None)):
        monkeypatch.setenv("API_TOKEN", secret)
        spider = ApiSpider(url=URL, items="data", next="page", token="env:API_TOKEN")
        await crawl(spider, transport=site.transport, job=tmp_path / "job", settings=Settings(max_pages=pages))
    kept = b"".join(path.read_bytes() for path in (tmp_path / "job").iterdir())
    assert b"-secret" not in kept
    sent = [visit.headers.get("authorization") for visit in site.log if "page" in visit.url]
    assert sent == ["Bearer first-secret"] * 2 + ["Bearer second-secret"] * (len(sent) - 2)


# ---- jobs and several URLs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["page", "offset", "cursor:next", "url:url", "graphql"])
async def test_a_job_continues_in_the_middle(autojump_clock, tmp_path, way):
    def answer(request):
        query = json.loads(request.content)["variables"] if request.content else asked(request)
        start = int(query.get("offset", query.get("cursor", query.get("after", (int(query.get("page", 1)) - 1) * 2))))
        end = min(start + 2, 20)
        more = end < 20
        return Page({
            "data": users(start, end), "next": end if more else None, "url": f"?cursor={end}" if more else None,
            "pageInfo": {"hasNextPage": more, "endCursor": str(end)},
        })  # fmt: skip

    site = site_of(answer)
    runs = []
    for most in (3, 4, 8, None):
        query = QUERY if way == "graphql" else ""
        report = await crawl(
            ApiSpider(url=URL, items="data", next=way, query=query), transport=site.transport, job=tmp_path / "job",
            outputs=[tmp_path / "items.jsonl"], settings=Settings(max_pages=most),
        )  # fmt: skip
        runs.append(report.pages)
    lines = (tmp_path / "items.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(20))
    assert runs == [3, 4, 8, 10 if way not in ("page", "offset") else 11]
    visits = [(visit.url, visit.body) for visit in site.log if not visit.url.endswith("/robots.txt")]
    assert len(visits) == len(set(visits))  # no page twice


async def test_a_refused_page_is_requested_again_and_the_chain_continues(autojump_clock):
    answers = {"1": [Page(users(0, 2))], "2": [Page(status=429, headers={"Retry-After": "60"}), Page(users(2, 3))]}
    site = FakeSite({f"{URL}?page={page}": pages for page, pages in answers.items()})
    assert await ids(ApiSpider(url=URL, next="page"), site) == [0, 1, 2]


async def test_several_start_urls(autojump_clock):
    site = FakeSite({
        "https://api.test/a": paged(3, 2, more=lambda page, last: {"x": "a"}),
        "https://api.test/b": lambda request: Page({"data": users(10, 11) if "page=1" in str(request.url) else []}),
    })  # fmt: skip
    spider = ApiSpider(start_urls=["https://api.test/a", "https://api.test/b"], items="data", next="page")
    assert sorted(await ids(spider, site)) == [0, 1, 2, 10]


async def test_a_subclass_describes_its_api_by_attributes(autojump_clock):
    class Users(ApiSpider):
        url = URL
        items = "data"
        next = "page"

        def parse_item(self, item, response):
            yield {"id": -item["id"]}

    assert await ids(Users(max_pages=1), site_of(paged(9, 2))) == [0, -1]


async def test_attributes_that_a_subclass_constructor_sets_count(autojump_clock):
    class Users(ApiSpider):
        def __init__(self, group: str) -> None:
            super().__init__()
            self.start_urls = [f"https://api.test/{group}"]
            self.items = "data"

    assert await ids(Users("users"), site_of(paged(2, 2))) == [0, 1]


# ---- errors ----------------------------------------------------------------------------------------------------------


@each(
    ("arguments", "message"),
    [
        ({"url": "api.test"}, "ApiSpider: argument url: not a URL: 'api.test'"),
        ({"url": 5}, "ApiSpider: argument url: must be text, not 5"),
        ({"url": "ftp://a/"}, "ApiSpider: argument url: not an http or https URL: 'ftp://a/'"),
        ({"itmes": "x"}, "spider ApiSpider has no argument 'itmes' (did you mean items?)"),
        ({"items": "a["}, "ApiSpider: argument items: 'a[' is not a JMESPath expression: "),
        ({"items": None}, "ApiSpider: argument items: must be text, not None"),
        ({"next": "curser:x"},
         "ApiSpider: argument next: unknown kind of paging 'curser' (did you mean cursor?)"),
        ({"next": "x"},
         "ApiSpider: argument next: unknown kind of paging 'x' (link, page, offset, cursor, url, graphql)"),
        ({"next": "cursor"},
         "ApiSpider: argument next: cursor needs its path in a page, as in cursor:meta.next"),
        ({"next": "url:"},
         "ApiSpider: argument next: url needs its path in a page, as in url:meta.next"),
        ({"next": "page:p"}, "ApiSpider: argument next: page takes no path; param= names its parameter"),
        ({"next": "cursor:a["}, "ApiSpider: argument next: 'a[' is not a JMESPath expression: "),
        ({"next": "graphql"}, "ApiSpider: argument query: required by graphql"),
        ({"query": "{ a }"}, "ApiSpider: argument items: required by graphql"),
        ({"query": "{ a }", "items": "a[*]"},
         "ApiSpider: argument next: name the path of pageInfo, as in graphql:data.users.pageInfo"),
        ({"query": "{ a }", "items": "a", "body": {}}, "ApiSpider: argument body: cannot be combined with query"),
        ({"total": "a["}, "ApiSpider: argument total: 'a[' is not a JMESPath expression: "),
        ({"more": "a["}, "ApiSpider: argument more: 'a[' is not a JMESPath expression: "),
        ({"until": "full"}, "ApiSpider: argument until: must be short or empty, not 'full'"),
        ({"parallel": True}, "ApiSpider: argument parallel: only possible with next=page and next=offset"),
        ({"parallel": True, "next": "page"},
         "ApiSpider: argument parallel: requires total=, the path of the total number of items"),
        ({"parallel": "yes"}, "ApiSpider: argument parallel: must be true or false, not 'yes'"),
        ({"size": -1}, "ApiSpider: argument size: must be at least 0, not -1"),
        ({"size": "10"}, "ApiSpider: argument size: must be a whole number, not '10'"),
        ({"size": 1, "size_param": ""}, "ApiSpider: argument size_param: must not be empty"),
        ({"max_pages": 0}, "ApiSpider: argument max_pages: must be at least 1, not 0"),
        ({"first": -1}, "ApiSpider: argument first: must be at least 0, not -1"),
        ({"params": {"a": 5}}, "ApiSpider: argument params: must contain only text, not {'a': 5}"),
        ({"params": {"a": "env:NOT_SET"}}, "ApiSpider: argument params: the environment variable 'NOT_SET' is not set"),
        ({"variables": []}, "ApiSpider: argument variables: must be a mapping of names to values, not []"),
        ({"headers": {"a b": "x"}}, "ApiSpider: argument headers: not a field name: 'a b'"),
        ({"headers": {"a": "x\n"}}, "ApiSpider: argument headers: cannot be sent as a"),
        ({"token": "s\n"}, "ApiSpider: argument token: cannot be sent as Authorization"),
        ({"token": "env:NOT_THERE"}, "ApiSpider: argument token: the environment variable 'NOT_THERE' is not set"),
        ({"token": "a", "user": "b:c"}, "ApiSpider: argument user: give a token or a user, not both"),
        ({"user": "ada"}, "ApiSpider: argument user: expected user:password, or env:NAME of a variable that holds it"),
        ({"user": "a:\n"},
         "ApiSpider: argument auth: the user must have no colon, and neither part control characters (RFC 7617)"),
    ],
)  # fmt: skip
def test_an_invalid_argument_is_refused_in_one_line(arguments, message):
    with pytest.raises(ConfigError) as caught:
        ApiSpider(**({"url": URL} | arguments))
    assert str(caught.value).startswith(message)
    assert NEW_LINE not in str(caught.value)


def test_without_jmespath_only_dotted_paths_are_understood(monkeypatch):
    import sys  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "jmespath", None)
    assert ApiSpider(url=URL, items='data[0].list."a b"', next="cursor:meta.next-page").items
    with pytest.raises(ConfigError) as caught:
        ApiSpider(url=URL, items="never[*].seen")
    assert str(caught.value) == (
        "ApiSpider: argument items: 'never[*].seen' is not a dotted path;"
        " for JMESPath: pip install 'trio-crawler[jmespath]'"
    )


async def test_a_spider_without_a_url_is_refused(autojump_clock):
    with pytest.raises(ConfigError, match="^ApiSpider: set the argument url, or start_urls$"):
        await collect(ApiSpider(), FakeSite({}))
    with pytest.raises(ConfigError, match="^ApiSpider: argument url: not an http or https URL: 'ftp://a.test/'$"):
        ApiSpider(start_urls=["ftp://a.test/"])
