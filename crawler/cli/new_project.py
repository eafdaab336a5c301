"""``crawler new project``: create a folder with a spider, its recorded page, its tests and its configuration."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Final

from crawler.cli.arguments import Argument
from crawler.cli.logs import say
from crawler.cli.new import check_name, class_name, domain_of, start_page
from crawler.errors import ConfigError
from crawler.files import error_reason

__all__ = ["new_project"]

PYPROJECT: Final = """\
[project]
name = "{package}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["trio-crawler"]

[project.optional-dependencies]
test = ["pytest>=8", "pytest-trio>=0.8"]

[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[tool.setuptools]
py-modules = ["{name}"]

# What `crawler run` uses in this folder. The command line overrides it.
[tool.crawler]
outputs = ["{name}.jsonl"]

[tool.crawler.settings]
max_pages = 50 # a limit for trying things out; delete it when you are done
delay = 0.5 # seconds between two requests to the same host
# user_agent = "{package}/0.1 (+https://example.com/about-this-crawler)"

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
trio_mode = true
"""
SPIDER: Final = '''\
"""The spider of this project. Run it:  crawler run {name}.py"""

from collections.abc import Iterator

from crawler import Response, Spider


class {kind}(Spider):
    start_urls = ["{url}"]
    allowed_domains = ["{domain}"]  # links to other sites are not followed

    def parse(self, response: Response) -> Iterator[object]:
        """Parse a page: yield an item, and a request for every link.

        `crawler check {name}.py` compares the method with these lines:

        @url {url}
        @page pages/{name}.html
        @returns items 1 1
        @returns requests 1
        @scrapes url title
        """
        yield {{
            "url": response.url,
            "title": response.css("title::text").get(),
            "headings": response.css("h1::text, h2::text").getall(),
        }}
        yield from response.follow_all("a[href]")
'''
PAGE: Final = """\
<!doctype html>
<html lang="en">
<title>Sample page</title>
<h1>A page to develop with</h1>
<p>It stands for {url} until this command fetches the real one: crawler check {name}.py --record</p>
<a href="/">Home</a>
<a href="/about">About</a>
</html>
"""
TEST: Final = '''\
"""The spider without a network: pages in memory, virtual time."""

from trio.testing import MockClock

from crawler import Settings
from crawler.testing import FakeSite, callback_results, collect, response_for

from {name} import {kind}

SITE = "https://site.test/"


async def test_a_page_gives_an_item_and_requests() -> None:
    page = "<title>Books</title><h1>All books</h1><a href='/poetry'>Poetry</a>"
    response = response_for(SITE, page)
    item, request = await callback_results({kind}(), response)
    assert item == {{"url": SITE, "title": "Books", "headings": ["All books"]}}
    assert request.url == SITE + "poetry"


async def test_the_whole_site_is_crawled(autojump_clock: MockClock) -> None:
    pages = {{
        "/": "<title>Books</title><a href='/poetry'></a><a href='https://other.test/'></a>",
        "/poetry": "<title>Poetry</title><a href='/'></a>",
    }}
    spider = {kind}(start_urls=[SITE])
    spider.allowed_domains = ["site.test"]
    found = await collect(spider, FakeSite(pages), settings=Settings(delay=1.0))
    assert [item["title"] for item in found.items] == ["Books", "Poetry"]
    assert found.report.failed == 0
'''
IGNORED: Final = """\
__pycache__/
*.egg-info/
.pytest_cache/
.venv/
# outputs and jobs of crawls
*.jsonl
*.job/
"""
WORKFLOW: Final = """\
name: test
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - run: pip install -e '.[test]'
      - run: crawler check {name}.py
      - run: pytest
"""
FILES: Final = {
    "pyproject.toml": PYPROJECT,
    "{name}.py": SPIDER,
    "pages/{name}.html": PAGE,
    "tests/test_{name}.py": TEST,
    ".gitignore": IGNORED,
    ".github/workflows/test.yml": WORKFLOW,
}
"""The text of each file."""

RUN_BY_OTHERS: Final = frozenset({"conftest", "setup"})
"""Names of files that other programs run."""


def new_project(
    name: Annotated[str, Argument("Name of the project: of its folder and of its spider.")],
    url: Annotated[str, Argument("The first page to crawl.")] = "https://example.com/",
    /,
) -> int:
    """Create a folder NAME with a spider, tests and configuration.

    In that folder crawler run, crawler check and pytest work at once.

    Example: crawler new project shop https://shop.example/
    """
    folder = Path(name)
    if name in RUN_BY_OTHERS:
        raise ConfigError(f"{name}.py in a project is run by pip or pytest: choose another name")
    check_name(name, folder)
    if not name.isascii():
        raise ConfigError(f"{name!r} cannot name a project: use the letters a to z, digits and underscores")
    start = start_page(url)
    values = {
        "name": name,
        "package": name.strip("_").replace("_", "-"),
        "kind": class_name(name),
        "url": start,
        "domain": domain_of(start),
    }
    try:
        folder.mkdir()
    except OSError as error:
        raise ConfigError(f"cannot create {folder}: {error_reason(error)}") from error
    try:
        for file, text in FILES.items():
            path = folder / file.format(**values)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(**values), encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ConfigError(f"cannot write {error.filename or folder}: {error_reason(error)}") from error
    say(f"wrote {folder}/; run its spider with: cd {name} && crawler run {name}.py\n")
    return 0
