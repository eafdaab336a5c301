"""The files of an archive grow together and are cut together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from crawler_plugins.archive.files import ArchiveFiles, Place, check_new, later_parts

from crawler import ConfigError, JobError


def files(folder: Path, place: Place | None = None, *, sync: bool = False) -> ArchiveFiles:
    return ArchiveFiles(folder / "site.warc", ".warc", place or Place(), sync=sync)


@pytest.mark.parametrize("sync", [False, True])
def test_bytes_after_a_place_are_cut(tmp_path: Path, sync: bool) -> None:
    first = files(tmp_path, sync=sync)
    first.write(b"one", b"1\n")
    first.next_part()
    first.write(b"two", b"2\n")
    place = first.place
    first.write(b"lost", b"3\n")
    first.next_part()
    first.write(b"lost", b"4\n")
    first.close()
    again = files(tmp_path, place)
    again.cut()
    again.write(b"three", b"5\n")
    again.close()
    assert [path.read_bytes() for path in again.parts] == [b"one", b"twothree"]
    assert again.index.read_bytes() == b"1\n2\n5\n"
    assert list(later_parts(tmp_path / "site.warc", ".warc")) == [tmp_path / "site-00001.warc"]


def test_a_file_that_has_lost_something_is_refused(tmp_path: Path) -> None:
    first = files(tmp_path)
    first.write(b"one", b"1\n")
    first.close()
    (tmp_path / "site.cdxj").write_bytes(b"")
    with pytest.raises(JobError, match=r"site\.cdxj has 0 of 2 bytes"):
        files(tmp_path, first.place).cut()


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    class Full:
        def __init__(self, file: Any) -> None:
            self._file = file

        def write(self, data: bytes) -> int:
            if len(data) < 4:
                raise OSError(28, "No space left on device")
            return int(self._file.write(data[:2]))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    first = files(tmp_path)
    first.write(b"one", b"")
    first._archive = Full(first._archive)  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space"):
        first.write(b"four5", b"")
    first.close()
    assert first.path.read_bytes() == b"one"
    assert first.place.length == 3


def test_an_archive_of_the_same_name_is_refused_or_replaced(tmp_path: Path) -> None:
    (tmp_path / "site.cdxj").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"site\.cdxj exists already"):
        check_new(files(tmp_path), overwrite=False)
    check_new(files(tmp_path), overwrite=True)
    assert list(tmp_path.iterdir()) == []
