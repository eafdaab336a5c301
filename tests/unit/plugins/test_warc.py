"""The plugin `warc`: what a crawl leaves in an archive, read back with warcio and fastwarc."""

from __future__ import annotations

import errno
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from crawler_plugins.archive.files import ArchiveFiles
from crawler_plugins.archive.warc import Warc
from crawler_plugins.files.files_plugin import Files
from fastwarc.warc import ArchiveIterator as FastIterator
from support.trees import Follow
from trio.testing import MockClock
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from crawler import ConfigError, CrawlFailed, JobError, Plugin, Request, Settings, crawl
from crawler.hooks.load import construct
from crawler.testing import FakeSite, Page, collect

HOST = "https://site.test"
PAGES: dict[str, Any] = {
    "/": "<a href='/a'>x</a><a href='/b'>x</a><a href='/moved'>x</a><a href='/gone'>x</a>",
    "/a": "<p>the same page, longer than its headers</p>" * 5,
    "/b": "<p>the same page, longer than its headers</p>" * 5,
    "/moved": Page("", 301, headers={"Location": "/a"}),
    "/gone": Page("not here", 404),
    "/robots.txt": Page("User-agent: *\nDisallow: /private", headers={"Content-Type": "text/plain"}),
}
ROBOTS = Settings(obey_robots=True, per_host=1)


def records(path: Path) -> list[tuple[str, str, str]]:
    """Return type, path and status of the records, as warcio reads them, after it has checked all digests."""
    checker = Checker(type("Options", (), {"inputs": [str(path)], "verbose": True}))
    checker.process_all()
    assert checker.exit_value == 0
    found = []
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            url = (record.rec_headers.get_header("WARC-Target-URI") or "").removeprefix(HOST)
            status = record.http_headers.get_statuscode() if record.rec_type in ("response", "revisit") else ""
            found.append((record.rec_type, url, status))
    return found


def bodies(path: Path) -> dict[str, bytes]:
    """Return the decoded bodies of the responses by URL, as fastwarc reads them."""
    with path.open("rb") as file:
        found = FastIterator(file, auto_decode="all", verify_digests=False)
        return {
            record.headers["WARC-Target-URI"].removeprefix(HOST): record.reader.read()
            for record in found
            if record.headers["WARC-Type"] == "response"
        }


async def test_an_archive_has_each_exchange_and_equal_bodies_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "site.warc.gz"
    await collect(Follow(), FakeSite(PAGES), plugins=[Warc(path)], settings=ROBOTS)
    found = records(path)
    assert found[0][0] == "warcinfo"
    assert [kind for kind, _, _ in found[1:]].count("request") == 6
    assert sorted(entry[1:] for entry in found if entry[0] in ("response", "revisit")) == [
        ("/", "200"), ("/a", "200"), ("/b", "200"), ("/gone", "404"), ("/moved", "301"), ("/robots.txt", "200"),
    ]  # fmt: skip
    assert [url for kind, url, _ in found if kind == "revisit"] == ["/b"]
    read = bodies(path)
    assert read == {url: _body(PAGES[url]) for url in read}


async def test_a_downloaded_file_has_no_record_and_a_warning_says_so(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Downloading(Follow):
        async def parse(self, response: Any) -> Any:  # type: ignore[override]
            return [{"file_urls": ["/b"]}]

    path, plugins = tmp_path / "site.warc.gz", [Files(folder=tmp_path / "files"), Warc(tmp_path / "site.warc.gz")]
    found = await collect(Downloading(), FakeSite(PAGES), plugins=plugins, settings=ROBOTS)
    assert [file["status"] for item in found.items for file in item["files"]] == ["downloaded"]
    assert sorted(bodies(path)) == ["/", "/robots.txt"]
    assert [text for text in caplog.messages if text.startswith("warc: ")] == [
        f"warc: {path} has no record of 1 responses whose bodies went elsewhere, such as to the plugin files"
    ]


async def test_a_complete_archive_warns_of_nothing(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await archive_of(tmp_path / "site.warc.gz")
    assert not [text for text in caplog.messages if text.startswith("warc: ")]


def _body(page: Any) -> bytes:
    return (page.body if isinstance(page, Page) else page).encode()


async def archive_of(path: Path, *, pages: dict[str, Any] = PAGES, settings: Settings = ROBOTS, **options: Any) -> None:
    await collect(Follow(), FakeSite(pages), plugins=[Warc(path, **options)], settings=settings)


@pytest.mark.parametrize("ending", [".warc", ".warc.gz", ".warc.zst"])
async def test_each_compression_holds_the_same_records(autojump_clock: MockClock, tmp_path: Path, ending: str) -> None:
    await archive_of(path := tmp_path / f"site{ending}")
    assert bodies(path)["/a"] == _body(PAGES["/a"])


async def test_files_are_rotated_by_size_and_the_index_finds_each_record(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    await archive_of(tmp_path / "site.warc.gz", max_size=1, wacz=True)
    names = sorted(path.name for path in tmp_path.glob("*.warc.gz"))
    assert names == [*(f"site-0000{n}.warc.gz" for n in range(1, 6)), "site.warc.gz"]
    assert all(records(tmp_path / name)[0][0] == "warcinfo" for name in names)
    lines = (tmp_path / "site.cdxj").read_text().splitlines()
    assert lines == sorted(lines)
    assert [line.partition(" ")[0] for line in lines] == [
        "test,site)/", "test,site)/a", "test,site)/b", "test,site)/gone", "test,site)/moved", "test,site)/robots.txt",
    ]  # fmt: skip
    for line in lines:
        entry = json.loads(line.split(" ", 2)[2])
        data = (tmp_path / entry["filename"]).read_bytes()[int(entry["offset"]) :][: int(entry["length"])]
        assert f"WARC-Target-URI: {entry['url']}\r\n".encode() in gzip.decompress(data)


async def test_a_wacz_holds_the_archive_its_index_and_its_pages(autojump_clock: MockClock, tmp_path: Path) -> None:
    await archive_of(tmp_path / "site.warc.gz", wacz=True)
    with zipfile.ZipFile(tmp_path / "site.wacz") as package:
        assert package.testzip() is None
        assert package.read("archive/site.warc.gz") == (tmp_path / "site.warc.gz").read_bytes()
        pages = [json.loads(line) for line in package.read("pages/pages.jsonl").splitlines()[1:]]
        assert sorted(page["url"] for page in pages) == [f"{HOST}/", f"{HOST}/a"]


async def test_credentials_are_left_out_unless_they_are_wanted(autojump_clock: MockClock, tmp_path: Path) -> None:
    settings = Settings(headers={"Authorization": "Bearer s3cr3t", "X-Kept": "yes"}, obey_robots=False)
    for wanted in (False, True):
        path = tmp_path / f"{wanted}.warc"
        await archive_of(path, pages={"/": "x"}, settings=settings, credentials=wanted)
        assert b"X-Kept: yes" in path.read_bytes()
        assert (b"s3cr3t" in path.read_bytes()) is wanted


class Breaks(Plugin):
    """Ends the crawl right before the commit of a page."""

    async def fetch(self, request: Request, send: Any) -> Any:
        result = await send(request)
        if request.url.endswith("/b"):
            self.crawl.job.before_commit(self.break_off, 1)
        return result

    def break_off(self, _: list[int]) -> None:
        raise OSError("power cut")


async def test_a_resumed_job_cuts_uncommitted_records_and_archives_each_exchange_once(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    path, job, site = tmp_path / "site.warc.gz", tmp_path / "job", FakeSite(PAGES)
    with pytest.raises(CrawlFailed, match="power cut"):
        await crawl(Follow(), plugins=[Breaks(), Warc(path)], job=job, settings=ROBOTS, transport=site.transport)
    assert ("revisit", "/b", "200") in records(path)  # written, but its page was not committed
    with path.open("ab") as file:
        file.write(b"half a record" * 10_000)
    await crawl(Follow(), plugins=[Warc(path)], job=job, settings=ROBOTS, transport=site.transport)
    found = [url for kind, url, _ in records(path) if kind in ("response", "revisit")]
    assert sorted(found) == ["/", "/a", "/b", "/gone", "/moved", "/robots.txt"]
    assert len(site.visits("/b")) == 2
    assert len((tmp_path / "site.cdxj").read_bytes().splitlines()) == 6


async def test_a_full_disk_ends_the_crawl_and_the_error_says_what_to_do(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: ArchiveFiles, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ArchiveFiles, "write", full)
    words = r"^warc: cannot write .*site\.warc: No space left on device; free some space, then run it again$"
    with pytest.raises(CrawlFailed, match=words):
        await archive_of(tmp_path / "site.warc")


async def test_a_job_refuses_an_archive_that_is_gone(autojump_clock: MockClock, tmp_path: Path) -> None:
    path, job, site = tmp_path / "site.warc.gz", tmp_path / "job", FakeSite(PAGES)
    await crawl(Follow(), plugins=[Warc(path)], job=job, settings=Settings(max_pages=1), transport=site.transport)
    path.unlink()
    with pytest.raises(JobError, match=r"site\.warc\.gz has 0 of \d+ bytes that the job wrote to it"):
        await crawl(Follow(), plugins=[Warc(path)], job=job, transport=site.transport)


async def test_an_archive_is_not_overwritten_unless_it_is_wanted(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "site.warc.gz"
    await archive_of(path, max_size=1)
    with pytest.raises(ConfigError, match=r"site\.warc\.gz exists already"):
        await archive_of(path)
    await archive_of(path, overwrite=True)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["site.cdxj", "site.warc.gz"]


def test_a_folder_that_cannot_be_written_is_refused_before_the_crawl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    with pytest.raises(ConfigError, match="warc: no permission to write"):
        Warc(tmp_path / "site.warc")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "site.txt"}, r"must end in \.warc, \.warc\.gz, \.warc\.zst"),
        ({"path": ".warc"}, "must end in"),
        ({"path": "missing/site.warc"}, "no such folder"),
        ({"path": "x.warc", "max_size": "0"}, "at least 1 byte"),
        ({"path": "x.warc", "level": "10"}, "from 1 to 9"),
        ({}, "needs the argument 'path'"),
    ],
)
def test_bad_options_are_refused_before_the_crawl(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        construct(Warc, options, what="plugin warc")
