"""``crawler run`` from outside: exit codes, outputs, the report, and the standard streams."""

from __future__ import annotations

import csv
import gc
import http.server
import json
import os
import pty
import signal
import ssl
import textwrap
import threading
import time

import pytest
import trustme
from support.localsite import local_site

from crawler.cli.run import set_collector
from crawler.transport.authorities import VARIABLES

REPORT_KEYS = {
    "finished", "pages", "items", "requests", "retries", "failed", "filtered", "counters", "bytes", "seconds",
    "cpu_seconds", "peak_rss", "statuses", "lanes",
}  # fmt: skip


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_spider_of_a_file_writes_every_output_and_a_report(command, books, tmp_path, site):
    outputs = ["-o", "items.jsonl", "-o", "items.json", "-o", "items.csv", "-o", "-"]
    code, out, err = command("run", "books.py", *outputs, "--report", "report.json")
    assert code == 0
    items = lines(tmp_path / "items.jsonl")
    assert len(items) == 29
    assert [json.loads(line) for line in out.splitlines()] == items
    assert json.loads((tmp_path / "items.json").read_text()) == items
    with (tmp_path / "items.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == items
    report = json.loads((tmp_path / "report.json").read_text())
    assert report.keys() >= REPORT_KEYS
    assert (report["finished"], report["pages"], report["items"], report["failed"]) == ("finished", 29, 29, 0)
    assert report["statuses"]["404"] == 1
    assert report["filtered"]["robots"] == 1
    [(lane, counts)] = report["lanes"].items()
    assert lane in site.url
    assert counts["requests"] == report["requests"]
    assert report["cpu_seconds"] > 0
    assert 10e6 < report["peak_rss"] < 1e9
    assert oct((tmp_path / "report.json").stat().st_mode & 0o777) == oct(0o666 & ~_umask())
    # one summary and nothing else: no progress in a pipe, no logs of a crawl that went well
    assert err.startswith("finished: 29 pages and 29 items in ")
    assert "\x1b" not in err + out
    assert "output    items.jsonl, items.json, items.csv, standard output" in err


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_site_can_be_crawled_from_its_url_alone(command, tmp_path, site):
    code, out, err = command("run", site.url, "-o", "-", "-s", "max_pages=3", "--quiet")
    assert (code, err) == (0, "")
    first = json.loads(out.splitlines()[0])
    assert first == {"url": site.url, "status": 200, "title": "The Quiet Shelf", "depth": 0, "links": 7}


def test_arguments_plugins_and_their_options_reach_the_crawl(command, tmp_path, site):
    (tmp_path / "shop.py").write_text(
        "from crawler import Drop, Plugin, Spider\n"
        "class Only(Plugin):\n"
        "    def __init__(self, words: list[str], least: int = 0):\n"
        "        self.words, self.least = words, least\n"
        "    async def refine(self, item, response):\n"
        "        if len(item['title']) < self.least or not any(word in item['title'] for word in self.words):\n"
        "            return Drop('other')\n"
        "class Mark(Plugin):\n"
        "    async def refine(self, item, response):\n"
        "        return item | {'mark': True}\n"
        "class Shop(Spider):\n"
        "    plugins = [Mark()]\n"
        "    shelf: int = 1\n"
        "    def parse(self, response):\n"
        "        yield from response.follow_all('li.book a', self.parse_book)\n"
        "    def parse_book(self, response):\n"
        "        yield {'title': response.css('h1::text').get(), 'shelf': self.shelf + 1}\n"
    )
    common = ["run", "shop.py:Shop", "-o", "-", "-a", f"start_urls={site.url}books/1", "-a", "shelf=4"]
    only = ["-p", "shop:Only", "-P", 'only.words=["Eyre", "Moby"]', "-P", "only.least=9"]
    code, out, err = command(*common, *only, "--no-plugin", "mark")
    assert (code, out) in [(0, f"{a}\n{b}\n") for a, b in _either_order()]
    assert "dropped   other: 3" in err
    (tmp_path / "crawler.toml").write_text('[plugins."shop:Only"]\nwords = ["Eyre"]\n')
    code, out, _ = command(*common)
    assert (code, json.loads(out)) == (0, {"title": "Jane Eyre", "shelf": 5, "mark": True})


def _either_order():
    one, other = '{"title":"Moby-Dick","shelf":5}', '{"title":"Jane Eyre","shelf":5}'
    return (one, other), (other, one)


def test_failures_are_reported_with_their_cause_and_can_be_tolerated(command, tmp_path, site):
    (tmp_path / "bad.py").write_text(
        "from crawler import Spider\n"
        "class Bad(Spider):\n"
        f"    start_urls = ['{site.url}books/1', '{site.url}books/2']\n"
        "    def parse(self, response):\n"
        "        if response.url.endswith('2'):\n"
        "            return {'ok': 1}\n"
        "        raise ValueError('no such shelf')\n"
    )
    code, out, err = command("run", "bad.py", "-o", "-", traceback=True)
    assert (code, out) == (4, '{"ok":1}\n')
    assert err.count("ValueError: no such shelf") == 3  # the log line, its traceback, the summary
    assert 'bad.py", line 7, in parse' in err
    assert f"failed    callback_error.parse 1 (ValueError: no such shelf): {site.url}books/1" in err
    quiet = ["run", "bad.py", "--quiet", "--log-level", "critical"]
    assert command(*quiet, "--tolerate", "1") == (0, "", "")
    assert command(*quiet, "--tolerate", "50%") == (0, "", "")
    assert command(*quiet, "--tolerate", "49%") == (4, "", "")
    assert command(*quiet, "-s", "max_errors=1") == (3, "", "")


def test_a_crawl_that_fails_says_why_in_one_line_and_still_writes_its_report(command, books, tmp_path):
    (tmp_path / "sick.py").write_text(
        "from contextlib import asynccontextmanager\n"
        "from crawler import Plugin\n"
        "class Sick(Plugin):\n"
        "    def measure(self, usage):\n"
        "        raise ValueError('out of order')\n"
        "class Late(Plugin):\n"
        "    @asynccontextmanager\n"
        "    async def lifespan(self, crawl):\n"
        "        raise OSError('no database')\n"
        "        yield\n"
    )
    code, out, err = command("run", "books.py", "-p", "sick:Sick", "--quiet", "--report", "report.json")
    assert (code, out) == (1, "")
    assert err.splitlines() == ["crawler: the crawl failed: sick.measure failed: ValueError: out of order"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report.keys() >= REPORT_KEYS
    assert report["finished"] == "failed"
    code, out, err = command("run", "books.py", "-p", "sick:Late")
    assert (code, err) == (1, "crawler: the crawl failed: late.lifespan failed: OSError: no database\n")


def test_settings_override_each_other_in_order(command, books, tmp_path):
    def pages(*arguments, env=None):
        code, _, err = command("run", "books.py", "--report", "report.json", *arguments, env=env)
        assert code == 0
        return json.loads((tmp_path / "report.json").read_text())["pages"], err

    books.write_text(books.read_text().replace("    shelf:", "    settings = Settings(max_pages=6)\n    shelf:"))
    assert pages()[0] == 6
    (tmp_path / "crawler.toml").write_text("[settings]\nmax_pages = 5\nworkers = 1\n")
    assert pages()[0] == 5
    environment = {"CRAWLER_MAX_PAGES": "4", "CRAWLER_WROKERS": "9"}
    found, err = pages(env=environment)
    assert found == 4
    assert "CRAWLER_WROKERS in the environment is not a setting (did you mean CRAWLER_WORKERS?)" in err.splitlines()[0]
    assert pages("-s", "max_pages=3", env=environment)[0] == 3


def test_without_an_output_the_summary_says_how_to_keep_the_items(command, books):
    one_page = ["run", "books.py", "-s", "max_depth=0"]
    assert command(*one_page)[2].endswith("  output    none: use -o FILE to keep the items\n")
    _, _, err = command(*one_page, "--job", "kept")
    assert err.endswith("  output    none: crawler job kept --export FILE writes the items\n")


def test_debug_logs_show_each_request_and_json_logs_are_json(command, books, site):
    run = ["run", "books.py", "-s", "max_depth=0", "--log-level", "debug"]
    code, _, err = command(*run)
    assert code == 0
    assert err.endswith("output    none: use -o FILE to keep the items\n")
    assert f"DEBUG crawler.engine: 200 GET {site.url}\n" in err
    code, _, err = command(*run, "--log-json")
    assert code == 0
    logged = [json.loads(line) for line in err.splitlines()]
    assert all(line.keys() == {"time", "level", "logger", "message"} for line in logged)
    assert ("crawler.engine", f"200 GET {site.url}") in [(line["logger"], line["message"]) for line in logged]
    assert logged[-1]["message"].startswith("finished: 1 page and 1 item in ")
    code, _, err = command("run", "books.py", "-s", "delay=x", "--log-json")
    told = json.loads(err)
    assert (code, told["level"], told["message"][:29]) == (2, "error", "crawler: setting delay: must ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_soon_with_exit_code_130_and_all_items(start, books, tmp_path, number):
    process = start("run", "books.py", "-o", "items.jsonl", "-s", "delay=0.2", "--report", "report.json")
    items = tmp_path / "items.jsonl"
    wait_for(lambda: items.exists() and items.read_text().count("\n") >= 2)
    process.send_signal(number)
    asked = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert time.monotonic() - asked < 10
    assert err.startswith("interrupted: ")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["finished"] == "interrupted"
    assert 2 <= report["items"] == len(lines(items)) < 29


@pytest.fixture
def private_site(tmp_path):
    """An HTTPS server whose certificate is signed by an authority of its own, in ``ca.pem``."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            is_page = self.path == "/"
            self.send_response(200 if is_page else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "16" if is_page else "0")
            self.end_headers()
            self.wfile.write(b"<a href=/>me</a>" if is_page else b"")

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            pass  # a client that does not trust the certificate

    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_private_authority_is_trusted_by_setting_and_by_environment(command, tmp_path, private_site):
    run = ["run", private_site, "-o", "-", "--quiet", "--log-level", "error"]
    nothing = dict.fromkeys(VARIABLES, "")
    code, out, _ = command("run", private_site, "-o", "-", env=nothing)
    assert (code, out) == (4, "")
    code, out, err = command("fetch", private_site, env=nothing)
    assert (code, out) == (1, "")
    assert "to trust its authority, set tls_verify to the file of the authority's certificate" in err
    code, out, err = command(*run, "-s", "tls_verify=ca.pem", env=nothing)
    assert (code, json.loads(out)["status"], err) == (0, 200, "")
    for name in VARIABLES:
        code, out, err = command(*run, env=nothing | {name: str(tmp_path / "ca.pem")})
        assert (code, json.loads(out)["status"], err) == (0, 200, "")
    code, out, err = command(*run, env=nothing | {"CURL_CA_BUNDLE": "/none.pem"})
    assert (code, err) == (2, "crawler: environment variable CURL_CA_BUNDLE: no such file: /none.pem\n")


def test_closing_the_terminal_does_not_end_the_crawl(start, books, tmp_path):
    ours, theirs = pty.openpty()
    run = ["run", "books.py", "-s", "delay=0.05", "-o", "items.jsonl"]
    process = start(*run, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    assert os.read(ours, 1)
    os.close(ours)
    assert process.wait(60) == 0
    assert len(lines(tmp_path / "items.jsonl")) == 29


def test_a_terminal_shows_a_progress_line_that_is_removed_at_the_end(start, books):
    ours, theirs = pty.openpty()
    process = start("run", "books.py", "-s", "delay=0.03", stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
        seen += chunk
    os.close(ours)
    assert process.wait(20) == 0
    live, _, last = seen.decode().partition("finished: 29 pages")
    assert " pages · " in live
    assert " in flight · " in live
    assert live.endswith("\x1b[2K")  # the line was cleared
    assert "\x1b" not in last


def test_an_exception_in_start_shows_the_frames_of_the_spider_alone(command, tmp_path):
    (tmp_path / "bad.py").write_text(
        "from crawler import Spider\n\n\nclass Bad(Spider):\n    def start(self):\n        yield from shelves()\n\n\n"
        "def shelves():\n    raise ValueError('no such shelf')\n"
    )
    code, out, err = command("run", "bad.py", "-o", "-", traceback=True)
    assert (code, out) == (1, "")
    assert '/bad.py", line 10, in shelves' in err
    assert "crawler/engine" not in err
    assert err.endswith("crawler: the crawl failed: ValueError: no such shelf\n")


def test_a_wrong_result_of_a_callback_is_reported_without_a_traceback(command, tmp_path, site):
    (tmp_path / "bad.py").write_text(
        f"from crawler import Spider\nclass Bad(Spider):\n    start_urls = ['{site.url}']\n    def parse(self, r):\n"
        "        return 'text'\n"
    )
    code, out, err = command("run", "bad.py", "-o", "-", "--quiet")
    assert (code, out) == (4, "")
    assert err == (
        f"ERROR crawler.engine: bad.parse failed for {site.url}: TypeError: a callback must return requests and items, "
        "not str\n"
        f"WARNING crawler.engine: no start page gave a page: {site.url} failed (callback_error.parse)\n"
    )


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
def test_the_content_of_pages_goes_to_every_output_and_a_job_resumes_with_it(command, tmp_path, site, ending):
    words = ["run", site.url, "--as", "article", "-o", f"pages.{ending}", "--job", "job", "--quiet"]
    assert command(*words, "-s", "max_pages=2")[0] == 0
    assert command(*words, "-s", "max_pages=4")[0] == 0
    text = (tmp_path / f"pages.{ending}").read_text()
    assert text.count("markdown") >= 3
    code, _, err = command("run", site.url, "--as", "text", "-o", f"pages.{ending}", "--job", "job", "--quiet")
    assert (code, "content" in err) == (2, True)


@pytest.mark.parametrize(
    "words", [["books.py", "--as", "text"], ["http://127.0.0.1:9/", "--as", "text", "-a", "content=links"]]
)
def test_as_needs_a_url_and_is_given_once(command, books, words):
    code, _, err = command("run", *words)
    assert (code, err.count("\n")) == (2, 1)
    assert "--as" in err


@pytest.mark.parametrize(("workers", "objects"), [(1, 700), (10_000, 500_000)])
def test_the_garbage_collector_runs_less_often_with_many_requests_in_flight(workers, objects):
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        set_collector(workers)
        assert gc.get_threshold() == (objects, 10, 10)
    finally:
        gc.set_threshold(*before)


START = """\
from crawler import Request, Spider


class Starts(Spider):
    {start}

    def parse_page(self, response):
        yield {{"url": response.url}}
"""


@pytest.mark.parametrize(
    "method",
    [
        "def start(self): return Request('{url}')",
        "def start(self): yield Request('{url}')",
        "async def start(self): yield Request('{url}')",
        "async def start(self): return [Request('{url}', self.parse_page), Request('{url}two')]",
    ],
)
@pytest.mark.parametrize("job", [(), ("--job", "starts.job")])
def test_start_requests_without_a_callback_are_refused_before_the_first_fetch(command, tmp_path, method, job):
    with local_site({"/": "<p>one", "/two": "<p>two"}) as site:
        spider = tmp_path / "starts.py"
        spider.write_text(START.format(start=method.format(url=site.url)))
        code, out, err = command("run", "starts.py", "-o", "starts.jsonl", *job)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(f"crawler: Starts.start() yields {site.url}")
        assert site.log == []
        spider.write_text(spider.read_text().replace("parse_page", "parse"))
        assert command("run", "starts.py", "-o", "starts.jsonl", *job, "--quiet")[0] == 0
        assert f'{{"url":"{site.url}"}}' in (tmp_path / "starts.jsonl").read_text()


def test_a_start_request_without_a_callback_fails_alone_once_the_crawl_has_begun(command, tmp_path):
    with local_site({"/": "<p>one", "/two": "<p>two"}) as site:
        start = (
            "async def start(self):\n"
            f"        yield Request('{site.url}', self.parse_page)\n"
            f"        await self.crawl.fetch(Request('{site.url}two'))\n"
            f"        yield Request('{site.url}two?again')"
        )
        (tmp_path / "starts.py").write_text(START.format(start=start))
        code, out, _ = command("run", "starts.py", "-o", "-", "--quiet", traceback=False)
    assert (code, out) == (4, f'{{"url":"{site.url}"}}\n')


def test_an_interrupt_in_a_destructor_is_not_forgotten(command, tmp_path):
    text = """
        import os, signal, time

        class Left:
            def __del__(self):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0)

        Left()
        time.sleep(5)
        print("went on")
    """
    (tmp_path / "left.py").write_text(textwrap.dedent(text))
    assert command("run", "left.py") == (130, "", "crawler: interrupted\n")
