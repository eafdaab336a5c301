"""Errors in a command line: one line that says what to do, exit code 2, and no request."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import requires

import pytest

import crawler.__main__
import crawler.cli.plugins as plugins_module
from crawler.__main__ import DEPENDENCIES
from crawler.cli import app, main
from crawler.cli.commands import all_commands
from crawler.errors import ConfigError, ConnectFailed, CrawlFailed, JobError, PluginError

SPIDER = "class {}(Spider):\n    n: int = 1\n    def parse(self, response): ...\n"
HEAD = "from crawler import Plugin, Spider\n"

FILES = {
    "one.py": HEAD + SPIDER.format("One"),
    "two.py": HEAD + SPIDER.format("One") + SPIDER.format("Two") + SPIDER.format("_Base"),
    "none.py": HEAD + "class Helper: ...\n",
    "syntax.py": HEAD + "class Broken(Spider:\n",
    "raises.py": HEAD + "\n\n1 / 0\n",
    "exits.py": "raise SystemExit(0)\n",
    "setting.py": HEAD + "class S(Spider):\n    settings = {'wrokers': 1}\n",
    "needs.py": HEAD + "class Needs(Spider):\n    def __init__(self, key: str):\n        self.secret = {}[key]\n",
    "word.py": HEAD + "class Word(Spider):\n    plugins = 'tidy'\n",
    "words.py": HEAD + "class Words(Spider):\n    plugins = ['tidy']\n",
    "number.py": HEAD + "class Number(Spider):\n    accept_status = 404\n",
    "texts.py": HEAD + "class Texts(Spider):\n    accept_status = ['404']\n",
    "plain.txt": "hello",
    "plug.py": HEAD + "class Slow(Plugin):\n    def __init__(self, seconds: float = 1.0): ...\n"
    "class Shut(Plugin):\n    def __init__(self): open('/no/such/file')\n"
    "class Wrong(Plugin):\n    def presist(self, batch): ...\n",
    "items.jsonl": '{"n": 1}\n',
    "items.json": "not an array",
}

REFUSED = [
    (["rnu"], 'unknown command "rnu" (did you mean run?)'),
    (["crawl", "quotes"], 'unknown command "crawl" (here: crawler run URL, or crawler run --scrapy PROJECT SPIDER)'),
    (["run", "one.py", "-O", "x.json"], "unknown option: -O (here: -o FILE --overwrite)"),
    (["run", "one.py", "--nolog"], "unknown option: --nolog (here: --quiet)"),
    (["fetch", "--nolog", "http://site.test/"], "unknown option: --nolog (see crawler fetch --help)"),
    (["run", "one.py", "-o", "items.db"], "unknown extension '.db' (did you mean .sqlite?)"),
    (["run"], "TARGET is missing (see crawler run --help)"),
    (["list", "one.py", "two.py"], "unexpected argument 'two.py'"),
    (["run", "one.py", "--overwrit"], "unknown option: --overwrit (did you mean --overwrite?)"),
    (["run", "one.py", "-o"], "-o needs a value (see crawler run --help)"),
    (["run", "one.py", "-s", "--quiet"], "-s needs a value"),
    (["run", "one.py", "--quiet=yes"], "--quiet takes no value"),
    (["run", "one.py", "--job", "a", "--job", "b"], "--job is given twice"),
    (["run", "-"], "unknown option: - "),
    (["bench", "--pages", "0"], 'invalid value "0" for --pages: must be a whole number from 1 to 1000000'),
    (["bench", "--pages", "1.5"], 'invalid value "1.5" for --pages: must be a whole number'),
    (["completion", "dash"], 'invalid value "dash" for SHELL: choose from bash, zsh, fish'),
    (["parse", "http://site.test/"], "--spider is missing (see crawler parse --help)"),
    (["new", "project"], "NAME is missing (see crawler new project --help)"),
    (
        ["scrapy", "crawl", "."],
        "for ACTION: choose from check (here: crawler run URL, or crawler run --scrapy PROJECT SPIDER)",
    ),
    (["run", "one.py", "--log-level", "loud"], 'invalid value "loud" for --log-level'),
    # targets
    (["run", "nothing.py"], "no such file: nothing.py"),
    (["run", "tow.py"], "no such file: tow.py (did you mean two.py?)"),
    (["run", "one"], "did you mean one.py?"),
    (["run", "shop.example"], "did you mean https://shop.example?"),
    (["run", "plain.txt"], "plain.txt is not a Python file: a spider is FILE.py"),
    (["run", "."], ". is a folder"),
    (["run", ""], "TARGET is empty"),
    (["run", "word.py"], "Word: plugins must be a list of plugins, not 'tidy'"),
    (["run", "words.py"], "'tidy' is not a Plugin"),
    (["run", "words.py", "--no-plugin", "tidy"], "--no-plugin: no plugin named 'tidy' is enabled"),
    (["run", "number.py"], "Number: accept_status must be an iterable of HTTP statuses, not int"),
    (["run", "texts.py"], "Texts: a status in accept_status must be int, not str"),
    (["run", "none.py"], "no spider in none.py"),
    (["run", "two.py"], "several spiders in two.py (One, Two): choose one, such as two.py:One"),
    (["run", "two.py:Tow"], "two.py has no 'Tow' (did you mean Two?)"),
    (["run", "plug.py:Slow"], "plug.py:Slow is not a spider"),
    (["run", "syntax.py"], "syntax.py:2: "),
    (["run", "raises.py"], "raises.py:4: ZeroDivisionError: division by zero"),
    (["run", "exits.py"], "exits.py:1: the file exited while it was imported"),
    (["run", "setting.py"], "setting.py:2: no such setting: wrokers (did you mean workers?)"),
    (["run", "no.such.module:Spider"], "no module named 'no'"),
    (["run", "http://"], "not a URL: 'http://'"),
    (["run", "ftp://site.example/"], "not an http or https URL: 'ftp://site.example/'"),
    # settings, arguments, plugins
    (["run", "one.py", "-s", "wrokers=1"], "no such setting: wrokers (did you mean workers?)"),
    (["run", "one.py", "-s", "workers"], "-s takes NAME=VALUE, not 'workers'"),
    (["run", "one.py", "-s", "workers=many"], "setting workers: "),
    (["run", "one.py", "-s", "workers=0"], "setting workers: "),
    (["run", "one.py", "-s", "workers=1e9"], "setting workers: must be a whole number, at most 10000"),
    (
        ["run", "one.py", "-s", "proxies=p.test:3128"],
        "setting proxies: not the URL of an http, https, socks5 or socks5h",
    ),
    (["run", "one.py", "-s", 'proxies=["http://me:x@p.test:y"]'], "'http://***@p.test:y'"),
    (["run", "one.py", "-s", "headers=DNT: 1"], "setting headers: "),
    (["run", "one.py", "-s", "workers=\udcff"], "setting workers: not UTF-8"),
    (["run", "one.py", "-s", 'headers={"a":"\udcff"}'], "setting headers: not UTF-8"),
    (["run", "one.py", "-a", "n=\udcff"], "spider One: argument n: not UTF-8: "),
    (["run", "one.py", "-a", "m=1"], "spider One has no argument 'm' (it has "),
    (["run", "one.py", "-a", "n=x"], "spider One: argument n: "),
    (["run", "one.py", "-a", "n"], "-a takes NAME=VALUE, not 'n'"),
    (["run", "needs.py"], "spider Needs needs the argument 'key': set it with -a key"),
    (["run", "needs.py", "-a", "key=x"], "spider Needs cannot be created: KeyError: 'x'"),
    (["run", "https://site.example/", "-a", "n=1"], "the spider of a URL has no argument 'n'"),
    (["run", "one.py", "-p", "nothing"], "no plugin named 'nothing' is installed"),
    (["run", "one.py", "-p", "plug:Slwo"], "plug has no 'Slwo' (did you mean Slow?)"),
    (["run", "one.py", "-p", "warc"], "plugin warc needs the argument 'path': set it with -P warc.path"),
    (["run", "one.py", "-p", "plug:Wrong"], "did you mean persist()?"),
    (["run", "one.py", "-p", "one:One"], ""),
    (["run", "one.py", "-p", "plug:Shut"], "plugin shut cannot be created: FileNotFoundError: "),
    (["run", "one.py", "-P", "slow.seconds=2"], "no plugin named 'slow' is enabled: add -p slow"),
    (["run", "one.py", "-p", "plug:Slow", "-P", "slwo.seconds=2"], "(did you mean slow?)"),
    (["run", "one.py", "-p", "plug:Slow", "-P", "slow.second=2"], "did you mean seconds?"),
    (["run", "one.py", "-p", "plug:Slow", "-P", "slow.seconds=long"], "argument seconds: "),
    (["run", "one.py", "-p", "plug:Slow", "-P", "slow=2"], "-P takes PLUGIN.OPTION=VALUE, not 'slow=2'"),
    (["run", "one.py", "-p", "plug:Slow", "--no-plugin", "fast"], "--no-plugin: no plugin named 'fast' is enabled"),
    # outputs and reports
    (["run", "one.py", "-o", "items.xml"], "the unknown extension '.xml'"),
    (["run", "one.py", "-o", "nowhere/items.csv"], "no such folder: nowhere"),
    (
        ["run", "one.py", "-o", "items.jsonl"],
        "items.jsonl exists already: --overwrite replaces it, --append adds to it",
    ),
    (["run", "one.py", "-o", "items.json", "--append"], "cannot append to items.json: it is not a JSON array"),
    (["run", "one.py", "-o", "new.csv", "-o", "./new.csv"], "output ./new.csv is given twice"),
    (["run", "one.py", "-o", "-", "-o", "-"], "output - is given twice"),
    (["run", "one.py", "-o", "a%(n)d.csv", "-o", "a1.csv"], "output a1.csv may be a file of the output a%(n)d.csv"),
    (
        ["run", "one.py", "-o", "one-2.csv", "-o", "%(spider)s-%(n)d.csv"],
        "output one-2.csv may be a file of the output ",
    ),
    (["run", "one.py", "--overwrite", "--append"], "use either --overwrite or --append, not both"),
    (["run", "one.py", "--tolerate", "few"], "not a number of failures"),
    (["run", "one.py", "--tolerate", "101%"], "not a number of failures"),
    (["run", "one.py", "--report", "nowhere/report.json"], "no such folder: nowhere"),
    (["run", "one.py", "--report", "."], "is a folder"),
    # the other commands
    (["fetch", "site.example"], "did you mean https://site.example?"),
    (["fetch", "site.example:81/"], "did you mean http://site.example:81/?"),
    (["fetch", "https://site.example/", "-s", "delya=1"], "did you mean delay?"),
    (["robots", "site.example"], "did you mean https://site.example?"),
    (["robots", "https://site.example/", "-s", "user_agent="], "setting user_agent: "),
    (["limits", "site.example"], "did you mean https://site.example?"),
    (["limits", "https://site.example/", "-s", "delya=1"], "did you mean delay?"),
    (["shell", "site.example", "-c", "1"], "did you mean https://site.example?"),
    (["shell", "-c", "1 +"], "<code>:1: invalid syntax"),
    (["links"], "URL is missing (see crawler links --help)"),
    (["demo", "-o", "demo.xml"], "the unknown extension '.xml'"),
    (["new"], "NAME is missing"),
    (["new", "one"], "one.py exists already: choose another name"),
    (["new", "crawler"], "crawler.py would hide the module 'crawler'"),
    (["new", "json"], "json.py would hide the module 'json'"),
    (["new", "httpx"], "httpx.py would hide the module 'httpx'"),
    (["new", "my-shop"], "did you mean my_shop?"),
    (["new", "../shop"], "'../shop' cannot name a spider"),
    (["new", "class"], "'class' is a keyword of Python, and cannot name a spider"),
    (["new", "shop", "shop.example"], "did you mean https://shop.example?"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=[ascii(" ".join(arguments)) for arguments, _ in REFUSED])
def test_an_error_is_reported_in_one_line_with_exit_code_2(refused, tmp_path, arguments, words):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    assert words in refused(*arguments)
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert left == set(FILES)
    assert (tmp_path / "items.jsonl").read_text() == FILES["items.jsonl"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("workers = 1\n", "crawler.toml: no such key: workers"),
        ("[setings]\nworkers = 1\n", "crawler.toml: no such key: setings (did you mean settings?)"),
        ("[settings]\nwrokers = 1\n", "crawler.toml: no such setting: wrokers (did you mean workers?)"),
        ("[settings]\nworkers = 'x'\n", "crawler.toml: setting workers: "),
        ("settings = 1\n", "crawler.toml: settings must be a table"),
        ("plugins = 1\n", "crawler.toml: plugins must be a list of names, or tables"),
        ("plugins = [1]\n", "crawler.toml: plugins must be a list of names, or tables"),
        ("[settings\n", "crawler.toml: "),
        ("[plugins.nothing]\n", "no plugin named 'nothing' is installed"),
        ("[plugins.'plug:Slow']\nsecond = 1\n", "plugin slow has no argument 'second'"),
    ],
)
def test_an_error_in_the_settings_file_names_the_file(refused, tmp_path, content, words):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "crawler.toml").write_text(content)
    assert words in refused("run", "one.py")


def test_an_error_in_the_environment_is_reported_as_such(refused, tmp_path, monkeypatch):
    (tmp_path / "one.py").write_text(FILES["one.py"])
    monkeypatch.setenv("CRAWLER_WORKERS", "many")
    assert "environment: setting workers: " in refused("run", "one.py")


def test_python_m_crawler_reports_errors_like_the_console_script(command, tmp_path):
    code, out, err = command("run", "nothing.py")
    assert (code, out, err) == (2, "", "crawler: no such file: nothing.py\n")


# ---- help, exit codes, and Ctrl-C ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], *([*name.split(), "--help"] for name in all_commands())], ids=" ".join
)
def test_every_help_page_fits_a_terminal(in_process, capfd, monkeypatch, arguments):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(arguments) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith("Usage: crawler")
    assert max(map(len, out.splitlines())) <= 80
    assert out.count("\n") <= 40
    assert "Example" in out


def test_the_first_help_page_lists_every_command_and_the_exit_codes(in_process, capfd):
    assert main([]) == 0
    out = capfd.readouterr().out
    lines = [line for line in out.partition("Options:")[0].splitlines() if line.startswith("  ") and line[2] != " "]
    assert [line.split("  ")[1] for line in lines] == [*all_commands()]
    assert all(f"{code} " in " ".join(out.split()) for code in (0, 1, 2, 3, 4, 130))


@pytest.mark.parametrize("words", [["help"], ["help", "run"]])
def test_help_is_a_command_too(in_process, capfd, words):
    assert main(words) == 0
    out = capfd.readouterr().out
    assert main([*words[1:], "--help"]) == 0
    assert capfd.readouterr().out == out


def test_the_version_is_printed(in_process, capfd):
    assert main(["--version"]) == 0
    assert capfd.readouterr().out.startswith("crawler 0.")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("no such setting: x"), 2, "no such setting: x"),
        (PluginError("no plugin named 'x' is installed"), 2, "no plugin named 'x' is installed"),
        (JobError("job is in use by process 7"), 2, "job is in use by process 7"),
        (CrawlFailed("no database"), 1, "the crawl failed: no database"),
        (ConnectFailed("connection refused by\nsite.test"), 1, "connection refused by site.test"),
        (OSError(28, "No space left on device"), 1, "cannot write to standard output: No space left on device"),
        (FileNotFoundError(2, "getcwd"), 2, "the working directory no longer exists: change to another one"),
        (PermissionError(13, "Permission denied", "x/y"), 2, "cannot use x/y: permission denied"),
        (OSError(36, "File name too long", "xx"), 2, "cannot use xx: file name too long"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BaseExceptionGroup("nursery", [KeyboardInterrupt()]), 130, "interrupted"),
    ],
)
def test_every_error_is_one_line_and_an_exit_code(in_process, capfd, monkeypatch, error, code, line):
    def fail():
        raise error

    monkeypatch.setattr(plugins_module, "plugins", fail)
    monkeypatch.setattr(app, "discard_output", lambda: None)
    assert main(["plugins"]) == code
    assert capfd.readouterr() == ("", f"crawler: {line}\n")


@pytest.mark.parametrize(
    "error", [OSError(2, "No such file", "x"), LookupError("x"), BaseExceptionGroup("nursery", [LookupError("x")])]
)
def test_an_unexpected_error_keeps_its_traceback(in_process, monkeypatch, error):
    def fail():
        raise error

    monkeypatch.setattr(plugins_module, "plugins", fail)
    with pytest.raises(type(error)):
        main(["plugins"])


INTERRUPTED = """\
import sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts())
from crawler.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("name", ["crawler.cli", "crawler.cli.app"])
def test_ctrl_c_while_the_program_is_imported_is_one_line(name):
    program = INTERRUPTED.format(name=name)
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "crawler: interrupted\n")


def test_windows_is_refused_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "win32")
    assert crawler.__main__.main() == 2
    assert capsys.readouterr() == ("", "crawler: Windows is not supported: use WSL, the Windows Subsystem for Linux\n")


COLLECTOR = """
import gc, sys

frozen = []
gc.freeze = lambda: frozen.append("crawler.engine.api" in sys.modules)
from crawler.__main__ import main
sys.argv[1:] = ["run"]
main()
print(gc.isenabled(), frozen)
"""


def test_the_garbage_collector_starts_once_the_command_is_imported():
    done = subprocess.run([sys.executable, "-c", COLLECTOR], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True [True]\n"


MISSING = """\
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise {error}

sys.meta_path.insert(0, Missing())
from crawler.__main__ import main
sys.argv[1:] = ["run", "none.py", "--dry-run"]
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("msgspec", "ModuleNotFoundError('No module', name=name)", "msgspec is not installed for "),
        ("turbohtml", "ModuleNotFoundError('No module', name=name)", "turbohtml is not installed for "),
        ("pycurl", "ImportError('libcurl is older', name=name)", "pycurl cannot be imported (libcurl is older) for "),
    ],
)
def test_a_dependency_that_cannot_be_imported_is_one_line_that_says_what_to_do(tmp_path, name, error, words):
    program = [sys.executable, "-c", MISSING.format(name=name, error=error)]

    def run():
        done = subprocess.run(program, check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.startswith(f"crawler: {words}")
        return done.stderr

    assert "activate its environment, or install the package: pip install . in a clone of it" in run()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    if name == "msgspec":
        assert "run .venv/bin/python -m crawler instead" in run()


def test_every_dependency_is_known_to_the_start():
    names = [re.split("[^A-Za-z0-9_-]", each)[0].lower() for each in requires("trio-crawler") if ";" not in each]
    assert {name.replace("-", "_") for name in names} <= DEPENDENCIES
