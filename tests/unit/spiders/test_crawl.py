"""`CrawlSpider`: the links that its rules accept, and the pages they lead to."""

from __future__ import annotations

import attrs
import pytest
from support.cases import each

from crawler import ConfigError, CrawlSpider, Request, Response, Rule
from crawler.testing import FakeSite, Page, callback_results, collect, response_for

URL = "https://site.test/"


def links(*hrefs: str, before: str = "", after: str = "") -> str:
    return before + "".join(f"<a href='{href}'>{href}</a>" for href in hrefs) + after


class Pages(CrawlSpider):
    start_urls = [URL]

    def parse_item(self, response):
        yield {"path": response.url.removeprefix("https://site.test")}

    def parse_other(self, response):
        return {"other": response.url.removeprefix("https://site.test")}


def spider_of(*rules: Rule, base: type[CrawlSpider] = Pages, **body) -> CrawlSpider:
    return type("Site", (base,), {"rules": list(rules), **body})()


async def paths(*rules: Rule, page: str, url: str = URL, headers=None) -> list[str]:
    """Return the requests that the rules make for one page."""
    requests = await callback_results(spider_of(*rules), response_for(url, page, headers=headers))
    return [request.url.removeprefix("https://site.test") for request in requests]


# ---- a whole crawl ---------------------------------------------------------------------------------------------------


async def test_a_site_by_rules(autojump_clock):
    site = FakeSite({
        "/": links("/page/1", "/item/1", "/about", "https://other.test/item/9"),
        "/page/1": links("/page/2", "/item/2", "/item/1"),
        "/page/2": links("/", "/item/3"),
        "/item/1": links("/item/4"),
        "/item/2": "",
        "/item/3": "",
        "/item/4": "",
    })  # fmt: skip
    spider = spider_of(Rule(r"/item/", "parse_item"), Rule(r"/page/"), allowed_domains=["site.test"])
    found = await collect(spider, site)
    assert sorted(item["path"] for item in found.items) == ["/item/1", "/item/2", "/item/3"]
    assert not site.visits("/about")
    assert not site.visits("/item/4")  # a rule with a callback does not follow
    assert found.report.filtered == {"scope": 1, "duplicate": 1}
    assert found.report.failed == 0


async def test_a_rule_that_has_a_callback_and_follows(autojump_clock):
    site = FakeSite({"/": links("/item/1"), "/item/1": links("/item/2"), "/item/2": links("/item/1", "/")})
    found = await collect(spider_of(Rule(r"/item/", "parse_item", follow=True)), site)
    assert sorted(item["path"] for item in found.items) == ["/item/1", "/item/2"]


@pytest.mark.parametrize("form", ["generator", "value", "coroutine", "async generator", "nothing"])
async def test_callbacks_have_any_form_and_the_rules_continue(autojump_clock, form):
    async def coroutine(self, response):
        return [{"form": form}]

    async def agen(self, response):
        yield {"form": form}

    def generator(self, response):
        yield {"form": form}

    forms = {
        "generator": generator, "value": lambda self, response: {"form": form}, "coroutine": coroutine,
        "async generator": agen, "nothing": lambda self, response: None,
    }  # fmt: skip
    site = FakeSite({"/": links("/a"), "/a": links("/b"), "/b": ""})
    found = await collect(spider_of(Rule(r"/[ab]", "own", follow=True), own=forms[form]), site)
    assert found.report.pages == 3
    assert found.items == ([] if form == "nothing" else [{"form": form}] * 2)


async def test_start_pages_have_a_method_of_their_own(autojump_clock):
    def parse_start(self, response):
        yield {"start": response.url}

    site = FakeSite({"/": links("/item/1"), "/item/1": ""})
    found = await collect(spider_of(Rule(r"/item/", "parse_item"), parse_start=parse_start), site)
    assert found.items == [{"start": URL}, {"path": "/item/1"}]


async def test_a_page_that_fails_reaches_the_errback(autojump_clock):
    def gone(self, failure):
        yield {"gone": failure.request.url.removeprefix(URL), "status": failure.response.status}

    site = FakeSite({"/": links("/item/1", "/list"), "/item/1": Page("", 410)})
    found = await collect(
        spider_of(Rule(r"/item/", "parse_item", errback="gone"), Rule(errback="gone"), gone=gone), site
    )
    assert sorted(found.items, key=str) == [{"gone": "item/1", "status": 410}, {"gone": "list", "status": 404}]


async def test_known_links_are_dropped_before_a_request_is_made_of_them(autojump_clock):
    everything = links(*(f"/p/{n}" for n in range(20)))
    site = FakeSite({"/": everything, **{f"/p/{n}": everything for n in range(20)}})
    made: list[str] = []

    def note(self, request, response):
        made.append(request.url)
        return request

    found = await collect(spider_of(Rule(r"/p/", process_request="note"), note=note), site)
    assert found.report.pages == 21
    assert made == [f"{URL}p/{n}" for n in range(20)]
    assert found.report.filtered == {"duplicate": 400}


async def test_a_job_continues_with_the_rules(autojump_clock, tmp_path):
    from crawler import Settings, crawl  # noqa: PLC0415

    site = FakeSite({"/": links("/item/1"), **{f"/item/{n}": links(f"/item/{n + 1}") for n in range(1, 6)}})
    rule = Rule(r"/item/[1-5]", "parse_item", follow=True, cb_kwargs={})
    for pages in (3, None):
        report = await crawl(
            spider_of(rule), transport=site.transport, job=tmp_path / "job", outputs=[tmp_path / "items.jsonl"],
            settings=Settings(max_pages=pages),
        )  # fmt: skip
    assert report.finished == "finished"
    lines = (tmp_path / "items.jsonl").read_text().splitlines()
    assert sorted(lines) == [f'{{"path":"/item/{n}"}}' for n in range(1, 6)]
    assert [len(site.visits(f"/item/{n}")) for n in range(1, 6)] == [1] * 5


# ---- which links -----------------------------------------------------------------------------------------------------

PAGE = """
<nav class=menu><a href=/menu/1>One</a> <a href=/menu/2 rel='nofollow noopener'>Two</a></nav>
<div id=main><p><a href=/item/1>First item</a><a href=/item/1#part>again</a></p><a href=/item/2>Second</a>
<map><area href=/area/1></map><img src=/img/1.png><a data-to=/data/1>data</a><a>none</a>
<a href=mailto:x@y.z>mail</a></div>
<a class=next href=https://sub.other.test/item/3>Next  page</a><template><a href=/inert>x</a></template>
"""
ALL = ["/menu/1", "/menu/2", "/item/1", "/item/2", "https://sub.other.test/item/3", "/area/1"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, ALL),
        ({"allow": "item"}, ["/item/1", "/item/2", "https://sub.other.test/item/3"]),
        ({"allow": ["menu/1$", "area"]}, ["/menu/1", "/area/1"]),
        ({"allow": r"item", "deny": [r"other\.test", "2"]}, ["/item/1"]),
        ({"deny": "item"}, ["/menu/1", "/menu/2", "/area/1"]),
        ({"allow_domains": "other.test"}, ["https://sub.other.test/item/3"]),
        ({"allow_domains": ["other.test", "site.test"]}, ALL),
        ({"deny_domains": "other.test"}, [path for path in ALL if "other" not in path]),
        ({"restrict_css": ".menu"}, ["/menu/1", "/menu/2"]),
        ({"restrict_css": "a.next"}, ["https://sub.other.test/item/3"]),
        ({"restrict_css": ["#main", "#main p"], "allow": "item"}, ["/item/1", "/item/2"]),
        ({"restrict_xpath": "//p"}, ["/item/1"]),
        ({"restrict_css": "p", "restrict_xpath": "//a[@class='next']"}, ["/item/1", "https://sub.other.test/item/3"]),
        ({"tags": "area"}, ["/area/1"]),
        ({"tags": "img", "attributes": "src"}, ["/img/1.png"]),
        ({"tags": ("a",), "attributes": ("data-to", "href"), "restrict_css": "#main"},
         ["/item/1", "/item/2", "/data/1"]),
        ({"skip_nofollow": True}, [path for path in ALL if path != "/menu/2"]),
        ({"text": "(?i)next page$"}, ["https://sub.other.test/item/3"]),
        ({"allow": "nowhere"}, []),
    ],
)  # fmt: skip
async def test_the_arguments_of_a_rule(rule, expected):
    assert sorted(await paths(Rule(**rule), page=PAGE)) == sorted(expected)


async def test_links_come_in_the_order_of_the_page():
    assert await paths(Rule(restrict_css="body"), page=links("/c", "/a", "/b", "/a")) == ["/c", "/a", "/b"]
    assert await paths(Rule(), page=links("/c", "/a", "/b", "/a")) == ["/c", "/a", "/b"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Rule(r"/item/", "parse_item"), Rule(callback="parse_other")),
        (Rule(restrict_css="p", callback="parse_item"), Rule(callback="parse_other")),
        (Rule(r"item/1", "parse_item"), Rule(restrict_css="#main", callback="parse_other")),
        (Rule(text="item|Second", callback="parse_item"), Rule(text=".", callback="parse_other")),
    ],
)
async def test_the_first_rule_that_fits_takes_a_link(first, second):
    requests = await callback_results(spider_of(first, second), response_for(URL, PAGE))
    assert len({request.url for request in requests}) == len(requests)
    by_path = {request.url.removeprefix(URL): request.callback for request in requests}
    assert by_path["item/1"] == "parse_item"
    assert "parse_other" in by_path.values()


async def test_base_href_counts():
    assert await paths(Rule(), page="<base href=/deep/>" + links("x")) == ["/deep/x"]
    assert await paths(Rule(restrict_css="a"), page="<base href=/deep/>" + links("x")) == ["/deep/x"]


async def test_a_body_that_is_not_html_has_no_links():
    assert await paths(Rule(), page=links("/a"), headers={"Content-Type": "application/json"}) == []
    assert await paths(Rule(text="x"), page=links("/a"), headers={"Content-Type": "text/plain"}) == []


async def test_links_can_be_processed():
    def longest(self, found):
        assert [link.text for link in found] == ["/a", "/bbb", "/cc"]
        return [link for link in found if len(link.text) > 2]

    def as_print(found):
        return [f"{link.url}?print=1" for link in found]

    spider = spider_of(Rule(process_links="longest"), longest=longest)
    assert [request.url for request in spider.follow_rules(response_for(URL, links("/a", "/bbb", "/cc")))] == [
        f"{URL}bbb", f"{URL}cc"
    ]  # fmt: skip
    [request] = spider_of(Rule(process_links=as_print)).follow_rules(response_for(URL, links("/a")))
    assert request.url == f"{URL}a?print=1"
    assert list(spider_of(Rule(process_links=lambda found: None)).follow_rules(response_for(URL, links("/a")))) == []


async def test_requests_can_be_processed():
    def change(self, request, response):
        if "drop" in request.url:
            return None
        return request.replace(meta={"from": response.url})

    spider = spider_of(Rule(process_request="change"), change=change)
    [request] = spider.follow_rules(response_for(URL, links("/a", "/drop")))
    assert (request.url, request.meta, request.depth) == (f"{URL}a", {"from": URL}, 1)


async def test_a_new_request_for_one_that_was_processed_is_as_deep():
    spider = spider_of(Rule(process_request=lambda request, response: Request(request.url, method="HEAD")))
    [request] = spider.follow_rules(response_for(URL, links("/a")))
    assert (request.method, request.depth) == ("HEAD", 1)


def test_a_processor_that_returns_something_else_is_named():
    spider = spider_of(Rule(process_request=lambda request, response: "x"))
    with pytest.raises(TypeError, match="process_request returns a Request or None, not str"):
        list(spider.follow_rules(response_for(URL, links("/a"))))


def test_requests_have_the_options_of_their_rule():
    spider = spider_of(Rule(callback="parse_item", options={"priority": 5, "session": "s", "quotas": {"k": 2}}))
    [request] = spider.follow_rules(response_for(URL, links("/a")))
    assert (request.priority, request.session, request.quotas, request.callback) == (5, "s", {"k": 2}, "parse_item")


# ---- arguments of callbacks ------------------------------------------------------------------------------------------


@attrs.frozen
class Section:
    name: str


@pytest.mark.parametrize("follow", [False, True])
async def test_arguments_reach_the_callback_as_they_were(autojump_clock, follow):
    def own(self, response, section: Section, number):
        assert isinstance(section, Section)
        yield {"section": section.name, "number": number}

    rule = Rule(r"/a", "own", follow=follow, cb_kwargs={"section": Section("x"), "number": [1]})
    found = await collect(spider_of(rule, own=own), FakeSite({"/": links("/a"), "/a": ""}))
    assert found.items == [{"section": "x", "number": [1]}]


async def test_a_function_of_the_class_is_a_callback(autojump_clock):
    class Site(CrawlSpider):
        start_urls = [URL]

        def parse_a(self, response):
            yield {"a": response.url}

        def only_first(self, found):
            return found[:1]

        rules = [Rule(callback=parse_a, process_links=only_first)]

    found = await collect(Site(), FakeSite({"/": links("/a", "/b"), "/a": "", "/b": ""}))
    assert found.items == [{"a": f"{URL}a"}]


async def test_rules_may_be_set_by_the_constructor(autojump_clock):
    class Site(CrawlSpider):
        start_urls = [URL]
        part: str = ""

        def __init__(self, **arguments) -> None:
            super().__init__(**arguments)
            self.rules = [Rule(self.part, self.parse_part)]

        def parse_part(self, response):
            yield {"url": response.url}

    found = await collect(Site(part="/b"), FakeSite({"/": links("/a", "/b"), "/a": "", "/b": ""}))
    assert found.items == [{"url": f"{URL}b"}]


async def test_a_callback_may_follow_the_rules_itself(autojump_clock):
    def parse_item(self, response):
        yield {"path": response.url}
        yield from self.follow_rules(response)

    site = FakeSite({"/": links("/a"), "/a": links("/b"), "/b": ""})
    found = await collect(spider_of(Rule("/[ab]", "parse_item"), parse_item=parse_item), site)
    assert [item["path"] for item in found.items] == [f"{URL}a", f"{URL}b"]


async def test_a_rule_without_callback_that_does_not_follow_is_for_plugins(autojump_clock):
    site = FakeSite({"/": links("/a"), "/a": links("/b"), "/b": ""})
    found = await collect(spider_of(Rule(follow=False)), site)
    assert (found.report.pages, found.items) == (2, [])


# ---- errors ----------------------------------------------------------------------------------------------------------


@each(
    ("fields", "message"),
    [
        ({"allow": "("}, "Rule: allow: missing ), unterminated subpattern at position 0: '('"),
        ({"deny": ["a", "["]}, "Rule: deny: unterminated character set at position 0: '['"),
        ({"allow": 5}, "Rule: allow must be a regular expression or several, not 5"),
        ({"allow": b"x"}, "Rule: allow must be a regular expression or several, not b'x'"),
        ({"text": ["x"]}, "Rule: text must be a regular expression or several, not (['x'],)"),
        ({"allow_domains": "https://site.test/"},
         "Rule: allow_domains: not a domain: 'https://site.test/' (write example.com, which includes its subdomains)"),
        ({"deny_domains": [5]}, "Rule: deny_domains must be a string or several, not [5]"),
        ({"restrict_css": "a["}, "Rule: restrict_css: "),
        ({"restrict_xpath": "//a["}, "Rule: restrict_xpath: "),
        ({"restrict_css": ""}, "Rule: restrict_css must be a string or several, not ''"),
        ({"tags": "a,b"}, "Rule: tags: not a tag name: 'a,b'"),
        ({"attributes": [None]}, "Rule: attributes must be a string or several, not [None]"),
        ({"follow": "yes"}, "Rule: follow must be true or false, not 'yes'"),
        ({"skip_nofollow": None}, "Rule: skip_nofollow must be true or false, not None"),
        ({"callback": 5}, "Rule: callback must be a method or its name, not 5"),
        ({"errback": 5}, "Rule: errback must be a method or its name, not 5"),
        ({"process_links": 5}, "Rule: process_links must be a method or its name, not 5"),
        ({"process_request": 5}, "Rule: process_request must be a method or its name, not 5"),
        ({"cb_kwargs": ["x"]}, "Rule: cb_kwargs must be a mapping of names to values, not ['x']"),
        ({"options": 5}, "Rule: options must be a mapping of names to values, not 5"),
    ],
)  # fmt: skip
def test_a_field_that_does_not_fit_is_refused(fields, message):
    with pytest.raises(ConfigError) as caught:
        Rule(**fields)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


UNEXPECTED = "got an unexpected keyword argument 'x'; write def parse_item(self, response, x)"


@each(
    ("rule", "message"),
    [
        (Rule(callback="prase_item"),
         "rule 2 of Site: callback: Site has no method 'prase_item' (did you mean parse_item?)"),
        (Rule(errback="x y"), "rule 2 of Site: errback: Site has no method 'x y'"),
        (Rule(callback=print), "rule 2 of Site: callback: Site has no method 'print'"),
        (Rule(process_links="lnks"), "rule 2 of Site: process_links: Site has no method 'lnks'"),
        (Rule(process_request="x"), "rule 2 of Site: process_request: Site has no method 'x'"),
        (Rule(callback="parse_item", cb_kwargs={"x": 1}),
         f"rule 2 of Site: callback Pages.parse_item cannot be called: {UNEXPECTED}"),
        (Rule(callback="parse_item", cb_kwargs={"x": 1}, follow=True),
         f"rule 2 of Site: callback Pages.parse_item cannot be called: {UNEXPECTED}"),
        (Rule(options={"prioity": 1}),
         "rule 2 of Site: options: unknown option 'prioity' (did you mean priority?)"),
        (Rule(options={"callback": "x"}), "rule 2 of Site: options: unknown option 'callback'"),
        (Rule(options={"priority": "x"}), "rule 2 of Site: priority must be int, not str"),
        ("x", "rule 2 of Site is not a Rule: 'x'"),
        (Rule, "rule 2 of Site is not a Rule: <class 'crawler.spiders.rules.Rule'>"),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_fit_its_spider_is_refused(rule, message):
    with pytest.raises(ConfigError) as caught:
        spider_of(Rule("fine"), rule)
    assert str(caught.value) == message


@pytest.mark.parametrize("rules", ["/x", Rule(), 5])
def test_rules_are_a_list(rules):
    with pytest.raises(ConfigError, match="^Site: rules must be a list of Rule, not "):
        type("Site", (CrawlSpider,), {"rules": rules})()


def test_parse_belongs_to_the_rules():
    with pytest.raises(ConfigError) as caught:
        type("Site", (CrawlSpider,), {"parse": lambda self, response: None})
    assert str(caught.value) == ("Site.parse would replace the rules: give it another name, such as parse_item")


def test_an_unknown_argument_is_refused():
    with pytest.raises(ConfigError, match=r"^spider Pages has no argument 'start_url' \(did you mean start_urls\?\)$"):
        Pages(start_url=URL)


def test_more_urls_than_are_remembered(monkeypatch):
    monkeypatch.setattr("crawler.spiders.crawl.MAX_REMEMBERED", 10)
    spider = spider_of(Rule(r"/even/", "parse_item"))
    hrefs = [f"/{'even' if n % 2 == 0 else 'odd'}/{n}" for n in range(100)]
    for _ in range(2):
        found = list(spider.follow_rules(response_for(URL, links(*hrefs))))
        assert [request.url for request in found] == [f"{URL}even/{n}" for n in range(0, 100, 2)]


def test_a_response_knows_nothing_of_rules():
    """Rules see canonical URLs, whatever the page contains."""
    spider = spider_of(Rule(r"^https://site\.test/item/\?q=%20x$"))
    assert [
        r.url for r in spider.follow_rules(Response(URL, 200, {"Content-Type": "text/html"}, links("/item/? q= x")))
    ] == []
    [request] = spider.follow_rules(response_for(f"{URL}a/", links("../item/?q= x#y")))
    assert request.url == f"{URL}item/?q=%20x"
