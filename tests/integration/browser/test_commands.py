"""The plugin on the command line, with archives and in durable jobs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.localsite import Answer, Asked, LocalSite, local_site

SHOP = """\
<title>shop</title><div id=app></div>
<script>fetch('/api').then(r => r.json()).then(all => app.innerHTML = all.map(n => `<a href=/${n}>${n}</a>`).join(' '));
document.cookie = 'seen=yes; path=/'</script>
"""


def two(asked: Asked) -> str:
    return f"<p>{'known' if 'seen=yes' in asked.headers.get('cookie', '') else 'unknown'}"


@pytest.fixture
def site() -> Iterator[LocalSite]:
    api = Answer('["one", "two"]', headers={"Content-Type": "application/json"})
    with local_site({"/": SHOP, "/api": api, "/one": "<p>plain", "/two": two}) as site:
        yield site


def crawler(*words: str, folder: Path, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "crawler", *words], cwd=folder, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_fetch_links_and_shell_show_the_rendered_page(site: LocalSite, tmp_path: Path) -> None:
    assert "one two" in crawler("fetch", site.url, "--browser", "--as", "text", folder=tmp_path)
    assert "one" not in crawler("fetch", site.url, "--as", "text", folder=tmp_path)
    links = crawler("links", site.url, "--browser", folder=tmp_path)
    assert links.splitlines() == [f"{site.url}one", f"{site.url}two"]
    code = "response.css('a::text').getall(), response.original.css('a::text').getall()"
    assert crawler("shell", site.url, "--browser", "-c", code, folder=tmp_path) == "(['one', 'two'], [])\n"


def test_a_picture_is_saved(site: LocalSite, tmp_path: Path) -> None:
    crawler("fetch", site.url, "--screenshot", "shop.png", folder=tmp_path)
    crawler("fetch", site.url, "--screenshot", "shop.pdf", folder=tmp_path)
    assert (tmp_path / "shop.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "shop.pdf").read_bytes().startswith(b"%PDF")


def test_a_crawl_is_archived_and_rendered_again_from_its_archive(site: LocalSite, tmp_path: Path) -> None:
    words = ["run", site.url, "-p", "browser", "--quiet"]
    crawler(*words, "-p", "warc", "-P", "warc.path=site.warc.gz", "-o", "first.jsonl", folder=tmp_path)
    asked = len(site.log)
    crawler(*words, "-p", "replay", "-P", "replay.path=site.warc.gz", "-o", "second.jsonl", folder=tmp_path)
    assert len(site.log) == asked, "nothing is sent"
    first, second = (
        sorted(json.loads(line)["url"] for line in (tmp_path / name).read_text().splitlines())
        for name in ("first.jsonl", "second.jsonl")
    )
    assert first == second == [site.url, f"{site.url}one", f"{site.url}two"]


def test_cookies_of_scripts_last_in_a_job(site: LocalSite, tmp_path: Path) -> None:
    words = ["run", site.url, "--job", "job", "-p", "browser", "--quiet", "-o", "pages.jsonl"]
    crawler(*words, "-s", "max_pages=1", "-s", "workers=1", folder=tmp_path)
    assert [asked.path for asked in site.log if asked.path in ("/one", "/two")] == []
    crawler(*words, folder=tmp_path)
    assert "seen=yes" in site.asked("/two")[0].headers["cookie"]
