"""A crawl that took a loss for success says so: what is missing, where, and exit code 4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from support.trees import FREE, FrontPage
from trio.testing import MockClock

from crawler import Produced, Request, Response, Settings, Spider, crawl
from crawler.losses.find import BARREN_ADVICE
from crawler.spiders import SiteSpider
from crawler.testing import FakeSite, Page, collect

LIST = "".join(f"<a href='/{n}'>x</a>" for n in range(40))


class Items(Spider):
    """Follows the links of a list, and yields an item for each page."""

    start_urls = ["https://site.test/"]
    settings = FREE

    def parse(self, response: Response) -> Produced:
        yield from response.follow_all("a", callback="item")

    def item(self, response: Response) -> Produced:
        for title in response.css("h1::text").getall():
            yield {"title": title}


def site(**pages: Any) -> FakeSite:
    """A list of forty pages, of which some are others."""
    return FakeSite({"/": LIST} | {f"/{n}": "<h1>x</h1>" for n in range(40)} | {f"/{n[1:]}": pages[n] for n in pages})


async def test_a_crawl_that_got_everything_has_lost_nothing(autojump_clock: MockClock, caplog: Any) -> None:
    found = await collect(Items(), site())
    assert (len(found.items), found.report.losses, found.report.problems, found.report.waiting) == (40, [], [], 0)
    assert found.report.exit_code() == 0
    assert not caplog.records


async def test_pages_that_were_refused_are_lost(autojump_clock: MockClock, caplog: Any) -> None:
    wanted = site(**{f"_{n}": Page("no", status=401) for n in range(12)})
    report = (await collect(Items(), wanted)).report
    [line] = report.problems
    assert line.startswith("refused with status 401: 12 of 40 pages for item() (https://site.test/")
    assert report.exit_code() == 4
    assert [record.message for record in caplog.records] == [line]
    assert report.to_dict()["losses"][0] | {"message": "", "samples": []} == {
        "kind": "refused", "message": "", "count": 12, "total": 40, "samples": []
    }  # fmt: skip


async def test_a_setting_makes_a_crawl_silent_or_strict(autojump_clock: MockClock) -> None:
    wanted = {f"_{n}": Page("no", status=401) for n in range(12)}
    for share, code in (("0.3", 0), ("0.29", 4), ("1", 0)):
        settings = FREE | Settings(problem_share=float(share))
        assert (await collect(Items(), site(**wanted), settings=settings)).report.exit_code() == code


async def test_a_few_dead_links_are_no_loss(autojump_clock: MockClock) -> None:
    wanted = site(**{f"_{n}": Page("gone", status=404) for n in range(12)}, _13=Page("no", status=403))
    assert (await collect(Items(), wanted)).report.exit_code() == 0


async def test_most_pages_give_nothing_if_a_site_has_changed(autojump_clock: MockClock) -> None:
    wanted = site(**{f"_{n}": "<h2>x</h2>" for n in range(25)})
    report = (await collect(Items(), wanted)).report
    assert report.problems[0].startswith(
        "gave nothing, unlike the others: 25 of 40 pages for item() (https://site.test/"
    )
    assert report.exit_code() == 4


async def test_a_page_that_redirects_in_a_loop_is_one_failure_and_not_many_pages(autojump_clock: MockClock) -> None:
    loops = {f"_{n}": Page(status=302, headers={"Location": f"/{n}"}) for n in range(3)}
    loops |= {
        "_3": Page(status=302, headers={"Location": "/turn"}),
        "_turn": Page(status=302, headers={"Location": "/3"}),
    }
    report = (await collect(Items(), site(**loops), settings=FREE | Settings(max_redirects=30))).report
    assert (report.losses, report.kinds, report.exit_code()) == ([], {"redirect_loop": 4}, 4)


class Prints(FrontPage):
    """A callback without `yield`."""

    def parse(self, response: Response) -> Produced:
        return [None] if response.url.endswith("?none") else None


@pytest.mark.parametrize("query", ["", "?none"])
async def test_a_callback_that_never_yields_has_lost_its_page(autojump_clock: MockClock, query: str) -> None:
    spider = Prints(start_urls=[f"https://site.test/{query}"])
    report = (await collect(spider, FakeSite({f"/{query}": "x"}))).report
    assert report.problems == [f"gave nothing: 1 of 1 page for parse() (https://site.test/{query}); {BARREN_ADVICE}"]
    assert report.exit_code() == 4


class LogsIn(FrontPage):
    """Sends a form and reads what comes after it."""

    def parse(self, response: Response) -> Produced:
        yield Request("https://site.test/login", "logged_in", data={"password": "wrong"})

    def logged_in(self, response: Response) -> Produced:
        yield {"name": response.css("b::text").get()}


async def test_a_login_that_is_refused_is_a_loss(autojump_clock: MockClock) -> None:
    wanted = FakeSite({"/": "x", "/login": Page("wrong password", status=403)})
    report = (await collect(LogsIn(), wanted)).report
    [line] = report.problems
    assert line.startswith("refused with status 403: 1 of 1 page for logged_in() (https://site.test/login); ")
    assert report.exit_code() == 4


async def test_pages_without_a_body_are_lost(autojump_clock: MockClock) -> None:
    wanted = site(**{f"_{n}": "" for n in range(15)})
    report = (await collect(Items(), wanted)).report
    assert report.problems[0].startswith("no body: 15 of 40 pages for item() (https://site.test/")
    assert report.exit_code() == 4


async def test_files_that_all_fail_are_a_loss(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Pictures(FrontPage):
        def parse(self, response: Response) -> Produced:
            yield {"file_urls": [f"https://site.test/{n}.pdf" for n in range(60)]}

    from crawler_plugins.files import Files  # noqa: PLC0415 - only this test needs it

    report = (await collect(Pictures(), FakeSite({"/": "x"}), plugins=[Files(folder=tmp_path)])).report
    [line] = report.problems
    assert line.startswith("files failed: 60 of 60 (https://site.test/")
    assert "status 404" in line
    assert report.exit_code() == 4


async def test_a_job_that_goes_on_counts_the_losses_of_all_its_runs(autojump_clock: MockClock, tmp_path: Path) -> None:
    wanted = site(**{f"_{n}": Page("no", status=401) for n in range(12)})
    runs = [
        await crawl(Items(), settings=Settings(max_pages=most), job=tmp_path / "job", transport=wanted.transport)
        for most in (20, 1000, 1000)
    ]
    assert [run.finished for run in runs] == ["max_pages", "finished", "finished"]
    assert [run.waiting for run in runs] == [9, 0, 0]
    assert [(loss.count, loss.total) for run in runs[1:] for loss in run.losses] == [(12, 40), (12, 40)]
    assert [run.exit_code() for run in runs[1:]] == [4, 4]


@pytest.mark.parametrize(("form", "code"), [("markdown", 4), ("text", 4), ("article", 4), ("links", 0)])
async def test_pages_without_text_are_lost_if_a_crawl_wants_their_text(
    autojump_clock: MockClock, form: Any, code: int
) -> None:
    shell = "<div id='app'></div><script src='app.js'></script>"
    spider = SiteSpider("https://site.test/", content=form)
    report = (await collect(spider, FakeSite({"/": shell}), settings=FREE)).report
    lines = [f"{form} has no content: 1 of 1 (https://site.test/)"] if code else []
    assert (report.problems, report.exit_code()) == (lines, code)


POST = """
<div id='post_{n}' itemprop='comment' itemscope itemtype='http://schema.org/Comment' class='topic-body crawler-post'>
  <div class='crawler-post-meta'>
    <span class="creator" itemprop="author" itemscope itemtype="http://schema.org/Person">
      <a itemprop="url" rel='nofollow' href='/u/ada'><span itemprop='name'>ada</span></a></span>
    <link itemprop="mainEntityOfPage" href="/t/topic/1"><time datetime='2024-05-0{n}T10:00:00Z'>May 2024</time>
  </div>
  <div class='post' itemprop='text'><p>The answer of post {n}.</p></div>
</div>"""
FORUM = """<!DOCTYPE html><html lang="en"><head><title>A topic - Forum</title></head><body class="crawler">
<discourse-assets-stylesheets></discourse-assets-stylesheets>
<noscript data-path="/t/topic/1">
  <header class="d-header"><div class="wrap"><div class="contents"><div class="title">
    <a href="/"><h2>Forum</h2></a></div></div></div></header>
  <div id="main-outlet" class="wrap" role="main">
    <div id="topic-title"><h1><a href="/t/topic/1">A topic</a></h1></div>
    {posts}
  </div>
  <footer class="container wrap"><nav class='crawler-nav'><ul>
    <li><a href='/'>Home</a></li><li><a href='/categories'>Categories</a></li>
    <li><a href='/guidelines'>Guidelines</a></li>
  </ul></nav><p class='powered-by-link'>Powered by Discourse, best viewed with JavaScript enabled</p></footer>
</noscript>
<div id="d-splash"><style>.dots {{}}</style><noscript><style>html {{ overflow-y: revert; }}</style></noscript></div>
<section id='main'></section><div class="hidden" id="data-preloaded" data-preloaded="{{}}"></div></body></html>"""
STREAMED = """<!DOCTYPE html><html><head><title>Shop</title></head><body><div hidden=""><!--$--><!--/$--></div>
<!--$?--><template id="B:0"></template><!--/$--><script src="/_next/static/chunks/webpack.js" async=""></script>
<div hidden id="S:0"><main><h1>A topic</h1><!--$?--><template id="B:1"></template><p>Loading</p><!--/$--></main></div>
<script>$RB=[];$RV=function(a){{}};$RC=function(a,b){{}};$RC("B:0","S:0")</script>
<div hidden id="S:1">{posts}</div><script>$RC("B:1","S:1")</script></body></html>"""


@pytest.mark.parametrize("template", [FORUM, STREAMED])
@pytest.mark.parametrize("form", ["markdown", "text", "article"])
async def test_the_text_of_a_forum_and_of_a_streamed_page_is_there(
    autojump_clock: MockClock, form: Any, template: str
) -> None:
    page = template.format(posts="".join(POST.format(n=n) for n in range(1, 4)))
    found = await collect(SiteSpider("https://site.test/t/topic/1", content=form), FakeSite({"/t/topic/1": page}))
    text = str(found.items[0][form])
    assert all(f"The answer of post {n}." in text for n in range(1, 4))
    assert "A topic" in text
    assert not any(word in text for word in ("Loading", "JavaScript", "Categories"))
    assert found.report.exit_code() == 0


async def test_a_site_that_forbids_everything_after_some_pages_is_asked_for_a_while_and_its_pages_are_failures(
    autojump_clock: MockClock,
) -> None:
    served = iter(range(19))

    def page(_: httpx.Request) -> Page:
        return Page("<h1>x</h1>") if next(served, None) is not None else Page("no", status=403)

    wanted = FakeSite({"/": "".join(f"<a href='/{n}'>x</a>" for n in range(300))} | {f"/{n}": page for n in range(300)})
    report = (await collect(Items(), wanted)).report
    assert (report.pages, report.items, report.failed, report.waiting) == (20, 19, 281, 0)
    assert set(report.kinds) == {"status_403", "refused.quota"}
    assert report.samples["refused.quota"]
    assert report.exit_code() == 4


def forum(topics: int, *, reply: str = "/reply/{n}", login: str = "/login", ends_after: int = 10**9) -> FakeSite:
    """A public forum: each topic has a link to reply, which leads visitors to the login page."""
    served = 0

    def topic(n: int) -> Any:
        def answer(_: Any) -> Any:
            nonlocal served
            served += 1
            if served > ends_after:
                return Page("", 302, headers={"Location": login.format(n=n)})
            return f"<h1>Topic {n}</h1><a href='{reply.format(n=n)}'>Reply</a><a href='/login'>Log in</a>"

        return answer

    form = "<form><input name=user><input type=password name=password></form>"
    pages: dict[str, Any] = {"/": "".join(f"<a href='/t/{n}'>x</a>" for n in range(topics)), "/login": form}
    for n in range(topics):
        pages |= {f"/t/{n}": topic(n), login.format(n=n): form}
        pages[reply.format(n=n)] = Page("", 302, headers={"Location": login.format(n=n)})
    return FakeSite(pages)


@pytest.mark.parametrize("login", ["/login", "/login?next=/reply/{n}"])
async def test_links_for_members_of_a_public_forum_are_no_loss_but_are_said(
    autojump_clock: MockClock, caplog: Any, login: str
) -> None:
    report = (await collect(SiteSpider("https://site.test/"), forum(40, login=login), settings=FREE)).report
    assert (report.losses, report.problems, report.exit_code()) == ([], [], 0)
    lines = [record.message for record in caplog.records if "want a login" in record.message]
    assert lines
    assert all(line.startswith("40 pages want a login (https://site.test/") for line in lines)
    assert "declare the login of the spider" in lines[0]


@pytest.mark.parametrize(
    ("site", "code"),
    [
        (forum(40, ends_after=20), 4),  # topics were served before
        (forum(40, reply="/reply-{n}"), 4),  # pages with names of their own
        (forum(8, reply="/reply-{n}"), 0),  # fewer than ten pages
    ],
)
async def test_pages_that_want_a_login_are_lost_if_others_like_them_were_served_or_each_has_a_name_of_its_own(
    autojump_clock: MockClock, site: FakeSite, code: int
) -> None:
    report = (await collect(SiteSpider("https://site.test/"), site, settings=FREE)).report
    assert [loss.kind for loss in report.losses] == ["redirected"] * (code == 4)
    assert report.exit_code() == code
