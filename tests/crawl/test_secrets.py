"""Secrets are planted wherever a user can put one, and searched for in everything that the framework shows."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.cases import each
from support.environments import environment
from support.processes import PIPE, Process
from trio.testing import MockClock

from crawler import ConfigError, Failure, Plugin, Produced, Request, Response, Settings, Spider, crawl
from crawler.cli.job import job as show_job
from crawler.cli.summary import summary
from crawler.cli.target import check_url
from crawler.engine.session import CrawlSession
from crawler.fetch.auth import OriginAuth
from crawler.hooks.load import construct
from crawler.testing import FakeSite, Page
from crawler.testing.demo import demo_site

MARK = "s3cr3t"
"""Part of every secret of these tests."""
PASSWORD, TOKEN = f"{MARK}-password", f"{MARK}-token"
SITE = "https://site.test"
LOGIN = "<form action=/login method={}><input name=user><input type=password name=password></form>"


class Planted(Spider):
    """Carries a secret in each place of a request."""

    name = "planted"
    allowed_domains = ("site.test",)
    token: str = ""
    auth = {SITE: ("ada", PASSWORD)}

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.seen: list[Any] = []

    def start(self) -> Produced:
        given = {"headers": {"X-Api-Key": TOKEN}, "cookies": {"sid": TOKEN}, "errback": self.gave_up}
        yield Request(f"https://ada:{PASSWORD}@site.test/?api_key={TOKEN}", **given)
        yield Request(f"{SITE}/down?access_token={TOKEN}", **given)
        yield Request(f"{SITE}/status?sig={TOKEN}", auth=f"Bearer {TOKEN}", **given)
        yield Request(f"{SITE}/through", proxy=f"http://ada:{PASSWORD}@proxy.test:8080", **given)
        yield Request(f"{SITE}/raises?pwd={PASSWORD}", self.raises, **given)
        yield Request(f"{SITE}/away?token={TOKEN}", **given)
        yield Request(f"https://other.test/?token={TOKEN}", **given)

    def parse(self, response: Response) -> Produced:
        self.seen += [response, response.request, response.headers, response.request.headers, response.css("form")]
        if response.url.startswith((f"{SITE}/?", f"{SITE}/login?")):
            yield response.form().submit({"user": "ada", "password": PASSWORD}, callback=self.parse)

    def raises(self, response: Response) -> Produced:
        self.seen += [response]
        raise ValueError(f"{response.url} is unreadable: {dict(response.request.headers)}")

    def gave_up(self, failure: Failure) -> None:
        error = failure.error
        shown = [str(error), repr(error), failure.traceback, *traceback.format_exception(error)]
        self.seen += [failure, failure.request, *(Text(text) for text in shown)]


class Text:
    """A text whose representation is the text itself."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def unreachable(request: httpx.Request) -> Page:
    raise httpx.ConnectError(f"cannot connect to {request.url} with {dict(request.headers)}")


PAGES: dict[str, Any] = {
    "/": LOGIN.format("get"),
    "/login": Page(LOGIN.format("post"), headers={"Set-Cookie": f"sid={TOKEN}"}),
    "/down": unreachable,
    "/status": Page("no", 500),
    "/through": unreachable,
    "/raises": "x",
    "/away": Page("", 302, headers={"Location": f"javascript:x?token={TOKEN}"}),
}


def assert_hidden(*texts: object) -> None:
    for text in texts:
        assert MARK not in str(text), text


async def test_nothing_that_a_crawl_shows_contains_a_secret(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "crawler")
    site, spider = FakeSite(PAGES), Planted(token=TOKEN)
    settings = Settings(
        headers={"X-Auth-Token": TOKEN, "Cookie": f"sid={TOKEN}", "*.test": {"Authorization": f"Bearer {TOKEN}"}},
        proxies={"*.nowhere": f"http://ada:{PASSWORD}@proxy.test:8080"},
        attempts=2,
    )
    report = await crawl(spider, settings=settings, job=tmp_path / "job", transport=site.transport)
    assert (report.pages, report.failed, report.filtered["scope"]) == (3, 5, 1)
    carried = [dict(visit.headers) for visit in site.log if visit.url.startswith(f"{SITE}/?")]
    assert MARK in str(carried)  # the server gets them
    assert len(caplog.records) > 15
    assert len(report.samples) == 8
    assert len(spider.seen) > 20
    assert_hidden(*(logging.Formatter().format(record) for record in caplog.records))
    assert_hidden(report, report.to_json().decode(), summary(report), *map(repr, spider.seen))
    assert_hidden(repr(settings), spider.crawl.stats, spider.crawl.control.statistics(), repr(spider.crawl.settings))
    show_job(tmp_path / "job")
    shown = capsys.readouterr().out
    assert "token='***'" in shown
    assert "/down?access_token=***" in shown
    assert_hidden(shown)


PLACES = [
    f"postgresql://ada:{PASSWORD}@127.0.0.1:9/db?retry=0",
    f"postgresql://127.0.0.1:9/db?user=ada&password={PASSWORD}&sslpassword={PASSWORD}&retry=0",
    f"postgresql://ada:{PASSWORD}%zz@[::1/db",
    f"postgresql://ada:{PASSWORD}/x@127.0.0.1:9/db",
    f"postgresql://ada:{PASSWORD}@127.0.0.1:port/db",
    f"postgresq://ada:{PASSWORD}@127.0.0.1/db",
    f"mysql://ada:{PASSWORD}@127.0.0.1:9/db?retry=0",
    f"mysql://ada:{PASSWORD}/x@127.0.0.1/db",
    f"mysql://ada:{PASSWORD}@127.0.0.1",
    f"s3://ada:{PASSWORD}@bucket/items.jsonl",
    f"s3://bucket/items.jsonl?secret_key={PASSWORD}",
    f"az://bucket/items.jsonl?sig={PASSWORD}",
    f"ftp://ada:{PASSWORD}@127.0.0.1/items.jsonl",
]


@pytest.mark.parametrize("place", PLACES)
async def test_an_output_that_cannot_be_used_is_named_without_its_secrets(
    place: str, autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigError) as caught:
        await crawl(Bad(), outputs=[place], job=tmp_path / "job", transport=FakeSite(PAGES).transport)
    assert_hidden(str(caught.value), repr(caught.value), *traceback.format_exception(caught.value), caplog.text)
    stored = [path.read_bytes() for path in (tmp_path / "job").rglob("*") if path.is_file()]
    assert MARK.encode() not in b"".join(stored)


class Keyed(Plugin):
    def __init__(self, api_key: int = 0, password: str = "") -> None: ...


class Bad(Spider):
    start_urls = (SITE,)
    token: str = ""


def run_bad(token: str) -> None:
    spider = Bad()
    spider.token = token
    CrawlSession(spider, None, (), (), None)


REFUSED: dict[str, Callable[[str], Any]] = {
    "header": lambda secret: Request(SITE, headers={"X-Api-Key": f"{secret}\n"}),
    "field line": lambda secret: Request(SITE, headers={f"X-Api-Key: {secret}": ""}),
    "list of lines": lambda secret: Request(SITE, headers=[f"X-Api-Key: {secret}"]),  # type: ignore[list-item]
    "cookie": lambda secret: Request(SITE, cookies={"sid": f"{secret}\0"}),
    "auth": lambda secret: Request(SITE, auth=("ada", f"{secret}\n")),
    "bearer": lambda secret: Request(SITE, auth=f"Bearer {secret}\n"),
    "proxy": lambda secret: Request(SITE, proxy=f"http://ada:{secret}/x@proxy.test:8080"),
    "proxy without scheme": lambda secret: Request(SITE, proxy=f"ada:{secret}@proxy.test:8080"),
    "meta": lambda secret: Request(SITE, meta={"token": {secret}}),
    "URL": lambda secret: Request(f"https://ada:{secret}@[bad/"),
    "URL on the command line": lambda secret: check_url(f"ada:{secret}@site.test"),
    "query": lambda secret: Request(f"//site.test/?token={secret}"),
    "setting headers": lambda secret: Settings(headers={"X-Api-Key": f"{secret}\r\n"}),
    "setting headers as text": lambda secret: Settings.from_strings({"headers": f'["X-Api-Key: {secret}"]'}),
    "headers of a host": lambda secret: Settings(headers={"*.test": {"X-Api-Key": f"{secret}\0"}}),
    "setting proxies": lambda secret: Settings(proxies=[f"http://ada:{secret}@proxy.test:x"]),
    "Spider.auth": lambda secret: OriginAuth({SITE: ("ada", f"{secret}\n")}),
    "key of Spider.auth": lambda secret: OriginAuth({f"https://ada:{secret}@site.test": "Bearer x"}),
    "argument": lambda secret: construct(Bad, {"token": f"{secret}\n"}, what="spider Bad"),
    "argument in Python": lambda secret: run_bad(f"{secret}\n"),
    "option": lambda secret: construct(Keyed, {"api_key": secret}, what="plugin keyed"),
    "option with a line break": lambda secret: construct(Keyed, {"password": f"{secret}\n"}, what="plugin keyed"),
    "error": lambda secret: Failing(f"https://ada:{secret}@site.test/?key={secret}").fail(),
}


class Failing:
    def __init__(self, text: str) -> None:
        self._text = text

    def fail(self) -> None:
        raise ConfigError(f"cannot use {self._text}")


@each("refuse", REFUSED.values())
def test_an_error_message_does_not_show_the_refused_value(refuse: Callable[[str], Any]) -> None:
    with pytest.raises((ValueError, TypeError, ConfigError)) as caught:
        refuse(TOKEN)
    assert_hidden(str(caught.value), repr(caught.value), *traceback.format_exception(caught.value))


SPIDER = """
import logging
from crawler import Plugin, Request, Spider

class Shop(Spider):
    start_urls = ["{url}?token={secret}"]
    api_key: str = ""
    category: str = ""

    def parse(self, response):
        logging.getLogger("shop").warning("read %s", response.url)
        assert (self.api_key, self.category) == ("{secret}-a", "{secret}-e")
        yield {{"url": response.url.partition("?")[0]}}
        yield Request("{url}missing?password={secret}", self.broken, accept_status=[404])

    def broken(self, response):
        raise ValueError(f"cannot read {{response.url}}")

class Keyed(Plugin):
    name = "keyed"

    def __init__(self, password: str = "") -> None:
        assert password == "{secret}-p"
"""


def test_nothing_that_the_command_line_shows_contains_a_secret(tmp_path: Path) -> None:
    with demo_site() as site:
        (tmp_path / "shop.py").write_text(SPIDER.format(url=site.url, secret=MARK))
        variables = {
            "SHOP_CATEGORY": f"{MARK}-e",
            "CRAWLER_HEADERS": json.dumps({"X-Api-Key": f"{MARK}-h", "Authorization": "Bearer env:SHOP_CATEGORY"}),
            "https_proxy": f"http://ada:{MARK}@127.0.0.1:9",
        }

        def shown(*arguments: str, code: int = 0) -> str:
            env = environment(**variables)
            process = Process(["-m", "crawler", *arguments], cwd=tmp_path, stdout=PIPE, stderr=PIPE, env=env)
            out, err = process.communicate(timeout=60)
            assert process.returncode == code, err
            assert_hidden(out, err)
            return out + err

        secret_url = f"{site.url.replace('//', f'//ada:{MARK}@')}?token={MARK}"
        run = [
            "run", "shop.py:Shop", "-a", f"api_key={MARK}-a", "-a", "category=env:SHOP_CATEGORY",
            "-p", "shop:Keyed", "-P", f"keyed.password={MARK}-p", "-s", f'proxies={{"x.test": "http://a:{MARK}@p.test"}}',
            "--job", "job", "--report", "report.json", "--log-level", "debug", "-o", "items.jsonl",
        ]  # fmt: skip
        log = shown(*run, code=4)
        assert "WARNING shop: read http" in log
        assert "ValueError: cannot read" in log
        assert_hidden((tmp_path / "report.json").read_text())
        variables["SHOP_CATEGORY"] = f"{MARK}-e"
        rotated = [f"api_key={MARK}-b" if word.startswith("api_key") else word for word in run]
        assert "continues with other values of api_key" in shown(*rotated, code=4)
        state = shown("job", "job")
        assert "category='env:SHOP_CATEGORY'" in state
        assert "api_key='***'" in state
        assert "missing?password=***" in state
        assert "?token=***" in shown("limits", secret_url)
        shown("limits", secret_url, "--json")
        assert "?token=***" in shown("robots", secret_url)
        shown("fetch", secret_url, "--log-level", "debug")
        shown("run", f"ftp://ada:{MARK}@x.test/", code=2)
        variables["TABLE"] = f"postgresql://ada:{MARK}@127.0.0.1:9/db"
        assert "postgresql://***@127.0.0.1:9/db" in shown("run", *run[1:-2], "-o", "env:TABLE", code=2)
        shown("run", f"ada:{MARK}@x.test", code=2)
        shown("run", *run[1:-8], "-s", f"proxies=ada:{MARK}@p.test", code=2)
        shown("run", "shop.py:Shop", "-p", "shop:Keyed", "-P", f"password={MARK}", code=2)
        del variables["SHOP_CATEGORY"]
        missing = shown(*(word for word in run if word not in ("--log-level", "debug")), code=2)
        wanted = "crawler: spider Shop: argument category: the environment variable 'SHOP_CATEGORY' is not set\n"
        assert missing == wanted


class Leaking(Plugin):
    """A plugin whose option is a secret, which its errors contain."""

    name = "leaking"

    def __init__(self, password: str = "") -> None:
        self._password = password

    def measure(self, usage: Any) -> None:
        logging.getLogger("crawler.engine").warning("measured with %s", self._password)


class Leaks(Spider):
    """Writes its secrets without their names into messages, counters and reasons."""

    name = "leaks"
    start_urls = (f"{SITE}/",)
    api_key: str = ""
    pin_of_ada: str = ""
    place: str = ""
    secret_arguments = frozenset({"pin_of_ada"})
    auth = {SITE: ("ada", f"{MARK}-auth")}
    settings = Settings(headers={"X-Access-Code": f"{MARK}-code", "Cookie": f"theme=dark; id={MARK}-1"})

    def secrets(self) -> list[str]:
        own = [self.api_key, self.pin_of_ada, self.place, f"{MARK}-auth", f"{MARK}-code", f"{MARK}-1"]
        return [*own, f"{MARK}-set2", f"{MARK}-bearer", f"{MARK}-proxy"]

    def parse(self, response: Response) -> Produced:
        self.crawl.count(f"read {self.api_key}", 1)
        yield response.follow("/next", self.later, headers={"Authorization": f"Bearer {MARK}-bearer"})
        yield response.follow("/drop", self.drop)

    def later(self, response: Response) -> Produced:
        raise ValueError("cannot use\nERROR crawler.engine: forged " + " ".join(self.secrets()))

    def drop(self, response: Response) -> Produced:
        self.crawl.job.report_problem(f"{self.api_key} is wrong")
        self.crawl.stop(f"{self.api_key} ended it")
        return None


async def test_a_secret_value_is_hidden_wherever_it_is_shown_or_stored_without_its_name(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE_OF_ADA", f"{MARK}-env")
    caplog.set_level(logging.DEBUG, "crawler")
    cookie = {"Set-Cookie": f"PHPSESSID={MARK}-set2"}
    site = FakeSite({"/": Page("x", headers=cookie), "/next": "x", "/drop": "x"})
    spider = Leaks(api_key=f"{MARK}-key", pin_of_ada=f"{MARK}-pin", place="env:PLACE_OF_ADA")
    report = await crawl(
        spider, plugins=[Leaking(f"{MARK}-option")], job=tmp_path / "job", transport=site.transport,
        settings=Settings(proxies={"*.nowhere": f"http://ada:{MARK}-proxy@proxy.test:8080"}, workers=1),
    )  # fmt: skip
    assert report.failed == 1
    assert_hidden(report.to_json(), repr(report), caplog.text, *(record.exc_text for record in caplog.records))
    assert "measured with ***" in caplog.text
    assert "read ***" in report.counters
    records = [line for line in caplog.text.splitlines() if line.startswith("ERROR crawler.engine: forged")]
    assert not records
    stored = {path: path.read_bytes() for path in (tmp_path / "job").rglob("*") if path.is_file()}
    own_request = f"Bearer {MARK}-bearer".encode()  # the next run sends them: see the page on secrets
    for path, data in stored.items():
        rest = data.replace(own_request, b"").replace(f"{MARK}-set2".encode(), b"")
        assert MARK.encode() not in rest, path
