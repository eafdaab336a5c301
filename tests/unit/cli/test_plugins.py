"""``crawler plugins``."""

from __future__ import annotations

from crawler import Plugin
from crawler.cli import main, plugins


def test_installed_plugins_are_listed_with_their_options_and_can_be_enabled(command, tmp_path, books):
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
    assert told["marker"].strip() == "Marks every item (word: str, times: int = 2)"
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
    assert out == ""
    assert err.startswith("crawler: no plugins are installed")


class Keyed(Plugin):
    """Has a key."""

    def __init__(self, api_key: str = "abc", token: str = "", size: int = 1) -> None: ...


def test_a_default_with_a_secret_name_is_not_shown(monkeypatch, capfd):
    monkeypatch.setattr(plugins, "installed", lambda: {"keyed": None})
    monkeypatch.setattr(plugins, "load_plugin", lambda name: Keyed)
    assert main(["plugins"]) == 0
    assert capfd.readouterr().out == "keyed  Has a key (api_key: str = ***, token: str = '', size: int = 1)\n"
