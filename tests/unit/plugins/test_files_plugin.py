"""`Files`: whole crawls in virtual time that download what their items point to."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import msgspec
import pydantic
import pytest
import trio
from crawler_plugins.files import Files
from crawler_plugins.files.index import FileIndex
from crawler_plugins.files.partial import place
from support.cases import each
from support.trees import FREE
from support.walls import CHALLENGE
from trio.testing import MockClock

from crawler import ConfigError, CrawlFailed, Report, Request, Response, Settings, Spider, crawl
from crawler.testing import Collected, FakeSite, Page, collect

PDF = {"Content-Type": "application/pdf"}


class Shop(Spider):
    """Yields one item per page, with its links to files."""

    settings = FREE
    start_urls = ["https://site.test/"]

    def parse(self, response: Response) -> Any:
        yield {"file_urls": response.css("a::attr(href)").getall()}


def page(*links: str) -> str:
    return "".join(f"<a href='{link}'>file</a>" for link in links)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def stored(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder, by path, without those of the plugin itself."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(".files/")}


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / ".files").iterdir() if "index.sqlite" not in path.name)


async def download(
    site: FakeSite | httpx.AsyncBaseTransport, folder: Path, spider: Spider | None = None, **options: Any
) -> Collected:
    settings = options.pop("settings", None)
    return await collect(spider or Shop(), site, plugins=[Files(folder=folder, **options)], settings=settings)


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the work of threads in place: virtual time does not wait for threads."""

    async def run_sync(function: Callable[..., Any], *args: Any, limiter: trio.CapacityLimiter | None = None) -> Any:
        await trio.lowlevel.checkpoint()
        return function(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


# ---- stored files ----------------------------------------------------------------------------------------------------


async def test_files_are_stored_and_the_item_says_where(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = FakeSite({"/": page("/a.pdf", "b.pdf"), "/a.pdf": Page(b"one", headers=PDF), "/b.pdf": Page(b"two", 404)})
    found = await download(site, tmp_path)
    digest = sha256(b"one")
    path = f"site.test/{digest[:2]}/{digest}.pdf"
    url = "https://site.test/"
    assert found.items[0]["files"] == [
        {"url": f"{url}a.pdf", "path": path, "digest": digest, "size": 3, "type": "application/pdf",
         "status": "downloaded"},
        {"url": f"{url}b.pdf", "path": None, "digest": None, "size": None, "type": None,
         "status": "failed", "error": "status 404"},
    ]  # fmt: skip
    assert stored(tmp_path) == {path: b"one"}
    assert left_over(tmp_path) == []
    assert found.report.counters == {"files/downloaded": 1, "files/failed": 1}
    assert (found.report.failed, found.report.pages) == (0, 1)


async def test_a_file_is_requested_once_however_many_items_name_it(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Many(Shop):
        start_urls = [f"https://site.test/{n}" for n in range(5)]

    pages = {f"/{n}": page("/a.pdf", "/a.pdf#top", "/gone.pdf") for n in range(5)}
    site = FakeSite(pages | {"/a.pdf": Page(b"one", delay=1.0), "/gone.pdf": Page("", 404)})
    found = await download(site, tmp_path, Many())
    assert (len(site.visits("/a.pdf")), len(site.visits("/gone.pdf"))) == (1, 1)
    assert found.report.counters == {"files/downloaded": 1, "files/uptodate": 9, "files/failed": 5}
    assert len(stored(tmp_path)) == 1


async def test_equal_contents_are_stored_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = FakeSite(
        {"/": page("/a.pdf", "https://cdn.test/b.pdf"), "/a.pdf": b"same", "https://cdn.test/b.pdf": b"same"}
    )
    found = await download(site, tmp_path)
    first, second = found.items[0]["files"]
    assert first["path"] == second["path"]
    assert len(stored(tmp_path)) == 1


async def test_a_kill_after_the_note_of_a_file_leaves_nothing_unfinished(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose content the folder has already: its own copy is deleted before the URL is known."""
    seen: list[list[str]] = []
    add = FileIndex.add

    def note(self: FileIndex, *args: Any) -> None:
        add(self, *args)
        seen.append(left_over(tmp_path))

    monkeypatch.setattr(FileIndex, "add", note)
    site = FakeSite({"/": page("/a.pdf", "/b.pdf"), "/a.pdf": b"same", "/b.pdf": Page(b"same", delay=1.0)})
    await download(site, tmp_path)
    assert seen[-1] == []


class Killed(GeneratorExit):
    """Stands for the end of the process: no hook error, unlike other exceptions."""


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_around_the_final_name_of_a_file_leaves_one_file_of_its_content(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The next run begins with another URL of the same content."""

    def place_and_die(source: Path, target: Path, *args: Any, **options: Any) -> None:
        if when == "after":
            place(source, target, *args, **options)
        raise Killed

    site = FakeSite({"/": page("/a.pdf"), "/2": page("/b.pdf", "/a.pdf"), "/a.pdf": b"same", "/b.pdf": b"same"})
    with monkeypatch.context() as patch:
        patch.setattr("crawler_plugins.files.file_store.place", place_and_die)
        with pytest.raises(BaseExceptionGroup):
            await download(site, tmp_path, path="{name}")
    second = Shop(start_urls=["https://site.test/2"])
    found = await download(site, tmp_path, second, path="{name}", concurrency=1)
    assert list(stored(tmp_path).values()) == [b"same"]
    assert {file["path"] for file in found.items[0]["files"]} == set(stored(tmp_path))
    assert left_over(tmp_path) == []


async def test_a_name_that_another_process_has_just_taken_is_not_replaced(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_is_first(source: Path, target: Path, *args: Any, **options: Any) -> bool:
        if target.name == "a.pdf":
            target.write_bytes(b"other")
        return place(source, target, *args, **options)

    monkeypatch.setattr("crawler_plugins.files.file_store.place", other_is_first)
    found = await download(FakeSite({"/": page("/a.pdf"), "/a.pdf": b"mine"}), tmp_path, path="{name}")
    [file] = found.items[0]["files"]
    assert stored(tmp_path) == {"a.pdf": b"other", file["path"]: b"mine"}
    assert (await download(FakeSite({"/": page("/a.pdf")}), tmp_path, path="{name}")).items[0]["files"] == [
        {**file, "status": "uptodate"}
    ]


async def test_the_next_crawl_downloads_expired_and_missing_files(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = FakeSite({"/": page("/a.pdf"), "/a.pdf": [b"old", b"new", b"newest"]})

    async def status(**options: Any) -> str:
        found = await download(site, tmp_path, **options)
        result: str = found.items[0]["files"][0]["status"]
        return result

    assert await status() == "downloaded"
    assert await status() == "uptodate"
    assert await status(expires=0) == "downloaded"
    for path in stored(tmp_path):
        (tmp_path / path).unlink()
    assert await status() == "downloaded"
    assert list(stored(tmp_path).values()) == [b"newest"]


async def test_paths_follow_the_pattern_and_never_leave_the_folder(autojump_clock: MockClock, tmp_path: Path) -> None:
    disposition = {"Content-Disposition": 'attachment; filename="../../etc/pass:wd"'}
    site = FakeSite({
        "/": page("/docs/2024/a.pdf", "/x/%2e%2e%2f%2e%2e%2fboot.ini", "/docs/con.txt", "/d", "/docs/2024/b/a.pdf"),
        "/docs/2024/a.pdf": b"1", "/x/%2e%2e%2f%2e%2e%2fboot.ini": b"2", "/docs/con.txt": b"3",
        "/d": Page(b"4", headers=disposition), "/docs/2024/b/a.pdf": b"5",
    })  # fmt: skip
    await download(site, tmp_path / "in", path="{dir}/{name}")
    assert stored(tmp_path) == {
        "in/.files/index.sqlite": (tmp_path / "in/.files/index.sqlite").read_bytes(),
        "in/docs/2024/a.pdf": b"1", "in/x/_._.._boot.ini": b"2", "in/docs/_con.txt": b"3",
        "in/_._.._etc_pass_wd": b"4", "in/docs/2024/b/a.pdf": b"5",
    }  # fmt: skip


async def test_files_of_one_name_do_not_replace_each_other(autojump_clock: MockClock, tmp_path: Path) -> None:
    pages = {f"/{n}/a.pdf": str(n).encode() for n in range(3)}
    site = FakeSite({"/": page(*pages, "/a.pdf/x.pdf"), "/a.pdf/x.pdf": b"4"} | pages)
    found = await download(site, tmp_path, path="{name}", concurrency=1)
    assert sorted(stored(tmp_path).values()) == [b"0", b"1", b"2", b"4"]
    assert len({file["path"] for file in found.items[0]["files"]}) == 4


async def test_a_folder_of_one_url_may_be_a_file_of_another(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = FakeSite({"/": page("/a", "/a/b", "/a/b/c"), "/a": b"1", "/a/b": b"2", "/a/b/c": b"3"})
    found = await download(site, tmp_path, path="{dir}/{name}", concurrency=1)
    paths = [file["path"] for file in found.items[0]["files"]]
    assert [(tmp_path / path).read_bytes() for path in paths] == [b"1", b"2", b"3"]


# ---- items -----------------------------------------------------------------------------------------------------------


@attrs.frozen
class AttrsItem:
    doc: str
    files: Any = None


@dataclasses.dataclass
class DataItem:
    doc: str
    files: Any = None


class StructItem(msgspec.Struct, frozen=True):
    doc: str
    files: Any = None


class Model(pydantic.BaseModel):
    doc: str | None
    files: Any = None


@attrs.frozen
class Closed:
    doc: str


@pytest.mark.parametrize("kind", [AttrsItem, DataItem, StructItem, Model])
async def test_items_of_every_kind_get_their_files(autojump_clock: MockClock, tmp_path: Path, kind: Any) -> None:
    class One(Shop):
        def parse(self, response: Response) -> Any:
            yield kind(doc="/a.pdf")
            yield kind(doc=None)

    found = await download(FakeSite({"/": "x", "/a.pdf": b"x"}), tmp_path, One(), fields=("doc",))
    assert found.items[0].files[0]["status"] == "downloaded"
    assert found.items[1].files is None


async def test_an_item_without_a_field_for_the_result_fails_its_page(autojump_clock: MockClock, tmp_path: Path) -> None:
    class One(Shop):
        def parse(self, response: Response) -> Any:
            yield Closed(doc="/a.pdf")

    found = await download(FakeSite({"/": "x", "/a.pdf": b"x"}), tmp_path, One(), fields=("doc",))
    assert (found.items, found.report.failed) == ([], 1)


async def test_fields_may_hold_anything(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Odd(Shop):
        def parse(self, response: Response) -> Any:
            yield {"file_urls": ["javascript:alert(1)", "", 7, None, {"a": 1}, "data:text/plain,x", "http://[", "/a"]}
            yield {"file_urls": "/a"}
            yield {"file_urls": None}
            yield {"title": "no files"}

    found = await download(FakeSite({"/": "x", "/a": b"x"}), tmp_path, Odd())
    statuses = [[file["status"] for file in item.get("files", ())] for item in found.items]
    # "" is the page itself
    assert statuses[0] == ["failed", "downloaded", "failed", "failed", "failed", "failed", "failed", "downloaded"]
    assert statuses[1:] == [["uptodate"], [], []]
    assert found.items[3] == {"title": "no files"}


# ---- checks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_bytes": 9}, "it has 10 bytes, more than 9"),
        ({"min_bytes": 11}, "it has 10 bytes, less than 11"),
        ({"types": ("image/*", "text/html")}, "its media type is application/pdf"),
        ({"max_bytes": 10, "min_bytes": 10, "types": ("application/*",)}, None),
    ],
)
async def test_a_file_is_checked_by_size_and_type(
    autojump_clock: MockClock, tmp_path: Path, options: dict[str, Any], error: str | None
) -> None:
    site = FakeSite({"/": page("/a"), "/a": Page(b"0123456789", headers=PDF)})
    found = await download(site, tmp_path, **options)
    assert found.items[0]["files"][0].get("error") == error
    assert len(stored(tmp_path)) == (error is None)
    assert left_over(tmp_path) == []


async def test_a_body_of_unknown_size_is_cut_at_the_maximum(autojump_clock: MockClock, tmp_path: Path) -> None:
    read = 0

    class Endless(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            nonlocal read
            read += 1
            if read > 100:
                raise httpx.ReadError("the file was read to its end")
            return b"x" * 1000

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/a":
            return httpx.Response(200, stream=Endless())
        return httpx.Response(200, html=page("/a"))

    found = await download(httpx.MockTransport(answer), tmp_path, max_bytes=10_000)
    assert "larger than 10000 bytes" in found.items[0]["files"][0]["error"]
    assert (stored(tmp_path), left_over(tmp_path)) == ({}, [])


async def test_a_required_file_fails_its_page(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = FakeSite({"/": page("/a"), "/a": Page("", 404)})
    found = await download(site, tmp_path, required=True)
    assert (found.items, found.report.failed, found.report.counters) == ([], 1, {})


async def test_robots_apply(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = FakeSite({"/": page("/secret/a"), "/robots.txt": "User-agent: *\nDisallow: /secret/"})
    found = await download(site, tmp_path, settings=Settings(obey_robots=True))
    assert "robots" in found.items[0]["files"][0]["error"]
    assert site.visits("/secret/a") == []


async def test_a_file_is_requested_like_a_link_of_its_page(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Login(Shop):
        def start(self) -> Any:
            yield Request("https://site.test/", session="me", proxy="direct")

        async def fetch(self, request: Request, send: Any) -> None:
            seen.append((request.depth, request.session, request.proxy))

    seen: list[tuple[int, str, str | None]] = []
    site = FakeSite({"/": Page(page("/a"), headers={"Set-Cookie": "user=1"}), "/a": b"x"})
    await download(site, tmp_path, Login())
    assert seen == [(0, "me", "direct"), (1, "me", "direct")]  # depth 0 would open private networks
    assert site.visits("/a")[0].headers["cookie"] == "user=1"


async def test_the_option_and_the_lane_bound_the_concurrency(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Many(Shop):
        start_urls = [f"https://site.test/{n}" for n in range(4)]

    def site() -> FakeSite:
        files = {f"https://cdn.test/{n}": Page(f"{n}", delay=20.0) for n in range(16)}
        return FakeSite({f"/{n}": page(*list(files)[n * 4 : n * 4 + 4]) for n in range(4)} | files)

    for per_host, concurrency, peak in ((3, 8, 3), (8, 2, 2)):
        made = site()
        settings = Settings(per_host=per_host, slow_start=False)
        found = await download(made, tmp_path / str(peak), Many(), settings=settings, concurrency=concurrency)
        assert made.peak["https://cdn.test"] == peak
        assert found.report.counters == {"files/downloaded": 16}
        assert all(len(made.visits(f"/{n}")) == 1 for n in range(4))  # no page was put off


async def test_a_page_is_put_off_while_the_host_of_its_files_asks_to_wait(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    wait = Page("", 429, headers={"Retry-After": "3600"})
    files = {"https://cdn.test/a": b"a", "https://busy.test/b": [wait, b"b"]}
    site = FakeSite({"/": page(*files)} | files)
    found = await download(site, tmp_path)
    assert [file["status"] for file in found.items[0]["files"]] == ["uptodate", "downloaded"]
    assert len(site.visits("https://cdn.test/a")) == 1
    assert len(site.visits("/")) == 2


# ---- resumed files ---------------------------------------------------------------------------------------------------

WHOLE = bytes(range(256)) * 8192


class Ranges(httpx.AsyncBaseTransport):
    """A site with one file, that breaks off its transfers and can continue them."""

    def __init__(self, *breaks: int, **fields: str) -> None:
        self.breaks = list(breaks)
        self.fields = {"etag": '"v1"'} | fields
        self.content = WHOLE
        self.ranges: list[tuple[str, str]] = []
        self.answer: Callable[[httpx.Request], httpx.Response | None] = lambda request: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/big":
            return httpx.Response(200, html=page("/big"))
        asked = request.headers.get("range", "")
        self.ranges.append((asked, request.headers.get("if-range", "")))
        special = self.answer(request)
        if special is not None:
            return special
        start, status, fields = 0, 200, dict(self.fields)
        if asked and request.headers["if-range"] in (self.fields.get("etag"), self.fields.get("last-modified")):
            start, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
            fields["content-range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        fields["content-length"] = str(len(self.content) - start)
        end = self.breaks.pop(0) if self.breaks else None
        return httpx.Response(status, headers=fields, stream=Broken(self.content, start, end))


class Broken(httpx.AsyncByteStream):
    def __init__(self, content: bytes, start: int, end: int | None) -> None:
        self.content, self.start, self.end = content, start, end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        end = len(self.content) if self.end is None else self.end
        for at in range(self.start, end, 65_536):
            yield self.content[at : min(at + 65_536, end)]
        if self.end is not None:
            raise httpx.ReadError("reset")

    async def aclose(self) -> None:
        pass


async def test_a_broken_transfer_is_continued(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = Ranges(300_000, 1_500_000)
    found = await download(site, tmp_path)
    assert found.items[0]["files"][0]["digest"] == sha256(WHOLE)
    assert list(stored(tmp_path).values()) == [WHOLE]
    assert site.ranges == [("", ""), ("bytes=300000-", '"v1"'), ("bytes=1500000-", '"v1"')]


async def test_a_later_crawl_continues_an_unfinished_download(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = Ranges(100_000, 200_000, 300_000)
    found = await download(site, tmp_path)
    assert found.items[0]["files"][0]["status"] == "failed"
    assert (stored(tmp_path), len(left_over(tmp_path))) == ({}, 1)
    found = await download(site, tmp_path)
    assert list(stored(tmp_path).values()) == [WHOLE]
    assert site.ranges[-1] == ("bytes=300000-", '"v1"')
    assert left_over(tmp_path) == []


async def test_a_file_that_has_changed_is_downloaded_from_its_beginning(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    site = Ranges(300_000)

    def change(request: httpx.Request) -> None:
        if "range" in request.headers:
            site.fields["etag"], site.content = '"v2"', b"changed"

    site.answer = change
    await download(site, tmp_path)
    assert list(stored(tmp_path).values()) == [b"changed"]


@pytest.mark.parametrize(
    ("status", "content_range"),
    [(416, ""), (206, "bytes 5-9/10"), (206, "lines 1-2/3"), (206, f"bytes {'9' * 5000}-1/2"), (206, "")],
    ids=["416", "elsewhere", "unit", "digits", "none"],
)
async def test_a_server_that_cannot_continue_sends_all_of_it_again(
    autojump_clock: MockClock, tmp_path: Path, status: int, content_range: str
) -> None:
    wrong = httpx.Response(status, headers={"content-range": content_range} if content_range else {}, content=b"xxxxx")
    site = Ranges(300_000)
    site.answer = lambda request: wrong if "range" in request.headers else None
    await download(site, tmp_path)
    assert list(stored(tmp_path).values()) == [WHOLE]
    assert len(site.ranges) == 3


async def test_a_server_that_sends_unrequested_parts_is_given_up(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = Ranges()
    site.answer = lambda request: httpx.Response(206, headers={"content-range": "bytes 5-9/10"}, content=b"xxxxx")
    found = await download(site, tmp_path)
    assert "another part" in found.items[0]["files"][0]["error"]
    assert (len(site.ranges), stored(tmp_path), left_over(tmp_path)) == (2, {}, [])


@pytest.mark.parametrize("fields", [{"etag": 'W/"v1"'}, {"content-encoding": "none, gzip"}, {"etag": ""}])
async def test_without_a_strong_validator_a_file_is_not_continued(
    autojump_clock: MockClock, tmp_path: Path, fields: dict[str, str]
) -> None:
    import gzip  # noqa: PLC0415

    site = Ranges(30_000, **{name.replace("_", "-"): value for name, value in fields.items()})
    if "content-encoding" in fields:
        site.fields["content-encoding"] = "gzip"
        site.content = gzip.compress(bytes(range(256)) * 1000, 0)
    await download(site, tmp_path)
    whole = WHOLE if "content-encoding" not in fields else gzip.decompress(site.content)
    assert list(stored(tmp_path).values()) == [whole]
    assert site.ranges == [("", ""), ("", "")]


async def test_an_unfinished_file_of_a_failing_server_is_kept(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = Ranges(300_000)
    site.answer = lambda request: httpx.Response(404) if "range" in request.headers else None
    await download(site, tmp_path)
    assert len(left_over(tmp_path)) == 1


async def test_after_a_power_failure_a_file_starts_again(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = Ranges(100_000, 200_000, 300_000)
    power = Settings(durability="power")
    await download(site, tmp_path, settings=power)
    await download(site, tmp_path, settings=power)
    assert list(stored(tmp_path).values()) == [WHOLE]
    assert [asked for asked, _ in site.ranges] == ["", "bytes=100000-", "bytes=200000-", ""]


# ---- jobs ------------------------------------------------------------------------------------------------------------


async def test_a_full_disk_ends_the_crawl_and_the_job_resumes_with_the_page(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crawler_plugins.files.partial import PartialFile  # noqa: PLC0415

    site = FakeSite({"/": page("/a.pdf"), "/a.pdf": b"one"})
    output, folder = tmp_path / "items.jsonl", tmp_path / "files"

    async def run() -> Report:
        return await crawl(
            Shop(), plugins=[Files(folder=folder)], outputs=[output], job=tmp_path / "job", transport=site.transport
        )

    def full(self: PartialFile, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(PartialFile, "write", full)
        with pytest.raises(CrawlFailed, match=r"No space left on device; free some space, then run it again$"):
            await run()
    await run()
    [item] = [json.loads(line) for line in output.read_text().splitlines()]
    assert item["files"][0]["status"] == "downloaded"
    assert (folder / item["files"][0]["path"]).read_bytes() == b"one"


# ---- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "is_warned"), [({"files": ["/a.pdf"]}, True), ({"file_urls": []}, False), ({"file_urls": "/a.pdf"}, False)]
)
async def test_a_crawl_whose_items_have_no_field_with_files_is_warned(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture, item: dict[str, Any], is_warned: bool
) -> None:
    class Fixed(Spider):
        settings = FREE
        start_urls = ["https://site.test/"]

        def parse(self, response: Response) -> Any:
            yield item

    await download(FakeSite({"/": page(), "/a.pdf": Page(b"one", headers=PDF)}), tmp_path, Fixed())
    words = "no item has the field file_urls, so nothing was downloaded; set files.fields to your URL fields"
    assert [record.message for record in caplog.records] == [f"files: {words}"] * is_warned


@each(
    ("options", "words"),
    [
        ({"fields": ()}, "at least one field"),
        ({"result": ""}, "at least one field"),
        ({"min_bytes": 5, "max_bytes": 4}, "min_bytes and max_bytes"),
        ({"max_bytes": 0}, "min_bytes and max_bytes"),
        ({"min_bytes": -1}, "min_bytes and max_bytes"),
        ({"types": ("png",)}, "like image/png"),
        ({"concurrency": 0}, "at least 1"),
        ({"timeout": 0}, "timeout must be"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"expires": -1}, "expires must be"),
        ({"path": "/etc/{name}"}, "not a relative path"),
    ],
)
def test_a_bad_option_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=f"^files: .*{words}"):
        Files(**options)


async def test_a_folder_that_cannot_be_used_is_refused_before_the_first_request(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    site = FakeSite({"/": page("/a")})
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / ".files").mkdir(parents=True)
    (tmp_path / "folder" / ".files" / "index.sqlite").write_bytes(b"no database" * 100)
    for name in ("file", "folder"):
        with pytest.raises(ConfigError, match=f"the folder .*{name} cannot be used"):
            await download(site, tmp_path / name)
    assert site.log == []


HTML = {"Content-Type": "text/html; charset=utf-8"}


async def test_a_wall_in_place_of_a_file_is_a_failed_file(autojump_clock: MockClock, tmp_path: Path) -> None:
    pages: dict[str, Any] = {"/": page(*(f"/{n}.pdf" for n in range(12)))}
    pages |= {f"/{n}.pdf": Page(CHALLENGE, headers=HTML) for n in range(11)} | {"/11.pdf": Page(b"%PDF", headers=PDF)}
    found = await download(FakeSite(pages), tmp_path)
    assert list(stored(tmp_path).values()) == [b"%PDF"]
    results = found.items[0]["files"]
    assert [result["status"] for result in results] == ["failed"] * 11 + ["downloaded"]
    assert {result.get("error") for result in results} == {"a challenge of Anubis came in its place", None}
    assert left_over(tmp_path) == []
    assert found.report.exit_code() == 4
    assert found.report.problems[0].startswith("files failed: 11 of 12 (https://site.test/0.pdf (a challenge of Anubis")


async def test_a_page_that_is_wanted_as_a_file_is_stored(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = FakeSite({"/": page("/a.html", "/b.html"), "/a.html": "<h1>A page</h1>", "/b.html": CHALLENGE})
    found = await download(site, tmp_path, settings=Settings(accept_walls=("challenge",)))
    assert sorted(stored(tmp_path).values()) == sorted([b"<h1>A page</h1>", CHALLENGE.encode()])
    assert found.report.exit_code() == 0
