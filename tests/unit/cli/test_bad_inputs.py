"""Wrong input of every kind: one line that says what to do, and exit code 2. ``bad_inputs.txt`` is the table."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import attrs
import pytest

import crawler
from crawler.cli import main
from crawler.errors import CrawlerError
from crawler.html import Selector

TABLE = Path(__file__).with_name("bad_inputs.txt")
HEAD = "from crawler import Plugin, Request, Settings, Spider\n"
PARSE = "def parse(self, response): ..."
START = "start_urls = ['http://127.0.0.1:9/']"


def spider(*lines, name="Bad", start=START):
    """Return the source of a spider whose body is `lines`."""
    return HEAD + f"class {name}(Spider):\n" + "".join(f"    {line}\n" for line in (start, *lines) if line)


FILES = {
    "one.py": spider("n: int = 1", PARSE, name="One"),
    "two.py": spider(PARSE, name="One") + spider(PARSE, name="Two"),
    "items.jsonl": '{"n":1}\n',
    "items.json": "x",
    "items.csv": "a\n1\n",
    "plain.txt": "x",
    "foreign/x": "x",
    "empty/": "",
    "plug.py": HEAD
    + "class Slow(Plugin):\n"
    + "    def __init__(self, seconds: float = 1.0, hosts: list[str] = (), mode: str = 'a'): ...\n"
    + "class Raises(Plugin):\n    def __init__(self): raise ValueError('no licence')\n",
    # spiders
    "no_parse.py": spider(),
    "no_start.py": spider(PARSE, start=""),
    "scrapy_start.py": spider("def start_requests(self): ...", PARSE, start=""),
    "parse_self.py": spider("def parse(self): ..."),
    "parse_none.py": spider("parse = None"),
    "parse_none_args.py": spider("def parse(): ..."),
    "start_text.py": spider(PARSE, "start = 'http://a/'"),
    "urls_text.py": spider(PARSE, start="start_urls = 'http://a/'"),
    "urls_number.py": spider(PARSE, start="start_urls = [7]"),
    "urls_none.py": spider(PARSE, start="start_urls = None"),
    "urls_relative.py": spider(PARSE, start="start_urls = ['/a']"),
    "urls_ftp.py": spider(PARSE, start="start_urls = ['ftp://a/']"),
    "domains_text.py": spider("allowed_domains = 'a.test'", PARSE),
    "domains_url.py": spider("allowed_domains = ['http://a.test/']", PARSE),
    "domains_other.py": spider("allowed_domains = ['a.test']", PARSE),
    "settings_list.py": spider("settings = [1]", PARSE),
    "settings_scrapy.py": spider("settings = {'DOWNLOAD_DELAY': 1}", PARSE),
    "settings_bad.py": spider("settings = Settings(workers='x')", PARSE),
    "settings_class.py": spider("settings = Settings", PARSE),
    "accept_number.py": spider("accept_status = 404", PARSE),
    "accept_text.py": spider("accept_status = ['404']", PARSE),
    "accept_high.py": spider("accept_status = [4040]", PARSE),
    "plugins_text.py": spider("plugins = 'cache'", PARSE),
    "plugins_class.py": spider("plugins = [Plugin]", PARSE),
    "auth_text.py": spider("auth = 'me'", PARSE),
    "auth_origin.py": spider("auth = {'a.test': ('u', 'p')}", PARSE),
    "admit_async.py": spider("async def admit(self, request): ...", PARSE),
    "refine_sync.py": spider("def refine(self, item, response): ...", PARSE),
    "refine_args.py": spider("async def refine(self, item): ...", PARSE),
    "lifespan_plain.py": spider("async def lifespan(self, crawl): yield", PARSE),
    "fetch_args.py": spider("async def fetch(self, request): ...", PARSE),
    "init_raises.py": spider("def __init__(self): raise KeyError('x')", PARSE),
    "init_args.py": spider("def __init__(self, key: int): ...", PARSE),
    "nul.py": "x = '\0'",
    "imports.py": "import nothing_here\n",
    "name.py": "class A(Spider): ...\n",
    "divides.py": "1 / 0\n",
    "exits.py": "raise SystemExit(1)\n",
    "none.py": HEAD,
    "empty.py": "",
    "asserts.py": "assert False, 'no'\n",
    "function.py": "def parse(response): ...\n",
}


@attrs.frozen
class Row:
    """One wrong input."""

    command: str
    """The arguments of ``crawler``; empty for Python."""
    python: str
    toml: str
    answer: str

    def fits(self, line):
        """Return whether a message is the answer."""
        beginning = self.answer.removesuffix(" …")
        return line == self.answer if beginning == self.answer else line.startswith(beginning)


def rows():
    found, parts = [], {"$": [], ">": [], "|": []}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line[:2] in ("$ ", "> ", "| "):
            parts[line[0]].append(line[2:])
        elif line.startswith("    "):
            command = "".join(parts["$"]).removeprefix("crawler ")
            found.append(Row(command, "\n".join(parts[">"]), "\n".join(parts["|"]), line.strip()))
            parts = {"$": [], ">": [], "|": []}
    return found


ROWS = rows()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    for name, content in FILES.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir()
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8")
    yield folder
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.mark.parametrize("row", [row for row in ROWS if row.command], ids=lambda row: ascii(row.command + row.toml))
def test_a_wrong_command_is_one_line_and_exit_code_2(folder, in_process, monkeypatch, capsys, row):
    monkeypatch.chdir(folder)
    if row.toml:
        (folder / "crawler.toml").write_text(row.toml, encoding="utf-8")
    try:
        code = main(shlex.split(row.command))
    finally:
        (folder / "crawler.toml").unlink(missing_ok=True)
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert row.fits(err.removeprefix("crawler: ").rstrip("\n")), err


class P(crawler.Spider):
    start_urls = ["http://127.0.0.1:9/"]

    def parse(self, response):
        return None


NAMES = {name: getattr(crawler, name) for name in crawler.__all__} | {"P": P, "Selector": Selector}


@pytest.mark.parametrize("row", [row for row in ROWS if row.python], ids=lambda row: ascii(row.python))
def test_wrong_python_is_one_line(folder, monkeypatch, row):
    monkeypatch.chdir(folder)
    with pytest.raises((CrawlerError, TypeError, ValueError)) as caught:
        exec(row.python, dict(NAMES))
    line = f"{type(caught.value).__name__}: {caught.value}"
    assert "\n" not in line
    assert row.fits(line), line


def test_the_table_is_large_and_no_input_leaves_a_file(folder):
    assert len(ROWS) >= 300
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert left == {name for name in FILES if not name.endswith("/")}
