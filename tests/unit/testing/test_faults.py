"""The fault server: what a spider sees of each of its cases, and what the report says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import httpx
import pytest
from support.rawserver import get

from crawler import Failure, Request, Settings, Spider, crawl
from crawler.store.inspect import inspect_job
from crawler.testing import FAULT_CASES, fault_server
from crawler.testing.faults import server as faults_server
from crawler.testing.faults import tls
from crawler.transport.curl import CurlTransport

PATIENT, HASTY = 30.0, 0.4
"""Seconds: what is answered may take long on a busy machine; of what hangs nobody expects an answer."""
SMALL = 2_000_000
FAILING = {name: case for name, case in FAULT_CASES.items() if case.error and not case.or_fails and not case.hangs}
FINAL = {
    "bad_header", "bomb", "dns", "headers_too_large", "tls_expired", "tls_host", "tls_untrusted", "tls_version",
}  # fmt: skip
"""Kinds of failures that another attempt does not mend."""
NO_USE = {"bad_redirect", "body_too_large", "redirect_loop", "too_many_redirects"}
"""Failures of any kind that it does not mend."""


class Zoo(Spider):
    """Remembers by case what came of it."""

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
    """A crawl of these cases: the spider, the report, the server."""
    async with fault_server() as server:
        spider = Zoo({name: server.url(name) for name in names})
        usual = {"obey_robots": False, "attempts": 1, "max_body": SMALL, "request_deadline": PATIENT}
        given = Settings(**usual | settings)
        async with CurlTransport(tls_verify=server.authority, connect_timeout=given.connect_timeout) as transport:
            report = await crawl(spider, settings=given, transport=transport)
    return spider, report, server


def reason(case, told):
    """What it was told as; a reset at once may come before or after the client has noticed that it is connected."""
    return "broken_exchange" if case.name == "accept-reset" and told == "connect_failed" else told


def fails(case, failure, report):
    """Whether it is the failure that was expected, and the report's only one."""
    assert (reason(case, failure.reason), report.failed) == (case.error, 1)
    assert report.failures == {failure.reason: 1}
    assert not case.kind or failure.kind == case.kind
    assert report.kinds == {failure.error.full_reason: 1}
    assert report.samples[failure.error.full_reason] == report.samples[failure.reason] == [failure.request.url]
    assert str(failure.error)
    assert "\n" not in str(failure.error)
    assert report.pages == 0


@pytest.mark.parametrize("name", FAULT_CASES)
async def test_a_spider_sees_what_it_should_and_the_report_says_so(name):
    case = FAULT_CASES[name]
    limits = {}
    if case.hangs:
        limits = {"connect_timeout": HASTY} if case.kind == "connect" else {"request_deadline": HASTY}
    spider, report, _ = await visit(name, **limits)
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


async def test_what_may_heal_is_tried_again_and_what_will_not_heal_is_not():
    spider, report, _ = await visit(*FAILING, attempts=2, backoff_base=0.0, per_host=4)
    assert spider.failures.keys() == FAILING.keys()
    for name, failure in spider.failures.items():
        final = failure.kind in FINAL or failure.reason in NO_USE
        assert (name, failure.attempts) == (name, 1 if final else 2)
        assert failure.error.retryable is not final
    assert report.failed == len(FAILING) == sum(report.failures.values()) == sum(report.kinds.values())


@pytest.mark.parametrize("name", ["closed-between", "closed-when-idle", "noise-between"])
@pytest.mark.parametrize("pace", [{}, {"delay": 0.01}], ids=["unpaced", "paced"])
async def test_a_kept_connection_that_was_closed_costs_no_attempt(name, pace):
    """Not on a lane with a pace either, where the framework itself has to send it again."""
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


async def test_nor_does_it_where_a_handler_asks_and_waits():
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


async def test_what_changes_something_is_not_sent_again_on_a_lane_with_a_pace():
    async with fault_server() as server:
        url = server.url("closed-between")
        requests = {str(number): Request(f"{url}?{number}", method="POST") for number in range(2)}

        class Posting(Zoo):
            def start(self):
                for name, request in self.urls.items():
                    yield request.replace(errback=self.lost, meta={"case": name})

        spider = Posting(requests)
        settings = Settings(obey_robots=False, per_host=1, delay=0.01, request_deadline=PATIENT)
        report = await crawl(spider, settings=settings)
    assert (report.pages, report.retries) == (1, 0)
    assert report.kinds == {"broken_exchange.stale": 1}
    assert len(server.requests) == 2


async def test_a_request_is_sent_again_at_once_only_on_a_connection_that_was_kept():
    _, _, server = await visit("close-no-answer")
    assert len(server.requests) == 1


async def test_interim_fields_are_none_of_the_answer():
    spider, _, _ = await visit("interim-103")
    assert "x-interim" not in spider.pages["interim-103"].headers


async def test_lines_that_are_taken_do_not_cost_the_others():
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


async def test_head_has_no_body():
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


async def test_a_job_keeps_the_kinds(tmp_path):
    async with fault_server() as server:
        settings = Settings(obey_robots=False, attempts=1, request_deadline=PATIENT)
        report = await crawl(Zoo({"refused": server.url("refused")}), settings=settings, job=tmp_path / "job")
    assert inspect_job(tmp_path / "job").stats["kinds"] == report.kinds == {"connect_failed.refused": 1}


# ---- the server itself -----------------------------------------------------------------------------------------------


def test_each_case_is_told_in_a_line_and_has_one_way_to_be_right():
    for name, case in FAULT_CASES.items():
        assert case.name == name
        assert name == name.lower()
        assert case.about
        assert "\n" not in case.about
        told_by_status = case.error.startswith("status_") or case.error in NO_USE
        assert bool(case.status) != bool(case.error) or case.or_fails or told_by_status
        assert (case.answer is None) or (case.accept is None)


async def test_the_index_links_to_every_case():
    async with fault_server() as server:
        async with CurlTransport() as transport:
            response = await get(transport, server.origin)
        assert response.headers["content-type"] == "text/html"
        for name in FAULT_CASES:
            assert f'href="{server.url(name)}"' in response.text


async def test_a_path_that_is_no_case_is_not_found():
    async with fault_server() as server, CurlTransport() as transport:
        assert (await get(transport, server.origin + "nothing")).status_code == 404
        with pytest.raises(KeyError):
            server.url("nothing")


async def test_without_trustme_all_else_is_there_and_what_is_missing_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "trustme", None)
    tls._authority.cache_clear()
    async with fault_server() as server, CurlTransport() as transport:
        assert not tls.trustme_found()
        assert "tls-expired" in FAULT_CASES
        assert "tls-expired" not in server.cases
        assert "tls-1.0" in server.cases
        assert "tls-expired" not in (await get(transport, server.origin)).text
        assert (await get(transport, server.url("ok"))).status_code == 200
        for missing in (lambda: server.url("tls-expired"), lambda: server.authority):
            with pytest.raises(ModuleNotFoundError, match="pip install"):
                missing()


async def test_two_servers_do_not_meet():
    async with fault_server() as one, fault_server() as other, CurlTransport() as transport:
        await get(transport, one.url("ok"))
        assert one.requests == ["/ok"]
        assert other.requests == []
        with pytest.raises(OSError, match="in use"):
            async with fault_server(port=httpx.URL(one.origin).port):
                pass


def test_by_hand_it_says_where_it_is_until_it_is_interrupted():
    command = [sys.executable, "-m", "crawler.testing.faults"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) as server:
        origin = server.stdout.readline().strip()
        try:
            assert "closed in the status line" in httpx.get(origin).text
            taken = subprocess.run(
                [*command, "--port", str(httpx.URL(origin).port)], capture_output=True, text=True, check=False
            )
        finally:
            server.send_signal(signal.SIGINT)
            _, errors = server.communicate(timeout=20)
    assert (server.returncode, errors) == (130, "")
    assert (taken.returncode, taken.stderr.count("\n")) == (1, 1)
    assert "cannot be had" in taken.stderr


def test_the_registry_is_the_servers_own():
    assert faults_server.FAULT_CASES is FAULT_CASES
