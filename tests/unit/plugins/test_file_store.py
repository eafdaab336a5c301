"""`FileStore`: each content once, and nothing that a folder no longer has."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from crawler_plugins.files.file_store import Content, FileStore
from crawler_plugins.files.partial import PartialFile
from crawler_plugins.files.pattern import PathPattern

from crawler import Response

PATH = PathPattern("{host}/{name}", "path")
EXTRA = PathPattern("{thumb}/{digest}{ext}", "extra_path", ("thumb", "digest", "ext"))


def opened(folder: Path, variant: str = "files") -> FileStore:
    return FileStore(folder, variant=variant, path=PATH, extra_path=EXTRA, sync=False)


async def add(store: FileStore, url: str, content: bytes, **made: bytes) -> dict[str, Any]:
    unfinished = PartialFile.open(store.hidden / "a.part")
    assert unfinished is not None
    unfinished.write(content)
    extras = {name: store.hidden / f"{name}.png" for name in made}
    for name, path in extras.items():
        path.write_bytes(made[name])
    found = Content(source=unfinished.path, digest=unfinished.digest(), kind="text/plain", extras=extras)
    with closing(unfinished):
        return await store.add(url, Response(url), unfinished, found, 1000.0)


async def test_a_content_is_stored_once_and_other_contents_of_its_name_separately(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as store:
        one = await add(store, "https://e.com/a.txt", b"one")
        assert await add(store, "https://e.com/b.txt", b"one") == one
        other = await add(store, "https://e.com/x/a.txt", b"two")
        assert (tmp_path / one["path"]).read_bytes() == b"one"
        assert (tmp_path / other["path"]).read_bytes() == b"two"
        assert [path.name for path in (tmp_path / "e.com").iterdir()] != ["a.txt"]
        assert {path.name for path in store.hidden.iterdir() if "index" not in path.name} == set()


async def test_a_file_that_is_gone_old_or_of_another_variant_is_not_known(tmp_path: Path) -> None:
    url = "https://e.com/a.txt"
    with closing(opened(tmp_path)) as store, closing(opened(tmp_path, "other")) as other:
        facts = await add(store, url, b"one", small=b"thumb")
        assert store.by_url(url, 1000.0) == facts
        assert store.by_url(url, 1001.0) is None
        assert other.by_url(url, 0.0) is None
        (tmp_path / facts["thumbs"]["small"]).unlink()
        assert store.by_url(url, 0.0) is None
