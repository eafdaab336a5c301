"""``crawler list``."""

from __future__ import annotations

from pathlib import Path


def test_spiders_are_found_without_running_the_files(command, tmp_path):
    (tmp_path / "one.py").write_text('import sys; sys.exit(3)\nclass One(Spider):\n    """The first.\n\n    More."""\n')
    (tmp_path / "two.py").write_text(
        "class Base(crawler.CrawlSpider): pass\nclass Child(Base): pass\n"
        "class _Hidden(Base): pass\nclass No(object): pass\n"
    )
    (tmp_path / "bad.py").write_text("class Broken(Spider")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "three.py").write_text("class Three(Spider): pass")
    for folder in (".hidden", "venv", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "four.py").write_text("class Four(Spider): pass")
    (tmp_path / "other" / "pyvenv.cfg").write_text("")
    code, out, err = command("list")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["one.py", "The", "first."], ["sub/three.py"], ["two.py:Base"], ["two.py:Child"],
    ]  # fmt: skip


def test_a_folder_without_spiders_and_one_that_is_missing(command, tmp_path):
    code, out, err = command("list")
    assert (code, out) == (0, "")
    assert err.endswith("create one with: crawler new NAME\n")
    assert command("list", "nosuch") == (2, "", "crawler: no such folder: nosuch\n")


def test_files_and_folders_that_cannot_be_read_are_left_out(command, tmp_path, monkeypatch):
    (tmp_path / "quotes.py").write_text("class Quotes(Spider): pass\n")
    (tmp_path / "deep.py").write_text(f"x = {'-' * 20_000}1\n")
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n")
    (tmp_path / "private").mkdir()
    (tmp_path / "hidden").mkdir()
    listed, exists = Path.iterdir, Path.exists

    def iterdir(folder):
        if folder.name == "private":
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    def is_there(path):
        if path.parent.name == "hidden":
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    monkeypatch.setattr(Path, "exists", is_there)
    assert command("list") == (0, "quotes.py\n", "")
