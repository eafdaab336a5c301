"""Several spiders in one command: outputs, jobs and reports of their own, and one exit code."""

from __future__ import annotations

import json

import pytest

from crawler.cli import main
from crawler.cli.target import make_spiders
from crawler.errors import ConfigError

TWO = """\
from crawler import Settings, Spider

class Books(Spider):
    start_urls = ["{url}"]
    settings = Settings(max_pages=2)
    def parse(self, response):
        yield {{"books": response.url}}
        yield from response.follow_all("a")

class Lost(Spider):
    name = "lost and found"
    start_urls = ["{url}no-such-page"]
    settings = Settings(attempts=1)
    def parse(self, response): ...

class _Hidden(Spider):
    pass
"""


@pytest.fixture
def two(in_process, tmp_path, site):
    (tmp_path / "two.py").write_text(TWO.format(url=site.url))
    return tmp_path


def test_each_spider_has_its_output_its_job_and_its_report(two, capsys):
    words = ["two.py", "--spider", "Books", "--spider", "lost and found", "-o", "%(spider)s.jsonl", "--job", "jobs"]
    assert main(["run", *words, "--report", "%(spider)s.json"]) == 4
    assert len((two / "books.jsonl").read_text().splitlines()) == 2
    assert not (two / "lost-and-found.jsonl").exists(), "a series has no file without an item"
    reports = {name: json.loads((two / f"{name}.json").read_text()) for name in ("books", "lost-and-found")}
    assert {name: (report["pages"], report["failed"]) for name, report in reports.items()} == {
        "books": (2, 0), "lost-and-found": (0, 0),
    }  # fmt: skip
    assert sorted(path.name for path in (two / "jobs").iterdir()) == ["books", "lost-and-found"]
    said = capsys.readouterr().err
    assert said.index("books:\nfinished by max_pages: 2 pages") < said.index("lost and found:\nno pages: 0 pages")


def test_several_files_run_together_and_standard_output_has_the_items_of_all(two, site, capfdbinary):
    (two / "one.py").write_text(TWO.format(url=site.url).replace("Lost", "_Lost").replace('"books"', '"again"'))
    assert main(["run", "one.py", "two.py:Books", "-o", "-", "--quiet"]) == 0
    items = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert sorted(key for item in items for key in item) == ["again", "again", "books", "books"]


def test_several_urls_are_one_crawl_with_one_output_and_one_job(in_process, site, tmp_path, capsys):
    urls = [site.url, f"{site.url}quotes/"]
    words = ["run", *urls, "-s", "delay=0", "-s", "max_depth=0", "--job", "job", "-o", "pages.jsonl"]
    assert main(words) == 0
    assert sorted(json.loads(line)["url"] for line in (tmp_path / "pages.jsonl").read_text().splitlines()) == urls
    assert capsys.readouterr().err.count("finished: 2 pages and 2 items") == 1


def test_spiders_of_the_same_name_are_distinguished_by_their_start_pages(two, site, capsys):
    (two / "one.py").write_text(TWO.format(url=f"{site.url}quotes/").replace("Lost", "_Lost"))
    assert main(["run", "one.py", "two.py:Books", "-s", "max_pages=1"]) == 0
    said = capsys.readouterr().err
    assert all(f"books {url}:\nfinished by max_pages: " in said for url in (site.url, f"{site.url}quotes/")), said


def test_a_crawl_that_cannot_begin_leaves_the_others_alone(two, capsys):
    (two / "jobs" / "books").mkdir(parents=True)
    (two / "jobs" / "books" / "mine.txt").write_text("x")
    words = ["two.py", "--spider", "Books", "--spider", "Lost", "--job", "jobs", "--tolerate", "1"]
    assert main(["run", *words]) == 2
    said = capsys.readouterr().err
    assert "books: " in said
    assert "is not a job folder: it contains mine.txt" in said
    assert "lost and found:\nno pages" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("two.py", "--spider", "Book"), "no spider 'Book' in two.py (did you mean books?)"),
        (("two.py", "--spider", "Nothing"), "no spider 'Nothing' in two.py (its spiders: Books, Lost)"),
        (("two.py:Books", "--spider", "Books"), "--spider chooses from files, and two.py:Books is not a file"),
        (("https://a.test/", "--spider", "Books"), "--spider chooses from files, and https://a.test/ is not a file"),
        (("two.py", "two.py"), "several spiders in two.py (Books, Lost): choose one, such as two.py:Books"),
        (("two.py:Books", "two.py:Lost", "-o", "a.jsonl"), "several spiders cannot share the output a.jsonl: write …"),
        (
            ("two.py:Books", "two.py:Lost", "--report", "a.json"),
            "several spiders cannot share --report a.json: write …",
        ),
        (("two.py:Books", "two.py:Books", "--job", "jobs"), "two spiders are named 'books', and outputs, jobs …"),
        (("two.py:Books", "two.py:Lost", "-a", "n=1"), "spider Books has no argument 'n'"),
        (
            ("two.py:Books", "two.py:Lost", "--job", "old"),
            "old is the job of one spider: give several spiders …",
        ),
        (("two.py:Books", "two.py:Lost", "--ui", "127.0.0.1:70"), "several spiders cannot share the port of --ui: …"),
        (("two.py:Books", "none.py"), "no such file: none.py (did you mean two.py?)"),
    ],
)
def test_options_that_several_spiders_cannot_share_are_refused(two, refused, words, message):
    (two / "old").mkdir()
    (two / "old" / "job.sqlite").write_bytes(b"x")
    assert refused("run", *words).startswith(message.removesuffix("…"))
    assert sorted(path.name for path in two.iterdir() if path.name != "__pycache__") == ["old", "two.py"]


def test_spiders_of_one_file_are_chosen_by_class_or_name_and_their_file_is_run_once(two):
    spiders = make_spiders(["two.py"], ["lost and found", "Books"], lambda target: {})
    assert [type(spider).__name__ for spider in spiders] == ["Books", "Lost"]
    assert len({type(spider).__module__ for spider in spiders}) == 1
    with pytest.raises(ConfigError, match="no spider '_Hidden'"):
        make_spiders(["two.py"], ["_Hidden"], lambda target: {})


def test_one_spider_crawls_all_urls_each_once():
    spiders = make_spiders(["https://a.test/", "https://b.test/", "https://a.test/"], [], lambda target: {})
    assert [list(spider.start_urls) for spider in spiders] == [["https://a.test/", "https://b.test/"]]
