"""The distribution in `examples/plugin_package` is built, installed into a fresh environment, and used by its name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from support.localsite import local_site

PACKAGE = Path(__file__).parents[2] / "examples" / "plugin_package"
PAGES = {
    "/": "<div class=quote><span class=text>One</span> <b class=author>1,299.00</b></div>",
}
SPIDER = """\
from crawler import Spider


class Books(Spider):
    def parse(self, response):
        return {"title": response.css(".text::text").get(), "price": response.css(".author::text").get()}
"""


def run(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment with the built wheel, and with what is installed for these tests."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"  # as pip and build do
    run(sys.executable, "-c", build, folder, cwd=source)
    (wheel,) = folder.glob("*.whl")
    assert wheel.name == "crawler_prices-1.0.0-py3-none-any.whl"
    made = folder / "venv"
    venv.create(made, with_pip=False)
    (site_packages,) = made.glob("lib/python*/site-packages")
    outer = sysconfig.get_path("purelib")
    (site_packages / "outer.pth").write_text(f"import site; site.addsitedir({outer!r})\n")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    run(*pip, "--target", site_packages, wheel, cwd=folder)
    return made / "bin" / "python"


def test_the_plugin_and_the_output_are_found_by_their_names(python: Path, tmp_path: Path) -> None:
    (tmp_path / "books.py").write_text(SPIDER)
    with local_site(PAGES) as site:
        command = [python, "-W", "error", "-m", "crawler", "run", "books.py", "-a", f"start_urls={site.url}"]
        run(*command, "-p", "prices", "-P", "prices.fields=price", "-o", "books.folder", cwd=tmp_path)
    (item,) = (tmp_path / "books.folder").iterdir()
    assert json.loads(item.read_bytes()) == {"title": "One", "price": 1299.0}


def test_the_manual_of_the_output_is_printed(python: Path, tmp_path: Path) -> None:
    manual = run(python, "-m", "crawler", "plugins", ".folder", cwd=tmp_path)
    assert "guarantee  exactly once" in manual
    assert "crawler run TARGET -o 'items.folder'" in manual


def test_its_own_tests_pass(python: Path, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE / "tests", tmp_path / "tests")
    shutil.copy(PACKAGE / "pyproject.toml", tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # those of this environment take seconds to load
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_trio.plugin"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
