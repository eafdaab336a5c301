"""``crawler scrapy check``: a line for each spider of a Scrapy project, and the exit codes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from crawler_plugins.scrapy.reactor import TrioReactor

from crawler.cli.app import main

EXAMPLE = Path(__file__).parents[3] / "examples" / "scrapy_project"


@pytest.fixture
def project(in_process, tmp_path, monkeypatch):
    monkeypatch.setenv("SCRAPY_SETTINGS_MODULE", "")
    shutil.copytree(EXAMPLE, tmp_path / "project")
    yield tmp_path / "project"
    for name in [name for name in sys.modules if name.partition(".")[0] == "bookshop"]:
        del sys.modules[name]
    TrioReactor.uninstall()


def test_each_spider_has_a_line_and_one_that_cannot_run_is_a_failure(project, capsys):
    assert main(["scrapy", "check", "project"]) == 1
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "books             runs, but not with --job: callback is a lambda (books.py:14)"
    assert lines[1].startswith(
        "maps              cannot run: DOWNLOADER_MIDDLEWARES: scrapy_splash.SplashMiddleware: Splash is"
    )
    assert lines[2:] == [
        "quotes            runs",
        "CONCURRENT_ITEMS  setting without effect: the items of a page pass the pipelines in their order",
    ]
    assert printed.err == "3 spiders: 1 run, 1 run without --job only, 1 cannot run\n"


def test_each_reason_has_a_line(project, capsys):
    settings = project / "bookshop" / "settings.py"
    settings.write_text(f"{settings.read_text()}\nSCHEDULER = 'shop.Scheduler'\n")
    assert main(["scrapy", "check", "project"]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("maps ")]
    assert [line.split(":")[0].split() for line in lines] == [["maps", "cannot", "run"]] * 2


def test_a_project_whose_spiders_all_run_is_a_success(project, capsys):
    (project / "bookshop" / "spiders" / "maps.py").unlink()
    assert main(["scrapy", "check", "project"]) == 0
    assert capsys.readouterr().err == "2 spiders: 1 run, 1 run without --job only\n"


def test_a_project_without_spiders_is_named_as_such(project, capsys):
    for name in ("books", "maps", "quotes"):
        (project / "bookshop" / "spiders" / f"{name}.py").unlink()
    assert main(["scrapy", "check", "project"]) == 0
    assert capsys.readouterr().err == "crawler: the project has no spiders\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check", "nope"], "no such folder: nope (a Scrapy project is a folder with a scrapy.cfg)"),
        (["check", "."], ". is not a Scrapy project: it has no scrapy.cfg"),
        (["list", "."], 'invalid value "list" for ACTION'),
        ([], "ACTION is missing"),
    ],
)
def test_wrong_usage_is_one_line(in_process, words, message, capsys):
    assert main(["scrapy", *words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"crawler: {message}")


def test_settings_that_cannot_be_imported_are_wrong_usage(project, capsys):
    (project / "bookshop" / "settings.py").write_text("import no_such_module")
    assert main(["scrapy", "check", "project"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "bookshop.settings" in line
    assert "No module named 'no_such_module'" in line
