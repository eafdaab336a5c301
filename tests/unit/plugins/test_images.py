"""`Images`: whole crawls that download, check, convert and scale images."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from crawler_plugins.files import Images
from PIL import Image
from support.cases import each
from support.processes import PIPE, Process
from support.trees import FREE
from trio.testing import MockClock

from crawler import ConfigError, Response, Spider
from crawler.testing import FakeSite, Page, collect


class Gallery(Spider):
    """Yields one item with an image."""

    settings = FREE
    start_urls = ["https://site.test/"]

    def parse(self, response: Response) -> Any:
        yield {"image_urls": ["/a"]}


def picture(form: str, size: tuple[int, int] = (40, 20), mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, "red" if mode != "P" else 1).save(file, form, **options)
    return file.getvalue()


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the work of threads in place: virtual time does not wait for threads."""

    async def run_sync(function: Any, *args: Any, limiter: trio.CapacityLimiter | None = None) -> Any:
        await trio.lowlevel.checkpoint()
        return function(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


async def result(folder: Path, body: bytes, kind: str = "image/png", **options: Any) -> dict[str, Any]:
    site = FakeSite({"/": "x", "/a": Page(body, headers={"Content-Type": kind})})
    found = await collect(Gallery(), site, plugins=[Images(folder=folder, **options)])
    [image] = found.items[0]["images"]
    left = [path.name for path in (folder / ".files").iterdir() if "index.sqlite" not in path.name]
    assert left == []
    return dict(image)


async def test_the_type_of_an_image_follows_from_its_content(autojump_clock: MockClock, tmp_path: Path) -> None:
    body = picture("WEBP")
    image = await result(tmp_path, body, "text/html")
    digest = hashlib.sha256(body).hexdigest()
    assert image == {
        "url": "https://site.test/a", "path": f"site.test/{digest[:2]}/{digest}.webp", "digest": digest,
        "size": len(body), "type": "image/webp", "status": "downloaded", "width": 40, "height": 20,
    }  # fmt: skip
    assert (tmp_path / image["path"]).read_bytes() == body


@pytest.mark.parametrize(
    ("make", "options", "error"),
    [
        (lambda: b"<html>", {}, "it is not an image"),
        (lambda: b"", {}, "it is not an image"),
        (lambda: picture("PNG")[:-30], {}, "it is a broken image"),
        (lambda: picture("JPEG", (400, 400))[:300], {}, "it is"),
        (lambda: picture("PNG"), {"min_width": 41}, "it has 40 × 20 pixels, less than 41 × 0"),
        (lambda: picture("PNG"), {"min_height": 21}, "it has 40 × 20 pixels, less than 0 × 21"),
        (lambda: picture("PNG"), {"max_pixels": 799}, "it has 40 × 20 pixels, more than 799"),
        (lambda: picture("PNG", (20_000, 10_000), "1"), {}, "more than 80000000"),
    ],
    ids=["html", "empty", "png", "jpeg", "narrow", "low", "pixels", "bomb"],
)
async def test_an_image_is_checked(
    autojump_clock: MockClock, tmp_path: Path, make: Callable[[], bytes], options: dict[str, Any], error: str
) -> None:
    image = await result(tmp_path, make(), **options)
    assert image["status"] == "failed"
    assert error in image["error"]
    assert [path for path in tmp_path.rglob("*") if path.is_file() and ".files" not in path.parts] == []


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "1", "LA", "CMYK"])
async def test_images_of_all_modes_are_converted(autojump_clock: MockClock, tmp_path: Path, mode: str) -> None:
    body = picture("TIFF" if mode == "CMYK" else "PNG", mode=mode)
    for form in ("jpeg", "webp", "png"):
        image = await result(tmp_path / form, body, convert=form)
        stored = (tmp_path / form / image["path"]).read_bytes()
        assert (image["type"], image["digest"]) == (f"image/{form}", hashlib.sha256(stored).hexdigest())
        assert image["size"] == len(stored)
        with Image.open(io.BytesIO(stored)) as opened:
            assert (opened.format, opened.size) == (form.upper(), (40, 20))


async def test_an_image_that_has_the_format_is_not_changed(autojump_clock: MockClock, tmp_path: Path) -> None:
    body = picture("JPEG")
    image = await result(tmp_path, body, convert="jpeg")
    assert (tmp_path / image["path"]).read_bytes() == body


async def test_thumbnails_fit_into_their_sides(autojump_clock: MockClock, tmp_path: Path) -> None:
    thumbs = {"small": (10, 10), "../big": (500, 500)}
    for mode, ending in (("RGB", ".jpg"), ("RGBA", ".png")):
        image = await result(tmp_path / mode, picture("PNG", mode=mode), thumbs=thumbs)
        small, big = image["thumbs"]["small"], image["thumbs"]["../big"]
        assert small == f"thumbs/small/{image['digest'][:2]}/{image['digest']}{ending}"
        assert big.startswith("thumbs/_._big/")
        for path, size in ((small, (10, 5)), (big, (40, 20))):
            with Image.open(tmp_path / mode / path) as opened:
                assert opened.size == size


async def test_an_image_is_turned_upright(autojump_clock: MockClock, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90°
    image = await result(tmp_path, picture("JPEG", exif=exif), thumbs={"small": (10, 10)})
    assert (image["width"], image["height"]) == (20, 40)
    with Image.open(tmp_path / image["thumbs"]["small"]) as opened:
        assert opened.size == (5, 10)


async def test_other_thumbnails_are_made_of_a_new_download(autojump_clock: MockClock, tmp_path: Path) -> None:
    body = picture("PNG")
    assert (await result(tmp_path, body))["status"] == "downloaded"
    assert (await result(tmp_path, body))["status"] == "uptodate"
    image = await result(tmp_path, body, thumbs={"small": (10, 10)})
    assert (image["status"], list(image["thumbs"])) == ("downloaded", ["small"])


@each(
    ("options", "words"),
    [
        ({"min_width": -1}, "min_width and min_height"),
        ({"max_pixels": 0}, "max_pixels"),
        ({"max_pixels": 10**9}, "max_pixels"),
        ({"convert": "gif"}, "convert must be"),
        ({"thumbs": {"": (1, 1)}}, "thumbs"),
        ({"thumbs": {"a": (1,)}}, "thumbs: 'a' must have two sides"),
        ({"thumbs": {"a": (0, 1)}}, "thumbs: 'a'"),
        ({"thumb_path": "{x}"}, "thumb_path: {x}"),
        ({"path": "{thumb}"}, "path: {thumb}"),
        ({"concurrency": 0}, "images: concurrency"),
    ],
)
def test_a_bad_option_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as info:
        Images(**options)
    assert words in str(info.value)


SPIDER = (
    "from crawler import Spider\nclass One(Spider):\n    start_urls = ['http://127.0.0.1:9/']\n"
    "    def parse(self, response): pass\n"
)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "images", "-P", 'images.thumbs={"small": [0, 1]}'], "thumbs: 'small' must have two sides"),
        (["-p", "files", "-P", "files.concurrency=many"], "concurrency"),
        (["-p", "files", "-P", "files.path=../{name}"], "not a relative path"),
        (["-p", "files", "-P", "files.folder=one.py"], "the folder one.py cannot be used"),
        (["-p", "files", "-P", "files.colour=red"], "has no argument 'colour'"),
    ],
)
def test_the_command_line_refuses_bad_options_before_the_first_request(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "one.py").write_text(SPIDER)
    command = ["-m", "crawler", "run", "one.py", *arguments]
    process = Process(command, cwd=tmp_path, env=os.environ, stdout=PIPE, stderr=PIPE)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, words in errors) == (2, True), errors


def test_without_pillow_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ConfigError, match=r"pip install 'trio-crawler\[images\]'"):
        Images()
