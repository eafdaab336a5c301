"""The file of a job's items: what is written is read again, and what is damaged is found."""

from __future__ import annotations

import json
import string
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crawler.store.spool as module
from crawler.errors import JobError
from crawler.messages import Row
from crawler.store.spool import MAX_READ, DamagedSpool, Spool, check_rows, read_ahead, read_rows

TEXTS = st.text(max_size=20)
ITEMS = st.text(string.printable, max_size=20).map(lambda text: text.encode("unicode_escape").replace(b'"', b"'"))
DATA = ITEMS.map(lambda text: b'"' + text.replace(b"\\", b"/") + b'"')
ROWS = st.lists(st.builds(Row, DATA, TEXTS, TEXTS, st.none(), TEXTS), max_size=9)


@given(batches=st.lists(ROWS, max_size=4), n=st.integers(1, 5))
def test_rows_are_read_as_they_were_written_however_many_at_a_time(batches: list[list[Row]], n: int) -> None:
    with TemporaryDirectory() as folder:
        spool = Spool(Path(folder, "items"), 0)
        for batch in batches:
            spool.length = spool.write(batch, at=spool.length, commit=1)
        found, offset = [], 0
        while offset < spool.length:
            rows, ends = spool.read(offset, n)
            assert 0 < len(rows) == len(ends) <= n
            found += rows
            offset = ends[-1]
        spool.close()
        assert [attrs.astuple(row) for row in found] == [attrs.astuple(row) for batch in batches for row in batch]
        assert offset == Path(folder, "items").stat().st_size


def test_rows_that_were_not_committed_are_overwritten_and_not_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "items", 0)
    spool.length = spool.write([Row(b"1", "1", "page")], at=0, commit=1)
    spool.write([Row(b'"long"', "lost", "page")], at=spool.length, commit=2)
    assert [row.key for row in spool.read(0, 9)[0]] == ["1"]
    spool.close()
    again = Spool(tmp_path / "items", spool.length)
    again.length = again.write([Row(b"2", "2", "page")], at=again.length, commit=2)
    again.sync()
    assert [row.key for row in again.read(0, 9)[0]] == ["1", "2"]
    again.close()


def test_a_row_longer_than_a_read_is_returned_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "items", 0)
    item = b'"' + b"x" * (MAX_READ + 1) + b'"'
    spool.length = spool.write([Row(item, "1", ""), Row(b"2", "2", "")], at=0, commit=1)
    rows, ends = spool.read(0, 9)
    assert [bytes(row.data) for row in rows] == [item]
    assert [row.key for row in spool.read(ends[-1], 9)[0]] == ["2"]
    spool.close()


@pytest.mark.parametrize("content", [b"birds\n", b'{"key":1}\n', b'{"key":"a","page":"b","item":', b"\xff\xfe\n"])
def test_a_file_of_anything_else_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "items"
    path.write_bytes(content)
    with pytest.raises(JobError, match="items is damaged at byte 0: "):
        read_rows(path, 0, 9, len(content))


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "items").mkdir()
    with pytest.raises(JobError, match=r"cannot open .*items: is a directory"):
        Spool(tmp_path / "items", 0)
    with pytest.raises(JobError, match="cannot open .*none: no such file"):
        read_rows(tmp_path / "none", 0, 9, 5)


# ---- damage ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with three rows."""
    spool = Spool(tmp_path / "items", 0)
    spool.length = spool.write([Row(b'{"n":%d}' % n, f"key {n}", "page") for n in range(3)], at=0, commit=1)
    spool.close()
    return tmp_path / "items"


def damage(path: Path, length: int) -> DamagedSpool:
    with pytest.raises(DamagedSpool) as caught:
        check_rows(path, length)
    assert str(caught.value).startswith(f"{path} is damaged at byte {caught.value.at}: ")
    return caught.value


def test_a_whole_file_is_counted(path: Path) -> None:
    assert check_rows(path, path.stat().st_size) == 3


@pytest.mark.parametrize("bits", [0x01, 0x20, 0x80])
def test_any_changed_byte_is_found_with_the_position_of_its_row(path: Path, bits: int) -> None:
    content = path.read_bytes()
    starts = [0, *(at + 1 for at, byte in enumerate(content) if byte == 10)]
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :])
        assert damage(path, len(content)).at == max(start for start in starts if start <= at)


def test_a_page_of_zeros_a_cut_row_and_a_length_within_a_row_are_named(path: Path) -> None:
    content = path.read_bytes()
    row = len(content) // 3
    path.write_bytes(content[:row] + bytes(len(content) - row))
    assert str(damage(path, len(content))).endswith(f"at byte {row}: there are zeros in place of an item")
    path.write_bytes(content[: 2 * row + 5])
    assert str(damage(path, len(content))).endswith(f"at byte {2 * row}: it ends within an item")
    path.write_bytes(content[:row])
    assert str(damage(path, len(content))).endswith(f"at byte {row}: it ends there")
    path.write_bytes(content)
    assert "but none ends there" in str(damage(path, len(content) - 5))


def test_only_the_end_of_a_long_file_is_checked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = path.read_bytes()
    row = len(content) // 3
    monkeypatch.setattr(module, "MAX_CHECKED", row + 5)
    path.write_bytes(b"#" + content[1:])
    assert check_rows(path, len(content)) is None
    path.write_bytes(content[: 2 * row] + b"#" + content[2 * row + 1 :])
    assert damage(path, len(content)).at == 2 * row


def test_rows_after_the_committed_ones_stay_until_the_next_write(path: Path) -> None:
    content = path.read_bytes()
    row = len(content) // 3
    Spool(path, row).close()
    assert path.read_bytes() == content
    assert [json.loads(row.data)["n"] for _, row in read_ahead(path, row)] == [1, 2]
    path.write_bytes(content[:-1])
    assert [json.loads(row.data)["n"] for _, row in read_ahead(path, row)] == [1]
    spool = Spool(path, row)
    spool.length = spool.write([Row(b"7", "key", "page")], at=row, commit=2)
    assert [row.data for _, row in read_ahead(path, 0)] == [b'{"n":0}', b"7"]
    spool.write([Row(b"8", "key", "page")], at=spool.length, commit=3)
    spool.close()  # the last row was not committed
    assert [row.data for _, row in read_ahead(path, 0)] == [b'{"n":0}', b"7"]
