"""``crawler run --scrapy`` and files with a Scrapy spider."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import pytest
from crawler_plugins.scrapy import ScrapySpider
from crawler_plugins.scrapy.reactor import TrioReactor

from crawler.cli import scrapy_project
from crawler.cli.app import main
from crawler.cli.open_outputs import feed_places, feeds_of
from crawler.cli.run import job_of
from crawler.cli.scrapy_project import project_spider
from crawler.cli.target import make_spider
from crawler.errors import ConfigError

SPIDER = """\
import scrapy


class Books(scrapy.Spider):
    name = "books"
    start_urls = ["http://127.0.0.1:9/"]
"""

ONE_ITEM = """\
import scrapy
class Books(scrapy.Spider):
    name = "books"
    start_urls = ["data:,x"]
    def parse(self, response):
        yield {"a": 1}
"""


@pytest.fixture
def project(in_process, tmp_path, monkeypatch):
    """A project in the working directory, with one spider."""
    monkeypatch.setenv("SCRAPY_SETTINGS_MODULE", "")
    (tmp_path / "scrapy.cfg").write_text("[settings]\ndefault = bookshop\n")
    (tmp_path / "bookshop.py").write_text('SPIDER_MODULES = ["bookspiders"]\nUSER_AGENT = "Shop/1"\n')
    (tmp_path / "bookspiders.py").write_text(SPIDER)
    yield tmp_path
    for name in ("bookshop", "bookspiders", "books", "films"):
        sys.modules.pop(name, None)
    TrioReactor.uninstall()


def test_a_spider_of_a_project_is_named(project):
    spider = project_spider(project, "books", {"tag": "x"}, {"DOWNLOAD_DELAY": "2"})
    assert isinstance(spider, ScrapySpider)
    assert (spider.name, spider.scrapy.spider.tag) == ("books", "x")
    assert (spider.settings.delay, spider.settings.user_agent) == (2.0, "Shop/1")


def test_a_file_with_a_scrapy_spider_is_run_with_the_settings_of_its_project(project):
    (project / "books.py").write_text(SPIDER)
    for target in ("books.py", "books.py:Books"):
        spider = make_spider(target, {}, {"CONCURRENT_REQUESTS": "3"})
        assert (type(spider), spider.settings.workers) == (ScrapySpider, 3)
        assert spider.settings.user_agent == "Shop/1"


def test_a_file_imports_the_modules_of_its_project(project, monkeypatch):
    folder = project / "deep"
    folder.mkdir()
    (project / "bookitems.py").write_text("place = 'of the project'\n")
    (folder / "books.py").write_text(f"from bookitems import place\n{SPIDER}    said = place\n")
    monkeypatch.chdir(folder)
    assert make_spider("books.py", {}, {}).scrapy.spider.said == "of the project"


def test_a_file_may_import_removed_names_of_scrapy_and_the_reactor(project):
    (project / "books.py").write_text(
        "from scrapy.spider import BaseSpider\nfrom twisted.internet import reactor\n"
        "class Books(BaseSpider):\n    name = 'books'\n    reactor = reactor\n"
    )
    spider = make_spider("books.py", {}, {})
    assert spider.scrapy.spider.reactor is TrioReactor.install().reactor


def test_settings_of_scrapy_are_refused_for_other_spiders(in_process, tmp_path):
    (tmp_path / "own.py").write_text("from crawler import Spider\nclass Own(Spider):\n    start_urls = []\n")
    with pytest.raises(ConfigError, match=r"no such setting: DOWNLOAD_DELAY \(did you mean delay\?\)"):
        make_spider("own.py", {}, {"DOWNLOAD_DELAY": "1"})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scrapy", "none", "books"], "no such folder: none"),
        (["--scrapy", ".", "book"], "has no spider 'book'; it has: books"),
        (["--scrapy", ".", "books", "-s", "CONCURRENT_REQUESTS=many"], "setting CONCURRENT_REQUESTS: "),
        (["--scrapy", ".", "books", "-s", "SCHEDULER=shop.Scheduler"], "books cannot run: SCHEDULER"),
        (
            ["--scrapy", ".", "books", "-s", "STATS_CLASS=logging.INFO"],
            "STATS_CLASS = logging.INFO must be a class, not",
        ),
        (["--scrapy", ".", "books", "-s", "lower=1"], "no such setting: lower"),
        (["--scrapy", ".", "books", "--as", "text"], "--as needs the URL of a site"),
    ],
)
def test_a_project_that_cannot_run_is_one_line_and_exit_code_2(project, capsys, words, message):
    assert main(["run", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_each_reason_why_a_spider_cannot_run_is_one_line(project, capsys):
    names = ("SCHEDULER", "DOWNLOADER", "STATS_CLASS")
    given = [word for name in names for word in ("-s", f"{name}=shop.None")]
    assert main(["run", "--scrapy", ".", "books", *given]) == 2
    lines = capsys.readouterr().err.splitlines()
    beginnings = [
        f"crawler: books cannot run: {name} = shop.None" for name in ("SCHEDULER", "DOWNLOADER", "STATS_CLASS")
    ]
    assert [line.startswith(beginning) for line, beginning in zip(lines, beginnings, strict=True)] == [True, True, True]


def test_the_server_of_scrapy_redis_is_that_of_the_job(project):
    settings = {"SCHEDULER": "scrapy_redis.scheduler.Scheduler", "REDIS_HOST": "cache.example"}
    assert job_of("", [project_spider(project, "books", {}, settings)]) == "redis://cache.example:6379/0/books"
    assert job_of("here", [project_spider(project, "books", {}, settings)]) == "here"
    with pytest.raises(ConfigError, match="the settings of books: REDIS_URL is not a URL of the form"):
        job_of("", [project_spider(project, "books", {}, settings | {"REDIS_URL": "unix:///redis.sock"})])


def test_a_file_that_needs_scrapy_names_the_extra(in_process, tmp_path, capsys, monkeypatch):
    (tmp_path / "books.py").write_text(SPIDER)
    monkeypatch.setitem(sys.modules, "scrapy", None)
    assert main(["run", "books.py"]) == 2
    assert "imports Scrapy, which is not installed: pip install 'trio-crawler[scrapy]'" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"--scrapy needs scrapy, which is not installed: pip install 'trio-crawler"):
        project_spider(tmp_path, "books", {}, {})


def test_a_project_names_its_job_and_its_outputs(project, tmp_path):
    (tmp_path / "bookshop.py").write_text(
        'SPIDER_MODULES = ["bookspiders"]\nJOBDIR = "kept"\nFEEDS = {"%(name)s.jsonl": {"format": "jsonlines"}}\n'
    )
    spider = project_spider(project, "books", {}, {})
    assert job_of("", [spider]) == "kept"
    assert job_of("given", [spider]) == "given"
    [sink] = feeds_of(spider, [], "error", Path("kept"))
    assert sink.path == Path("books.jsonl")
    assert feed_places(spider, []) == ["books.jsonl"]


def test_outputs_of_the_command_line_replace_those_of_a_project_as_in_scrapy(project, capsys):
    (project / "bookshop.py").write_text('SPIDER_MODULES = ["bookspiders"]\nFEEDS = {"feed.jsonl": {}}\n')
    (project / "bookspiders.py").write_text(ONE_ITEM)
    assert main(["run", "--scrapy", ".", "books", "-o", "given.jsonl"]) == 0
    assert Path("given.jsonl").read_text() == '{"a":1}\n'
    assert not Path("feed.jsonl").exists()
    assert "output    given.jsonl\n" in capsys.readouterr().err


@pytest.mark.parametrize("job", [[], ["--job", "jobs"]])
def test_several_spiders_of_a_project_write_their_own_feeds(project, capsys, job):
    (project / "bookshop.py").write_text(
        'SPIDER_MODULES = ["bookspiders"]\nFEEDS = {"%(name)s.csv": {}, "all-%(name)s.json": {}}\n'
    )
    (project / "books.py").write_text(ONE_ITEM)
    (project / "films.py").write_text(ONE_ITEM.replace("Books", "Films").replace("books", "films"))
    assert main(["run", "books.py", "films.py", *job]) == 0
    assert {name: Path(f"{name}.csv").read_text().split() for name in ("books", "films")} == {
        "books": ["a", "1"], "films": ["a", "1"],
    }  # fmt: skip
    assert [json.loads(Path(f"all-{name}.json").read_text()) for name in ("books", "films")] == [[{"a": 1}]] * 2
    said = capsys.readouterr().err
    assert [f"output    {name}.csv, all-{name}.json\n" in said for name in ("books", "films")] == [True, True]


def test_a_spider_is_chosen_by_its_name_from_a_file_with_a_base_class_without_a_name(project, capsys):
    base = ONE_ITEM.replace("Books", "Base").replace('    name = "books"\n', "")
    (project / "books.py").write_text(f"{base}\nclass Books(Base):\n    name = 'books'\n")
    assert main(["run", "books.py", "--spider", "books", "-o", "given.jsonl"]) == 0
    assert Path("given.jsonl").read_text() == '{"a":1}\n'


@pytest.mark.parametrize("feed", ["all.csv", "%(time)s.csv"])
def test_spiders_of_a_project_do_not_share_a_feed(project, capsys, feed):
    (project / "bookshop.py").write_text(f'SPIDER_MODULES = ["bookspiders"]\nFEEDS = {{"{feed}": {{}}}}\n')
    (project / "books.py").write_text(f"{SPIDER}class Films(Books):\n    name = 'films'\n")
    assert main(["run", "books.py:Books", "books.py:Films"]) == 2
    assert f"several spiders cannot share the feed {feed}: write %(name)s into its name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "output"),
    [
        ("", "  output    none: use -o FILE to keep the items\n"),
        ('ITEM_PIPELINES = {"bookspiders.Store": 1}\n', ""),
        ('FEEDS = {"a.csv": {}, "a.jl": {}}\n', "  output    a.csv, a.jl\n"),
        ('FEEDS = {"a.csv": {}, "a.jl": {}}\nJOBDIR = "kept"\n', "  output    a.csv, a.jl\n"),
    ],
)
def test_the_summary_names_the_outputs_of_a_project(project, capsys, settings, output):
    (project / "bookshop.py").write_text(f'SPIDER_MODULES = ["bookspiders"]\n{settings}')
    (project / "bookspiders.py").write_text(
        f"{ONE_ITEM}class Store:\n    def process_item(self, item):\n        return item\n"
    )
    assert main(["run", "--scrapy", ".", "books"]) == 0
    first, _, rest = capsys.readouterr().err.partition("\n")
    assert first.startswith("finished: 1 page and 1 item")
    assert rest == output


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_collector_rests_while_scrapy_is_imported(monkeypatch, is_enabled):
    enabled = []

    def load(*_):
        enabled.append(gc.isenabled())
        if len(enabled) > 1:
            raise ImportError("broken")
        return ScrapySpider

    monkeypatch.setattr(scrapy_project, "load_entry_point", load)
    monkeypatch.setattr(gc, "freeze", lambda: None)  # the other tests have garbage
    (gc.enable if is_enabled else gc.disable)()
    try:
        scrapy_project.prepare_import(Path("books.py"))
        with pytest.raises(ImportError):
            scrapy_project.prepare_import(Path("books.py"))
        assert (enabled, gc.isenabled()) == ([False, False], is_enabled)
    finally:
        gc.enable()


def test_the_plugin_is_found_in_its_own_distribution_or_else_in_another(monkeypatch):
    asked = []
    monkeypatch.setattr(scrapy_project, "entry_points_of", lambda group: asked.append(group) or {"scrapy": "another"})
    found = scrapy_project._entry_point()
    assert (found.load(), asked) == (ScrapySpider, [])
    monkeypatch.setattr(scrapy_project, "DISTRIBUTION", "no-such-distribution")
    assert (scrapy_project._entry_point(), asked) == ("another", ["crawler.spiders"])
