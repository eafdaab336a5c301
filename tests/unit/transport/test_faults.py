"""Every case of the fault server: its outcome in a spider and in the report."""

from __future__ import annotations

import pytest
from support.cases import Cases
from support.faults.server import FAULT_CASES, fault_server
from support.rawserver import get

from crawler import Failure, Request, Settings, Spider, crawl
from crawler.store.inspect import inspect_job
from crawler.transport.curl import CurlTransport

PATIENT, HASTY = 30.0, 0.4
"""Deadlines in seconds: a long one for responses, even on a busy machine, and a short one for servers that hang."""
SMALL = 2_000_000
FAILING = {name: case for name, case in FAULT_CASES.items() if case.error and not case.or_fails and not case.hangs}
FINAL = {
    "bad_header", "bomb", "dns", "headers_too_large", "tls_expired", "tls_host", "tls_untrusted", "tls_version",
}  # fmt: skip
"""Kinds of permanent failures."""
PERMANENT = {"bad_redirect", "body_too_large", "redirect_loop", "too_many_redirects"}
"""Failures that are permanent whatever their kind."""
NAMES = sorted(FAULT_CASES)
GROUPS = [NAMES[number::10] for number in range(10)]
"""The names of all cases, in groups that share a server: its start takes longer than most cases."""


class Zoo(Spider):
    """Keeps the page or the failure of each case."""

    def __init__(self, urls, expected=()):
        super().__init__()
        self.urls = urls
        self.pages = {}
        self.failures: dict[str, Failure] = {}

    def start(self):
        for name, url in self.urls.items():
            yield Request(url, errback=self.lost, meta={"case": name}, dont_filter=True)

    def parse(self, response):
        self.pages[response.meta["case"]] = response

    def lost(self, failure):
        self.failures[failure.request.meta["case"]] = failure


async def visit(*names, **settings):
    """Crawl some cases, and return the spider, the report and the server."""
    async with fault_server() as server:
        return await visit_at(server, *names, **settings)


async def visit_at(server, *names, **settings):
    """Crawl some cases of a server that runs, and return the spider, the report and the server."""
    spider = Zoo({name: server.url(name) for name in names})
    usual = {"obey_robots": False, "attempts": 1, "max_body": SMALL, "request_deadline": PATIENT}
    usual["outage_patience"] = 0  # some cases look like an outage of the server
    given = Settings(**usual | settings)
    async with CurlTransport(tls_verify=server.authority, connect_timeout=given.connect_timeout) as transport:
        report = await crawl(spider, settings=given, transport=transport)
    return spider, report, server


def reason(case, reported):
    """Return the reason of a failure. A reset at once may arrive before the client knows that it is connected."""
    return "broken_exchange" if case.name == "accept-reset" and reported == "connect_failed" else reported


def fails(case, failure, report):
    """Check that a failure is the expected one, and the only one in the report."""
    assert (reason(case, failure.reason), report.failed) == (case.error, 1)
    assert report.failures == {failure.reason: 1}
    assert not case.kind or failure.kind == case.kind
    assert report.kinds == {failure.error.full_reason: 1}
    assert report.samples[failure.error.full_reason] == report.samples[failure.reason] == [failure.request.url]
    assert str(failure.error)
    assert "\n" not in str(failure.error)
    assert report.pages == 0


@pytest.mark.parametrize("names", GROUPS, ids=range(len(GROUPS)))
async def test_every_case_has_its_expected_outcome_in_the_spider_and_the_report(names):
    cases = Cases()
    async with fault_server() as server:
        for name in names:
            with cases.case(name):
                await has_its_expected_outcome(server, name)
    cases.check()


async def has_its_expected_outcome(server, name):
    """Crawl one case, and check its outcome in the spider and the report."""
    case = FAULT_CASES[name]
    limits = {}
    if case.hangs:
        limits = {"connect_timeout": HASTY} if case.kind == "connect" else {"request_deadline": HASTY}
    spider, report, _ = await visit_at(server, name, **limits)
    page, failure = spider.pages.get(name), spider.failures.get(name)
    assert (page is None) != (failure is None)
    if case.error and (page is None or not case.or_fails):
        assert page is None
        fails(case, failure, report)
        return
    assert (report.failed, report.failures, report.kinds) == (0, {}, {})
    assert report.statuses[case.status] == 1
    if page is not None:
        assert page.status == case.status
        assert case.text in (None, page.text)
        assert isinstance(page.text, str)
        list(page.links())
    else:
        assert case.text is None
        assert failure.response.status == case.status


async def test_transient_failures_are_retried_and_permanent_ones_are_not():
    spider, report, _ = await visit(*FAILING, attempts=2, backoff_base=0.0, per_host=4)
    assert spider.failures.keys() == FAILING.keys()
    for name, failure in spider.failures.items():
        final = failure.kind in FINAL or failure.reason in PERMANENT
        assert (name, failure.attempts) == (name, 1 if final else 2)
        assert failure.error.retryable is not final
    assert report.failed == len(FAILING) == sum(report.failures.values()) == sum(report.kinds.values())


@pytest.mark.parametrize("name", ["closed-between", "closed-when-idle", "unsolicited-408"])
@pytest.mark.parametrize("pace", [{}, {"delay": 0.01}], ids=["unpaced", "paced"])
async def test_a_kept_connection_that_was_closed_costs_no_attempt(name, pace):
    """The same on a lane with a pace, where the framework sends the request again instead of libcurl."""
    async with fault_server() as server:
        urls = {f"{name}-{number}": f"{server.url(name)}?{number}" for number in range(6)}
        spider = Zoo(urls)
        given = Settings(obey_robots=False, attempts=1, per_host=1, request_deadline=PATIENT, **pace)
        report = await crawl(spider, settings=given)
    assert spider.failures == {}
    assert (report.pages, report.failed) == (6, 0)
    if name == "closed-between":
        assert len(server.requests) > 6  # the connection was kept, and found to be closed
        assert report.retries == (len(server.requests) - 6 if pace else 0)
        assert report.requests == len(server.requests)


async def test_a_kept_connection_that_was_closed_costs_an_inline_fetch_no_attempt():
    class Asking(Spider):
        async def parse(self, response):
            for number in range(6):
                answer = await self.crawl.fetch(Request(f"{response.url}?{number}"))
                assert answer.text == response.text

    async with fault_server() as server:
        settings = Settings(obey_robots=False, attempts=1, per_host=1, delay=0.01, request_deadline=PATIENT)
        report = await crawl(Asking(start_urls=[server.url("closed-between")]), settings=settings)
    assert (report.pages, report.failed) == (1, 0)
    assert len(server.requests) > 7


@pytest.mark.parametrize("pace", [{}, {"delay": 0.01}], ids=["unpaced", "paced"])
async def test_a_post_is_not_sent_again_after_its_kept_connection_broke(pace):
    async with fault_server() as server:
        url = server.url("closed-between")
        requests = {str(number): Request(f"{url}?{number}", method="POST") for number in range(2)}

        class Posting(Zoo):
            def start(self):
                for name, request in self.urls.items():
                    yield request.replace(errback=self.lost, meta={"case": name})

        spider = Posting(requests)
        settings = Settings(obey_robots=False, per_host=1, request_deadline=PATIENT, **pace)
        report = await crawl(spider, settings=settings)
    assert (report.pages, report.retries, report.requests) == (1, 0, 2)
    assert report.kinds == {"broken_exchange.stale": 1}
    assert len(server.requests) == 2


async def test_a_request_on_a_new_connection_is_not_sent_again_at_once():
    _, _, server = await visit("close-no-response")
    assert len(server.requests) == 1


async def test_header_fields_of_interim_responses_are_dropped():
    spider, _, _ = await visit("interim-103")
    assert "x-interim" not in spider.pages["interim-103"].headers


async def test_odd_header_lines_do_not_affect_the_others():
    names = [name for name in FAULT_CASES if name.startswith("line-") and not FAULT_CASES[name].error]
    spider, report, _ = await visit(*names)
    assert report.pages == len(names) > 8
    for name in set(names) - {"line-bare-lf"}:
        assert spider.pages[name].headers["x-after"] == "yes"
    assert spider.pages["line-space-before-colon"].headers["x-blank"] == "1"
    assert spider.pages["line-folded"].headers["x-folded"] == "a b"


async def test_trailers_do_not_change_the_headers():
    spider, _, _ = await visit("chunked-trailers")
    assert "x-trailer" not in spider.pages["chunked-trailers"].headers
    assert spider.pages["chunked-trailers"].headers["content-type"] == "text/html"


async def test_a_response_to_head_has_no_body():
    async with fault_server() as server, CurlTransport() as transport:
        response = await get(transport, server.url("body-head"), method="HEAD")
        assert (response.status_code, response.content) == (200, b"")
        assert (await get(transport, server.url("ok"))).status_code == 200


@pytest.mark.parametrize("name", ["redirect-other-origin", "redirect-https-http"])
async def test_redirects_may_leave_their_origin(name):
    spider, report, server = await visit(name)
    [page] = spider.pages.values()
    assert page.redirects == (server.url(name),)
    assert not page.url.startswith(server.url(name)[:24])
    assert len(report.lanes) == 2


async def test_a_job_keeps_the_kinds_of_failures(tmp_path):
    async with fault_server() as server:
        settings = Settings(obey_robots=False, attempts=1, request_deadline=PATIENT, outage_patience=0)
        report = await crawl(Zoo({"refused": server.url("refused")}), settings=settings, job=tmp_path / "job")
    assert inspect_job(tmp_path / "job").stats["kinds"] == report.kinds == {"connect_failed.refused": 1}
