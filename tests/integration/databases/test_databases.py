"""Outputs in real databases: what each must do, servers that crash while a crawl runs, and kills of the crawl."""

from __future__ import annotations

import itertools
import json
import logging
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crawler_plugins.outputs.duckdb import DuckDB
from crawler_plugins.outputs.mysql import MySQL
from crawler_plugins.outputs.postgresql import PostgreSQL
from integration.databases.outside import Outside, Restarts, outside, with_options
from integration.databases.servers import Server
from integration.kills.everywhere import everywhere
from integration.kills.harness import durable
from support.databases import CHECKS, Database, rows_of, store

from crawler import ConfigError, Plugin, Response, Settings, Spider, crawl
from crawler.redaction import hide_userinfo
from crawler.sinks import SqlSink, open_output
from crawler.testing import FakeSite

PAGES = 120
numbers = itertools.count()


@pytest.fixture(scope="module")
def servers() -> Iterator[Outside]:
    with outside() as running:
        yield running


@pytest.fixture(params=[0, 1], ids=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest, servers: Outside) -> Server:
    return servers.tables[request.param]


@pytest.fixture
def database(server: Server) -> Database:
    """A table of its own in a server."""

    def make(if_exists: Any = "error", **options: Any) -> SqlSink:
        sink = open_output(with_options(server.url, **options), if_exists=if_exists)
        assert isinstance(sink, (PostgreSQL, MySQL))
        return sink

    return Database(make, f"items {next(numbers)}")


@pytest.mark.parametrize("check", CHECKS)
async def test_a_database_meets_the_contract_of_outputs(check: Any, database: Database) -> None:
    await check(database)


@pytest.mark.parametrize("check", CHECKS)
async def test_duckdb_meets_the_contract_of_outputs(check: Any, tmp_path: Path) -> None:
    await check(Database(lambda **options: DuckDB(tmp_path / "items.duckdb", **options)))


@pytest.mark.parametrize("size", [1, 24, 41, 3000])
async def test_a_row_with_more_fields_than_a_table_has_columns_is_stored(database: Database, size: int) -> None:
    """Texts of these sizes take most room in a row, beside those that are stored elsewhere."""
    item = {f"field {number}": f"{number:0{size}}" for number in range(2000)}
    await store(database.sink(), rows_of(item))
    columns = database.sink().max_columns
    [[last, rescued]] = database.select(f"field {columns - 3}", "_rescued_data")
    assert (last, len(json.loads(rescued))) == (item[f"field {columns - 3}"], 2000 - columns + 2)


# ---- a server that crashes -------------------------------------------------------------------------------------------


class Numbers(Spider):
    start_urls = [f"https://site.test/{n}" for n in range(PAGES)]
    settings = Settings(obey_robots=False, workers=4, slow_start=False, sink_lag=10)

    def parse(self, response: Response) -> object:
        return {"url": response.url}


class Lines(Numbers):
    def parse(self, response: Response) -> object:
        return {"url": response.url, "n": 7}


SITE = FakeSite(dict.fromkeys((f"/{n}" for n in range(PAGES)), "x"))


class Crashes(Plugin):
    """Restarts servers when some pages have come; they are away for a while."""

    def __init__(self, *servers: Restarts, every: int, away: float) -> None:
        self.servers, self.every, self.away = servers, every, away
        self.pages = 0
        self.threads: list[threading.Thread] = []

    def parse(self, response: Response) -> None:
        self.pages += 1
        if self.pages % self.every == 0:
            for server in self.servers:
                server.stop()  # nothing is stored meanwhile
                timer = threading.Timer(self.away, server.start)
                self.threads.append(timer)
                timer.start()


async def test_a_server_that_crashes_during_the_crawl_loses_and_doubles_nothing_and_is_reported_once(
    server: Server, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    crashes = Crashes(server, every=50, away=0.3)
    report = await crawl(Numbers(), plugins=[crashes], outputs=[database.sink()], transport=SITE.transport)
    for thread in crashes.threads:
        thread.join()
    assert len(crashes.threads) == 2
    assert report.items == PAGES
    assert sorted(url for (url,) in database.select("url")) == sorted(Numbers.start_urls)
    said = [record.message for record in caplog.records if record.name == "crawler.sinks"]
    told = [message.partition(" takes ")[2].partition(" (")[0] for message in said]
    assert told == ["no items", "items again"] * 2


async def test_servers_that_are_away_for_30_seconds_are_waited_for_and_reported_once(
    servers: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    crashes = Crashes(*servers.all, every=100, away=30)
    places = servers.places("away")
    report = await crawl(Lines(), plugins=[crashes], outputs=[*places], transport=SITE.transport)
    for thread in crashes.threads:
        thread.join()
    assert len(crashes.threads) == len(places) == 6
    assert report.items == PAGES
    for place, read in places.items():
        assert sorted(read()) == sorted((url, 7) for url in Numbers.start_urls), place
    blocked = "blocked the event loop"  # by `Crashes`
    ours = [
        record for record in caplog.records if record.name.startswith("crawler") and record.levelno >= logging.WARNING
    ]
    said = [record.getMessage() for record in ours if blocked not in record.getMessage()]  # the servers log, too
    for place in places:
        name = hide_userinfo(place).partition("?")[0]
        [away, back] = [message for message in said if name in message]
        assert "takes no items (" in away or away.endswith("has not answered for 10 s: items wait for it")
        assert len(away) < 300
        assert back.endswith(("takes items again", "answers again"))
    assert len(said) == 2 * len(places), said


def test_a_server_that_stays_away_ends_the_command_with_exit_code_1_and_the_same_command_continues(
    server: Server, database: Database, tmp_path: Path
) -> None:
    url = with_options(server.url, table=database.table, retry=0.2)
    settings = {"delay": 0.0, "sink_lag": 10, "workers": 4}
    with durable(
        tmp_path, seed=5, hosts=3, pages=60, settings=settings,
        elsewhere={url: lambda: database.select("url", "n")},
    ) as run:  # fmt: skip
        process = run.start()
        run.wait_for_requests(process, 20)
        try:
            server.stop()
            code, said = run.end(process)
            assert (code, said.count("has taken no items for 0.2 s")) == (1, 1), said
            assert said.count("takes no items") == 1
            code, said = run.run()
            assert (code, said.count("\n")) == (2, 1), said
            assert "cannot connect to" in said
        finally:
            server.stop()
            server.start()
        run.kills.append(time.monotonic())  # requests in flight may be repeated
        run.finish()
        assert run.figures().holds(), run.figures()


async def test_a_password_is_not_shown(server: Server) -> None:
    scheme, _, rest = server.url.partition("://")
    url = f"{scheme}://nobody:secret@{rest.rpartition('@')[2]}".replace("user=crawler", "connect_timeout=3")
    with pytest.raises(ConfigError, match=f"cannot connect to {scheme}://") as caught:
        await store(open_output(url), rows_of({"n": 1}))  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


# ---- kills -----------------------------------------------------------------------------------------------------------


def test_a_crawl_that_is_killed_stores_each_item_once(database: Database, server: Server, tmp_path: Path) -> None:
    url = with_options(server.url, table=database.table)
    with durable(tmp_path, seed=5, hosts=3, pages=150, outputs=[url], settings={"delay": 0.0}) as run:
        run.run_with_kills(3, random.Random(3))
        expected = run.plan.items(run.web)
    assert sorted(database.select("url", "n")) == sorted(expected.items())


def test_every_output_and_server_has_each_item_once_however_a_crawl_is_ended(servers: Outside, tmp_path: Path) -> None:
    settings = {"workers": 8, "grace": 0.2}
    with everywhere(
        tmp_path, seed=2, hosts=4, pages=60, settings=settings, elsewhere=servers.places("items")
    ) as crawl:  # fmt: skip
        crawl.run_with_endings(4, random.Random(2))
        assert crawl.figures().kills > 2
