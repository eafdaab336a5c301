"""A job that several workers share: kills, pauses, restarts of the server, outages, and refusals."""

from __future__ import annotations

import json
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

import psycopg
import pytest
import trio
from crawler_plugins.stores.postgres.store import PostgresStore
from integration.databases.servers import Server, ask_redis, postgresql, redis
from integration.fleet.cables import cables
from integration.fleet.fleet import LEASE, Fleet, fleet, job_url
from support.environments import environment
from support.localsite import local_site
from support.processes import PIPE, Process, run

from crawler.errors import JobError, JobLost

ROOT = Path(__file__).parents[3]
SETTINGS = {"workers": 8, "delay": 0.02, "grace": 1.0}
SPIDER = """
from crawler import Spider

class Books(Spider):
    topic: str = "all"
    start_urls = ["http://127.0.0.1:9/"]

    def parse(self, response):
        yield {"url": response.url}
"""

KINDS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "postgresql": postgresql, "redis": redis, "valkey": partial(redis, "valkey-server"),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgresql() as running:
        yield running


def wait_until_it_asks(crawl: Fleet, requests: int) -> None:
    """Wait until the web has got some more requests."""
    crawl.crawl.wait_for_requests(crawl.running[0], requests)


def test_four_workers_of_which_some_are_killed_and_paused_while_the_server_restarts_lose_and_double_nothing(
    server: Server, tmp_path: Path
) -> None:
    with fleet(tmp_path, server, job="kills", seed=1, hosts=12, pages=400, settings=SETTINGS) as crawl:
        crawl.run(random.Random(1), kills=6, pauses=2, restarts=1)
        assert crawl.figures().holds(), (crawl.figures(), crawl.said)


@pytest.mark.parametrize("kind", [postgresql, redis])
def test_workers_that_are_cut_off_for_shorter_or_longer_than_their_lease_lose_and_double_nothing(
    kind: Callable[..., AbstractContextManager[Server]], tmp_path: Path
) -> None:
    settings = SETTINGS | {"durability": "power"}
    with (
        cables(3) as net,
        kind(namespace=net.namespace, host=net.address(0)) as server,
        fleet(tmp_path, server, seed=3, hosts=9, pages=240, size=3, cables=net, settings=settings) as crawl,
    ):
        crawl.run(random.Random(3), cuts=4)
        assert crawl.figures().holds(), (crawl.figures(), crawl.said)
        assert re.search("does not answer|did not reach", "".join(crawl.said))  # one was cut off for long


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_while_the_server_is_away_every_worker_waits_and_says_so_once(
    kind: Callable[[], AbstractContextManager[Server]], tmp_path: Path
) -> None:
    settings = SETTINGS | {"durability": "power", "delay": 0.15}
    with kind() as server, fleet(tmp_path, server, job="away", seed=45, hosts=6, pages=120, settings=settings) as crawl:
        workers = [crawl.start() for _ in range(crawl.size)]
        crawl.wait_for_workers()
        wait_until_it_asks(crawl, 10)
        before = [said_of_silence(crawl, worker) for worker in workers]
        server.stop()
        time.sleep(1.25 * LEASE)
        while not all(map(is_waiting, (during := [said_of_silence(crawl, worker) for worker in workers]))):
            time.sleep(0.1)
        server.start()
        crawl.finish()
        assert crawl.figures().holds(), (crawl.figures(), crawl.said)
        for worker, earlier, said in zip(workers, before, during, strict=True):
            assert len(said) - len(earlier) == (not is_waiting(earlier)), crawl.said
            assert not is_waiting(said_of_silence(crawl, worker)), crawl.said


def said_of_silence(crawl: Fleet, worker: Process) -> list[str]:
    """Return the parts of the warnings of a worker about a server that does not answer, or answers again."""
    return re.findall("does not answer: no request is started until it does|answers again", crawl.said_by(worker))


def is_waiting(said: list[str]) -> bool:
    """Return whether a worker that has said this waits for its server."""
    return said[-1:] == ["does not answer: no request is started until it does"]


def test_a_worker_that_is_stopped_releases_its_hosts_at_once(server: Server, tmp_path: Path) -> None:
    with fleet(tmp_path, server, job="leaves", seed=3, hosts=4, pages=60, size=2, lease=60, settings=SETTINGS) as crawl:
        first, _ = crawl.start(), crawl.start()
        wait_until_it_asks(crawl, 15)
        first.send_signal(signal.SIGTERM)
        crawl.end(first)
        assert first.returncode == 0
        crawl.finish()
        figures = crawl.figures()
        assert (figures.lost, figures.twice, figures.refetches, figures.early) == (0, 0, 0, 0), figures
        with psycopg.connect(server.url) as database:
            rows = database.execute("SELECT was_lost FROM crawler_leaves.past_worker").fetchall()
        assert rows == [(False,), (False,)]


@pytest.mark.parametrize("kind", [postgresql, redis])
def test_a_spider_of_the_tutorial_runs_on_four_workers_by_nothing_but_its_job(
    kind: Callable[[], AbstractContextManager[Server]], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        sites = [stack.enter_context(local_site(quotes(shop, pages=5))) for shop in range(6)]
        url = job_url(stack.enter_context(kind()), "quotes")
        starts = json.dumps([f"{site.url}?page=0" for site in sites])
        words = [str(ROOT / "examples" / "quotes.py"), "-a", f"start_urls={starts}", "--job", url, "-o", "quotes.jsonl"]
        workers = [
            Process(
                ["-m", "crawler", "run", *words, "--report", f"{n}.json"],
                cwd=tmp_path, env=environment(), stdout=PIPE, stderr=PIPE,
            )
            for n in range(4)
        ]  # fmt: skip
        said = [worker.communicate(timeout=60)[1] for worker in workers]
        assert [worker.returncode for worker in workers] == [0] * 4, said
        code, _, late = crawler(tmp_path, "run", *words)
        assert code == 0
        assert "(0.0 pages/s" in late
        assert "this run  0 pages; the others are from other runs of the job" in late
        asked = [(site.url, asked.path) for site in sites for asked in site.log if "page" in asked.path]
    reports = [json.loads((tmp_path / f"{n}.json").read_text()) for n in range(4)]
    assert {report["pages"] for report in reports} == {30}
    for name, count in (("pages", 30), ("items", 60)):  # what each worker has done itself
        assert sum(report[name] - report["earlier"].get(name, 0) for report in reports) == count
    lines = [line for path in tmp_path.glob("quotes-*.jsonl") for line in path.read_text().splitlines()]
    found = sorted((json.loads(line)["by"], json.loads(line)["text"]) for line in lines)
    assert found == sorted((f"author {shop}", f"quote {n}") for shop in range(6) for n in range(10))
    assert len(asked) == len(set(asked)) == 30


def quotes(shop: int, *, pages: int) -> dict[str, str]:
    """Return the pages of a site with two quotes each, by path and query."""
    return {
        f"/?page={page}": "".join(
            f"<div class=quote><span class=text>quote {n}</span><span class=author>author {shop}</span></div>"
            for n in (2 * page, 2 * page + 1)
        )
        + (f"<li class=next><a href='?page={page + 1}'>more</a></li>" if page + 1 < pages else "")
        for page in range(pages)
    }


# ---- the command `job` -----------------------------------------------------------------------------------------------


def test_the_command_job_shows_and_exports_a_job_and_queues_failed_requests_again(
    server: Server, tmp_path: Path
) -> None:
    url = job_url(server, "shown")
    (tmp_path / "books.py").write_text(SPIDER)
    code, _, said = crawler(tmp_path, "run", "books.py", "--job", url, "-s", "attempts=1", "-s", "obey_robots=false")
    assert code == 4, said
    code, shown, _ = crawler(tmp_path, "job", url)
    assert code == 0
    assert "finished" in shown
    assert "spider    books (Books)" in shown
    assert "workers   none" in shown
    assert "groups" not in shown
    assert "http://127.0.0.1:9/ connect_failed after 1 attempt" in shown
    code, runs, _ = crawler(tmp_path, "job", url, "--runs", "--json")
    assert (code, runs.count('"failed":1')) == (0, 1)
    code, _, said = crawler(tmp_path, "job", url, "--retry-failed")
    assert (code, said) == (0, "queued 1 failed request again: run the job to retry\n")
    code, shown, _ = crawler(tmp_path, "job", url)
    assert "1 request waiting" in shown
    assert "groups    1 with requests, 1 of them free" in shown
    assert "0 failed" in shown
    code, _, said = crawler(tmp_path, "job", url, "--export", "items.jsonl")
    assert (code, said) == (0, "wrote 0 items to items.jsonl\n")


CUT = """
from crawler.spiders import FeedSpider

class Rows(FeedSpider):
    pass
"""


@pytest.mark.parametrize("kind", [postgresql, redis])
def test_pages_that_were_cut_are_listed_and_fetched_again(
    kind: Callable[[], AbstractContextManager[Server]], tmp_path: Path
) -> None:
    (tmp_path / "rows.py").write_text(CUT)
    whole = '{"a": 1}\n{"a": 2}\n'
    with kind() as server, local_site({"/rows.jsonl": [whole[:12], whole]}) as site:
        url = job_url(server, "cut")
        words = ("-a", f"url={site.url}rows.jsonl", "-s", "incomplete=keep", "-s", "attempts=1")
        code, _, said = crawler(tmp_path, "run", "rows.py", "--job", url, *words)
        assert code == 0, said
        assert "kept 12 bytes after 1 attempt" in crawler(tmp_path, "job", url, "--incomplete")[1]
        assert "cut       1 page kept as far as it came (--incomplete)" in crawler(tmp_path, "job", url)[1]
        code, _, said = crawler(tmp_path, "job", url, "--retry-failed")
        assert (code, said.startswith("queued 1 page that was cut again: ")) == (0, True)
        code, _, said = crawler(tmp_path, "run", "rows.py", "--job", url, *words)
        assert code == 0, said
        assert ": 0 pages were cut, 0 of them kept\n" in crawler(tmp_path, "job", url, "--incomplete")[1]
        assert "so far    2 pages, 3 items, 0 failed" in crawler(tmp_path, "job", url)[1]


def crawler(folder: Path, *words: str) -> tuple[int, str, str]:
    """Run a command; return its exit code and what it writes."""
    done = run(["-m", "crawler", *words], cwd=folder, env=environment())
    return done.returncode, done.stdout, done.stderr


# ---- refusals --------------------------------------------------------------------------------------------------------


def refused(folder: Path, *words: str) -> str:
    """Run a command that is refused in one line; return the line."""
    code, shown, said = crawler(folder, *words)
    assert (code, shown, said.count("\n")) == (2, "", 1), said
    assert "secret" not in said
    return said


def set_version(server: Server, job: str, version: str) -> None:
    """Let a job have another format."""
    if server.url.startswith("redis"):
        ask_redis(server, "hset", f"{{crawler:{job}}}:meta", "version", version)
        return
    with psycopg.connect(server.url, autocommit=True) as database:
        database.execute(f"UPDATE crawler_{job}.meta SET value = '{version}' WHERE name = 'version'")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_job_of_another_crawl_or_version_is_refused(
    kind: Callable[[], AbstractContextManager[Server]], tmp_path: Path
) -> None:
    (tmp_path / "books.py").write_text(SPIDER)
    options = ("-s", "attempts=1", "-s", "obey_robots=false")
    with kind() as server:
        url = job_url(server, "refused")
        crawler(tmp_path, "run", "books.py", "--job", url, *options)
        said = refused(tmp_path, "run", "books.py", "--job", url, "-a", "topic=birds", *options)
        assert 'belongs to another crawl: argument topic was not given and is now "birds"' in said
        assert "--override" in said
        set_version(server, "refused", "9")
        assert "has job format 9, and this version of crawler reads " in refused(tmp_path, "job", url)
        assert "has job format 9" in refused(tmp_path, "worker", url, "books.py", *options)


def test_the_summary_names_the_file_of_the_worker(tmp_path: Path) -> None:
    with local_site({"/": "home"}) as site, redis() as server:
        (tmp_path / "books.py").write_text(SPIDER.replace("http://127.0.0.1:9/", site.url))
        url = job_url(server, "named")
        code, _, said = crawler(tmp_path, "run", "books.py", "--job", url, "-o", "./books.jsonl", "-o", "-")
        assert (code, said.splitlines()[-1]) == (0, "  output    books-00001.jsonl, standard output")
        assert (tmp_path / "books-00001.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("program", ["redis-server", "valkey-server"])
def test_a_wrong_password_is_one_line(program: str, tmp_path: Path) -> None:
    (tmp_path / "books.py").write_text(SPIDER)
    with redis(program) as server:
        url = job_url(server, "none").replace("pass%2Fword%40", "secret")
        for words in (("run", "books.py", "--job", url), ("worker", url, "books.py"), ("job", url)):
            assert "the server refuses the user or password" in refused(tmp_path, *words)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("user=crawler", "user=nobody&password=secret"), 'role "nobody" does not exist'),
        (("/postgres/", "/none/"), 'database "none" does not exist'),
        (("host=", "connect_timeout=2&host=/none"), "No such file or directory"),
        (("user=crawler", "user=crawler&colour=red"), 'invalid URI query parameter: "colour"'),
    ],
    ids=["user", "database", "server", "parameter"],
)
def test_a_server_that_refuses_is_one_line(
    server: Server, tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    (tmp_path / "books.py").write_text(SPIDER)
    url = job_url(server, "none").replace(*change)
    assert message in refused(tmp_path, "run", "books.py", "--job", url)
    assert message in refused(tmp_path, "job", url)


def test_a_job_that_does_not_exist_is_not_created_by_looking_at_it(server: Server, tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path, "job", job_url(server, "nobody"))
    with psycopg.connect(server.url, autocommit=True) as database:
        database.execute("CREATE SCHEMA crawler_taken")
    said = refused(tmp_path, "job", job_url(server, "taken"))
    assert "the schema crawler_taken has no job: give it another name" in said


async def test_a_password_that_is_wrong_after_a_restart_ends_the_worker(server: Server) -> None:
    with psycopg.connect(server.url, autocommit=True) as database:
        database.execute("CREATE ROLE keeper LOGIN PASSWORD 'first-secret'")
        database.execute("GRANT CREATE ON DATABASE postgres TO keeper")
        rules = Path(database.execute("SHOW hba_file").fetchone()[0])  # type: ignore[index]  # there is one row
        rules.write_text("local all keeper scram-sha-256\n" + rules.read_text())
        database.execute("SELECT pg_reload_conf()")
    url = job_url(server, "guarded").replace("user=crawler", "user=keeper&password=first-secret")
    async with PostgresStore.open(url) as store:
        with psycopg.connect(server.url, autocommit=True) as database:
            database.execute("ALTER ROLE keeper PASSWORD 'another-secret'")
        server.stop()
        server.start()
        with trio.fail_after(60), pytest.raises(JobError, match="password authentication failed") as caught:
            await store.extend()
    assert "secret" not in str(caught.value)


async def test_a_worker_of_a_job_that_is_gone_is_none_of_the_job_that_has_its_place(server: Server) -> None:
    url = job_url(server, "replaced")
    async with PostgresStore.open(url) as old:
        await old.extend()
        with psycopg.connect(server.url, autocommit=True) as database:
            database.execute("DROP SCHEMA crawler_replaced CASCADE")
        with pytest.raises(JobLost, match="/replaced no longer exists: its server has lost the data, or the job was"):
            await old.extend()
        async with PostgresStore.open(url) as new:
            assert new.owner == old.owner
            for _ in range(3):
                await new.extend()
            old._server.close()  # as when the server starts again
            with pytest.raises(JobLost, match="no longer exists"):
                await old.extend()


@pytest.mark.parametrize("kind", [postgresql, redis])
def test_a_worker_whose_job_was_deleted_ends_and_says_what_to_do(
    kind: Callable[[], AbstractContextManager[Server]], tmp_path: Path
) -> None:
    with local_site(quotes(0, pages=500)) as site, kind() as place:
        url = job_url(place, "deleted")
        words = [str(ROOT / "examples" / "quotes.py"), "-a", f"start_urls={site.url}?page=0", "-s", "delay=0.05"]
        command = ["-m", "crawler", "worker", url, *words, "-o", "quotes.jsonl"]
        worker = Process(command, cwd=tmp_path, env=environment(), stdout=PIPE, stderr=PIPE)
        deadline = time.monotonic() + 60
        while len(site.log) < 10:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        if kind is redis:
            ask_redis(place, "flushall")
        else:
            with psycopg.connect(place.url, autocommit=True) as database:
                database.execute("DROP SCHEMA crawler_deleted CASCADE")
        said = worker.communicate(timeout=60)[1]
    assert worker.returncode == 1, said
    assert "/deleted no longer exists: its server has lost the data, or the job was deleted" in said.splitlines()[-1]
    assert "the same command resumes it" not in said
    assert "which the next run stores" not in said
