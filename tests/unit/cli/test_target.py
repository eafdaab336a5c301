"""``TARGET``: which spider it names. `test_app.py` has the targets that are refused."""

from __future__ import annotations

import sys

import pytest

from crawler.cli.target import check_url, make_spider
from crawler.errors import ConfigError, CrawlerError
from crawler.spiders import SiteSpider

SPIDERS = """\
from crawler import Spider


class Books(Spider):
    shelf: int = 1


class _Base(Spider):
    pass
"""
URLS = ["https://shop.example/", "http://127.0.0.1:8000/a?b=c", "http://[::1]/", "HTTPS://Shop.Example"]


@pytest.fixture
def books(in_process, tmp_path):
    path = tmp_path / "books.py"
    path.write_text(SPIDERS)
    return path


@pytest.mark.parametrize("target", ["books.py", "./books.py", "books.py:Books", "books:Books"])
def test_a_file_or_module_names_its_spider(books, monkeypatch, target):
    monkeypatch.syspath_prepend(books.parent)
    spider = make_spider(target, {"shelf": "3"})
    assert (type(spider).__name__, spider.shelf) == ("Books", 3)


def test_a_class_whose_name_begins_with_an_underscore_is_chosen_only_by_name(books):
    assert type(make_spider("books.py", {})).__name__ == "Books"
    assert type(make_spider("books.py:_Base", {})).__name__ == "_Base"


@pytest.mark.parametrize("url", URLS)
def test_a_url_names_the_spider_of_its_site(url):
    spider = make_spider(url, {})
    assert isinstance(spider, SiteSpider)


def test_a_file_can_import_the_modules_in_its_folder(books, tmp_path):
    (tmp_path / "shelves.py").write_text("COUNT = 7\n")
    books.write_text("from shelves import COUNT\n" + SPIDERS.replace("int = 1", "int = COUNT"))
    assert make_spider("books.py", {}).shelf == 7


def test_a_file_named_like_a_module_of_the_standard_library_does_not_replace_it(in_process, tmp_path):
    (tmp_path / "json.py").write_text(SPIDERS)
    spider = make_spider("json.py", {})
    assert type(spider).__module__ == "__json"
    assert hasattr(sys.modules["json"], "loads")


def test_a_file_named_like_a_module_that_an_output_imports_does_not_hide_it(command, tmp_path, site):
    source = (
        "from crawler import Spider\n\n\nclass One(Spider):\n    def parse(self, response):\n        yield {'n': 1}\n"
    )
    for name in ("csv.py", "one.py"):
        (tmp_path / name).write_text(source)
    for number, target in enumerate(("one.py", "csv.py")):
        code, _, err = command("run", target, "-a", f"start_urls={site.url}", "-o", f"{number}.csv", fresh=True)
        assert (code, (tmp_path / f"{number}.csv").read_text()) == (0, "n\n1\n"), err


def test_a_file_can_import_the_modules_in_the_current_folder(in_process, tmp_path):
    folder = tmp_path / "spiders"
    folder.mkdir()
    (tmp_path / "shelves.py").write_text("shelf = 'of the project'\n")
    (folder / "near.py").write_text("shelf = 'near'\n")
    (tmp_path / "near.py").write_text("shelf = 'far'\n")
    (folder / "found.py").write_text("import near, shelves\nfrom crawler import Spider\nclass Found(Spider): pass\n")
    assert type(make_spider("spiders/found.py", {})).__name__ == "Found"
    assert (sys.modules["shelves"].shelf, sys.modules["near"].shelf) == ("of the project", "near")


def test_an_imported_spider_is_not_a_spider_of_the_file(books, tmp_path):
    (tmp_path / "more.py").write_text("from books import Books\n")
    with pytest.raises(ConfigError, match=r"no spider in more\.py: define a class that derives from crawler\.Spider"):
        make_spider("more.py", {})


@pytest.mark.parametrize("target", ["127.0.0.1:8000", "shop.example:80/books", "[::1]:8000/"])
def test_a_host_and_port_without_a_scheme_gets_a_hint(in_process, target):
    with pytest.raises(ConfigError, match="no such spider: ") as caught:
        make_spider(target, {})
    assert str(caught.value).endswith(f"(did you mean http://{target}?)")


def test_an_error_in_a_file_is_one_line_that_names_the_line(books):
    books.write_text(SPIDERS + "\n\nclass Broken(Spider):\n    start_urls = [NAME]\n")
    with pytest.raises(ConfigError, match=r"^books\.py:13: NameError: name 'NAME' is not defined$"):
        make_spider("books.py", {})


@pytest.mark.parametrize("url", URLS)
def test_an_absolute_web_url_is_returned_unchanged(url):
    assert check_url(url) == url


@pytest.mark.parametrize("text", ["", "shop.example", "/books", "ftp://shop.example/", "mailto:a@b.test", "http://"])
def test_a_target_that_is_not_an_absolute_web_url_is_refused_in_one_line(text):
    with pytest.raises(CrawlerError) as caught:
        check_url(text)
    assert "\n" not in str(caught.value)
    assert ("did you mean https://shop.example?" in str(caught.value)) is (text == "shop.example")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("http:/shop.example/a", "not a URL: 'http:/shop.example/a' (did you mean http://shop.example/a?)"),
        ("https:shop.example", "not a URL: 'https:shop.example' (did you mean https://shop.example?)"),
        ("http:", "not a URL: 'http:'"),
    ],
)
def test_a_url_without_both_slashes_is_completed(target, message):
    with pytest.raises(ConfigError) as caught:
        make_spider(target, {})
    assert str(caught.value) == message


def test_an_argument_of_scrapy_in_a_class_has_a_hint(books):
    books.write_text("from crawler import Rule\nrules = [Rule(restrict_xpaths='//nav')]\n")
    with pytest.raises(ConfigError, match=r"^books\.py:2: TypeError: .*'restrict_xpaths' \(write restrict_xpath=…\)$"):
        make_spider("books.py", {})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("FormRequest", ' (write response.form().submit({…}), or Request(url, method="POST", data={…}))'),
        ("Spidr", " (did you mean Spider?)"),
        ("Nonsense", ""),
    ],
)
def test_a_name_that_is_not_imported_from_here_has_a_hint(tmp_path, name, hint):
    file = tmp_path / "wrong.py"
    file.write_text(f"from crawler import {name}\n")
    with pytest.raises(ConfigError) as caught:
        make_spider(str(file), {})
    assert str(caught.value) == f"{file}:1: ImportError: cannot import name {name!r} from 'crawler'{hint}"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("localhost:8974/a", "http://localhost:8974/a"),
        ("[::1]:8974/", "http://[::1]:8974/"),
        ("shop.example/a:b", "https://shop.example/a:b"),
        ("//shop.example/a", "https://shop.example/a"),
        ("mailto:a@shop.example", ""),
        ("htp://shop.example", ""),
    ],
)
def test_a_url_without_its_scheme_is_completed(text, meant):
    with pytest.raises(ConfigError) as caught:
        check_url(text)
    assert str(caught.value).partition(" (")[2] == (f"did you mean {meant}?)" if meant else "")


def test_arguments_that_name_environment_variables_are_remembered_as_they_were_given(monkeypatch):
    monkeypatch.setenv("TEST_TOKEN", "abc")
    texts = {"url": "https://h.example/", "token": "env:TEST_TOKEN", "headers": '{"X-Key": "env:TEST_TOKEN"}'}
    spider = make_spider("crawler.spiders.api:ApiSpider", texts)
    assert (spider.token, spider.headers) == ("abc", {"X-Key": "abc"})
    assert spider.environment_arguments == {name: texts[name] for name in ("token", "headers")}


def test_values_of_secret_arguments_are_known_whatever_the_constructor_does_with_them(monkeypatch, tmp_path):
    monkeypatch.setenv("TEST_LOGIN", "abc-123")
    (tmp_path / "login.py").write_text(
        "from crawler import Spider\n"
        "class Login(Spider):\n"
        "    def __init__(self, token: str, user: str, shop: str) -> None:\n"
        "        super().__init__()\n"
        "        self.header = f'Bearer {token}'\n"
    )
    texts = {"token": "def-456", "user": "env:TEST_LOGIN", "shop": "books"}
    assert make_spider(str(tmp_path / "login.py"), texts).given_secrets == {"abc-123", "def-456"}


@pytest.mark.parametrize("target", ["quotes", "main.py"])
def test_in_a_scrapy_project_a_target_without_a_spider_is_answered_with_how_to_run_one(
    target, in_process, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scrapy.cfg").touch()
    (tmp_path / "main.py").write_text("if __name__ == '__main__':\n    run()\n")
    with pytest.raises(ConfigError, match=r"\(spiders of this Scrapy project: crawler run --scrapy \. NAME\)$"):
        make_spider(target, {})
