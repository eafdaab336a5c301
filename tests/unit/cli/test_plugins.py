"""``crawler plugins``."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler import Plugin
from crawler.cli import main, plugins
from crawler.hooks.load import installed
from crawler.sinks.choose import output_names


def test_installed_plugins_are_listed_and_can_be_enabled(command, tmp_path, books):
    (tmp_path / "shelf_plugins.py").write_text(
        "from crawler import Plugin\n"
        "class Marker(Plugin):\n"
        '    """Marks every item.\n\n    Parameters:\n        word: the mark.\n    """\n'
        "    def __init__(self, word: str, times: int = 2):\n"
        "        self.word = word * times\n"
        "    async def refine(self, item, response):\n"
        "        return item | {'mark': self.word}\n"
    )
    info = tmp_path / "shelf_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf-plugins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[crawler.plugins]\nmarker = shelf_plugins:Marker\nbroken = shelf_missing:Plugin\n"
    )
    code, out, err = command("plugins")
    assert (code, err) == (0, "")
    told = dict(line.split("  ", 1) for line in out.splitlines())
    assert told["marker"].strip() == "Marks every item"
    assert "cannot be imported" in told["broken"]
    run = ["run", "books.py", "-o", "-", "-s", "max_depth=0", "--quiet"]
    code, out, _ = command(*run, "-p", "marker", "-P", "marker.word=ha")
    assert (code, '"mark":"haha"' in out) == (0, True)
    code, _, err = command(*run, "-p", "maker")
    assert (code, err) == (2, "crawler: no plugin named 'maker' is installed (did you mean marker?)\n")


def test_without_installed_plugins_it_says_how_to_enable_ones_own(monkeypatch, capfd):
    monkeypatch.setattr(plugins, "installed", dict)
    assert main(["plugins"]) == 0
    out, err = capfd.readouterr()
    assert [line.split()[0] for line in out.splitlines()][:3] == [".jsonl", ".json", ".csv"]
    assert err.startswith("crawler: no plugins are installed")


@pytest.mark.parametrize("words", [(), ("dedup",), ("images",), (".csv",)])
def test_a_manual_has_no_markup_of_docstrings(capfd, words):
    assert main(["plugins", *words]) == 0
    assert "``" not in capfd.readouterr().out


class Keyed(Plugin):
    """Has a key."""

    def __init__(self, api_key: str = "abc", token: str = "", size: int = 1) -> None: ...


def test_a_default_with_a_secret_name_is_not_shown(monkeypatch, capfd):
    monkeypatch.setattr(plugins, "installed", lambda: {"keyed": None})
    monkeypatch.setattr(plugins, "load_entry_point", lambda point, what: Keyed)
    assert main(["plugins", "keyed"]) == 0
    assert capfd.readouterr().out.splitlines()[:6] == [
        "keyed: Has a key.",
        "",
        "options",
        "  api_key: str = ***",
        "  token: str = ''",
        "  size: int = 1",
    ]


class Base(Plugin):
    """Has options.

    Parameters:
        path: A file that is
            written.
        every: Seconds.
    """

    def __init__(self, path: Path = Path("a.txt"), every: float = 1.0) -> None: ...


class Derived(Base):
    """Has the same options.

    Parameters:
        path: See `Base`.
        every: See `Base`. At least 5.
    """


def test_options_of_a_base_class_are_described_in_its_words(monkeypatch, capfd):
    monkeypatch.setattr(plugins, "find", lambda name: Derived)
    assert main(["plugins", "derived"]) == 0
    assert capfd.readouterr().out.splitlines()[3:5] == [
        "  path: Path = 'a.txt'  A file that is written.",
        "  every: float = 1.0  Seconds. At least 5.",
    ]


SHELF = """
from crawler import Sink

class Shelf(Sink):
    \"\"\"Items on a shelf.

    The shelf is long.

    Parameters:
        path: The shelf.
        width: Width of the shelf
            in metres.
    \"\"\"

    guarantee = "exactly once: each item has a place"
    requires = {"shelf_wood": "shelf[wood]"}

    def __init__(self, path: str, width: float = 1.0, if_exists: str = "error") -> None:
        self.path, self.width, self.if_exists = path, width, if_exists

    def persist(self, batch):
        with open("shelf.txt", "a") as file:
            file.write(f"{self.path} {self.width} {self.if_exists} {len(batch)}")
"""


@pytest.fixture
def shelf(tmp_path, books):
    """A folder with an installed package that has an output, without the package that it needs."""
    (tmp_path / "shelf_outputs.py").write_text(SHELF)
    info = tmp_path / "shelf_outputs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf-outputs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[crawler.outputs]\n.shelf = shelf_outputs:Shelf\nshelf = shelf_outputs:Shelf\n"
    )
    return tmp_path


def test_the_manual_of_an_output_fits_on_a_screen(command, shelf):
    code, out, err = command("plugins", ".shelf")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        ".shelf: Items on a shelf.",
        "",
        "The shelf is long.",
        "",
        "options",
        "  width: float = 1.0  Width of the shelf in metres.",
        "",
        "hooks      persist",
        "guarantee  exactly once: each item has a place",
        "needs      pip install 'shelf[wood]'",
        "use        crawler run TARGET -o 'items.shelf?width=…'",
    ]


@pytest.mark.parametrize("name", [*installed(), *output_names()])
def test_the_manual_of_everything_that_is_installed_fits_on_a_screen(capfd, name):
    assert main(["plugins", name]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) <= 40
    assert all(len(line) <= 120 for line in lines)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (".shelf", "items.shelf?width=…"),
        ("shelf", "shelf://…?width=…"),
        ("shelf://", "shelf://…?width=…"),
        ("jsonl", "items-%(n)05d.jsonl?max_rows=…"),
        ("jl", "items-%(n)05d.jl?max_rows=…"),
        ("parquet", "items.parquet?rows=…"),
    ],
)
def test_the_manual_shows_how_an_output_is_chosen(command, shelf, name, place):
    _, out, _ = command("plugins", name)
    assert out.splitlines()[-1] == f"use        crawler run TARGET -o '{place}'"


def test_an_unknown_name_has_no_manual(command):
    code, out, err = command("plugins", "csw")
    assert (code, out, err) == (2, "", "crawler: no plugin or output named 'csw' (did you mean csv?)\n")
    code, out, err = command("plugins", "something")
    assert (code, out, err) == (2, "", "crawler: no plugin or output named 'something': crawler plugins lists them\n")


@pytest.mark.parametrize(
    ("output", "stored"),
    [
        ("a.shelf?width=2", "a.shelf 2.0 error 1"),
        ("shelf://wall/a?width=0.5", "shelf://wall/a 0.5 error 1"),
        ("a.SHELF", "a.SHELF 1.0 error 1"),
    ],
)
def test_an_installed_output_gets_its_place_and_its_options(command, shelf, output, stored):
    (shelf / "shelf_wood.py").touch()
    code, _, err = command("run", "books.py", "-s", "max_depth=0", "-s", "max_items=1", "--quiet", "-o", output)
    assert (code, err) == (0, "")
    assert (shelf / "shelf.txt").read_text() == stored


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("a.shelf", "output a.shelf needs shelf_wood, which is not installed: pip install 'shelf[wood]'"),
        ("a.shell", "did you mean .shelf?"),
        ("shell://wall", "output shell://wall has the unknown scheme 'shell' (did you mean shelf?): use "),
    ],
)
def test_an_output_that_cannot_be_used_is_refused_before_the_first_request(command, shelf, output, message):
    code, out, err = command("run", "books.py", "-o", output)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("widht=2", "output a.shelf has no argument 'widht' (did you mean width?)"),
        ("width=wide", "output a.shelf: argument width: "),
        ("width=1&width=2", "option width is given twice"),
        ("if_exists=append", "output a.shelf has no argument 'if_exists'"),
        ("width=1&", "options are NAME=VALUE, separated by &"),
    ],
)
def test_a_wrong_option_of_an_output_is_refused(command, shelf, query, message):
    (shelf / "shelf_wood.py").touch()
    code, _, err = command("run", "books.py", "-o", f"a.shelf?{query}")
    assert code == 2
    assert message in err
