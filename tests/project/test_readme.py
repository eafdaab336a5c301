"""The README: its two commands are one line each, CI runs that of the tests, its links lead to files.

The step after the demo works as it is written.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PORT = import_module("crawler.cli.demo").PORT


def command(name: str) -> str:
    """Return the fenced block after the comment ``<!-- NAME command -->``."""
    marked = re.compile(rf"^<!-- {name} command -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    blocks = marked.findall(README)
    assert len(blocks) == 1, f"one block after <!-- {name} command -->"
    return blocks[0]


@pytest.mark.parametrize("name", ["demo", "test"])
def test_each_command_is_one_line(name):
    assert re.fullmatch(r"\S[^\n]*[^\s\\]\n", command(name))


def test_ci_runs_the_test_command_of_the_readme():
    printed = subprocess.run([ROOT / ".ci/run", "command"], check=True, capture_output=True, text=True).stdout
    assert printed == command("test")


def test_links_lead_to_files_of_the_repository():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("https://")]
    assert len(links) > 20
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []


def test_benchmarks_that_it_names_exist():
    named = re.findall(r"tests/bench/\w+\.py", README)
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_steps_after_the_demo_work_as_written(tmp_path):
    """The bookshop has a free port here, so that two tests can run at once, and the crawl of the project no delay."""
    [serve, crawl] = re.findall(r"```sh\n\. \.venv/bin/activate\n(.*?)\n```", README)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "CRAWLER_DELAY": "0"}
    site = subprocess.Popen([*shlex.split(serve), "--port", "0"], env=env, stdout=subprocess.PIPE, text=True)
    try:
        [url] = re.findall(r"http://[\d.]+:\d+/", site.stdout.readline())
        [written] = re.findall(r"http://[\d.]+:\d+/", crawl)
        words = shlex.split(crawl.replace(written, url).replace("examples/", f"{ROOT}/examples/"))
        subprocess.run(words, cwd=tmp_path, env=env, check=True, capture_output=True)
        steps = "".join(line for line in command("project").splitlines(True) if not line.startswith("pip "))
        done = subprocess.run(
            ["sh", "-e"], input=re.sub(r"http://\S+", url, steps), cwd=tmp_path, env=env, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
    finally:
        site.terminate()
        site.communicate()
    assert len((tmp_path / "quotes.jsonl").read_text().splitlines()) == 20
    assert len((tmp_path / "shop" / "shop.jsonl").read_text().splitlines()) > 20
    assert "1 callback checked, 0 failed" in done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_port_of_the_bookshop_is_that_of_the_command():
    assert f"http://127.0.0.1:{PORT}/" in README


def table(text: str, beginning: str) -> list[list[str]]:
    """Return the rows of the Markdown table whose header begins with this."""
    lines = text[text.index(beginning) :].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:] if line.startswith("|")]
    return rows[: next((n for n, line in enumerate(lines[2:]) if not line.startswith("|")), len(rows))]


def promise(name: str) -> str:
    """Return the figure of a promise."""
    [figure] = [row[1] for row in table(README, "| | figure | command |") if row[0] == name]
    return figure


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def test_the_figures_of_the_promises_are_those_of_their_tables():
    ratios = [float(ratio) for ratio in re.findall(r"\(([\d.]+)\)", README[README.index("| site |") :])]
    assert f"{min(ratios)} to {max(ratios)} times" in promise("fast")
    refusals = [int(row[2].split(" / ")[0]) for row in table(page("explanation/measured.md"), "| server |")]
    lost = {row[2].split(" / ")[1] for row in table(page("explanation/measured.md"), "| server |")}
    some = [number for number in refusals if number]
    assert lost == {"0"}
    assert f"{len(refusals)} servers" in promise("polite")
    assert f"{refusals.count(0)} servers" in promise("polite")
    assert f"other {len(some)} refuse {min(some)} to {max(some)}" in promise("polite")
    kills = table(page("explanation/durability.md"), "| seed | kills |")
    assert {cell for row in kills for cell in row[3:5]} == {"0"}
    short = re.compile(r"(\d+) crawls were ended ([\d,]+) times: of ([\d,]+) items none was lost and none\s+came twice")
    [(crawls, times, items)] = short.findall(page("explanation/durability.md"))
    assert promise("durable") == (
        f"{times} kills in one run of {crawls} crawls with {items} items: none lost, none twice"
    )
    [largest] = [row for row in table(page("explanation/durability.md"), "| what | known URLs |") if row[0] == "crawl"][
        1:
    ]
    assert promise("small") == f"{largest[1]} known URLs in a job: {largest[4]} of memory at peak"
    types = table(page("howto/pages-for-language-models.md"), "| type | pages |")
    assert f"of {sum(int(row[1]) for row in types):,} pages of seven types" in promise("clean text")
    [mean] = re.findall(r"other sites, (0\.\d{3}) is right", page("howto/pages-for-language-models.md"))
    assert f"word F1 of {mean}," in promise("clean text")


def test_the_losses_of_scrapy_and_crawlee_are_those_of_the_table():
    rows = [[cell.split(" / ")[1] for cell in row[2:7]] for row in table(page("explanation/measured.md"), "| server |")]
    scrapy, crawlee, throttled = ([int(row[n]) for row in rows] for n in (1, 3, 4))
    words = " ".join(README.split())
    assert f"Scrapy lost {min(scrapy)} to {max(scrapy)} of 100 pages" in words
    assert f"Crawlee lost {min(crawlee)} to {max(crawlee)} pages of 100" in words
    assert f"throttling, {' and '.join(str(lost) for lost in throttled if lost)} at the two of nginx" in words


def test_the_speed_in_the_comparison_is_that_of_the_readme():
    [ours] = [
        row for row in table(page("explanation/comparison.md"), "| | this framework |") if "libglib2.0-doc" in row[0]
    ]
    [row] = [row for row in table(README, "| site |") if row[0] == "libglib2.0-doc"]
    assert ours[1] == row[4].partition(" ")[0]
    assert ours[2] == f"{row[2]} with `LinkExtractor`, {row[3]} by hand"
