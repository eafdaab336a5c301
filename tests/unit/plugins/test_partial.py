"""`PartialFile` and `place`: unfinished files, and their final names."""

from __future__ import annotations

import errno
import hashlib
import os

import pytest
from crawler_plugins.files.partial import PartialFile, digest_of, free_name, place, remove_placed


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(folder, content, wanted, *, sync=False):
    source = folder / "source.part"
    source.write_bytes(content)
    path = free_name(folder, wanted, sha256(content))
    assert place(source, folder / path, sha256(content), sync=sync)
    assert not source.exists()
    assert (folder / path).read_bytes() == content
    return path


def test_a_file_is_continued_with_the_digest_of_all_of_it(tmp_path):
    first = PartialFile.open(tmp_path / "a.part")
    first.write(b"one")
    first.close()
    second = PartialFile.open(tmp_path / "a.part")
    assert second.size == 3
    second.write(b"two")
    assert second.digest() == sha256(b"onetwo")
    second.sync()
    second.close()
    third = PartialFile.open(tmp_path / "a.part")
    assert third.digest() == sha256(b"onetwo")
    third.clear()
    third.write(b"new")
    assert (third.size, third.digest(), third.path.read_bytes()) == (3, sha256(b"new"), b"new")
    third.close()


def test_a_file_without_content_is_removed(tmp_path):
    empty = PartialFile.open(tmp_path / "a.part")
    empty.close()
    assert list(tmp_path.iterdir()) == []


def test_one_holder_at_a_time(tmp_path):
    held = PartialFile.open(tmp_path / "a.part")
    held.write(b"x")
    assert PartialFile.open(tmp_path / "a.part") is None
    held.path.rename(tmp_path / "final")  # complete
    other = PartialFile.open(tmp_path / "a.part")
    assert other.size == 0
    other.close()
    held.close()
    assert (tmp_path / "final").read_bytes() == b"x"


def test_a_file_that_another_program_cuts_is_an_error(tmp_path):
    (tmp_path / "a.part").write_bytes(b"content")
    partial = PartialFile.open(tmp_path / "a.part")
    os.truncate(partial.path, 3)
    with pytest.raises(OSError, match="another program has cut"):
        partial.digest()
    partial.close()


def test_a_symbolic_link_is_not_followed(tmp_path):
    (tmp_path / "a.part").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"symbolic|loop|Too many"):
        PartialFile.open(tmp_path / "a.part")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("has_links", [True, False])
def test_files_never_replace_each_other(tmp_path, monkeypatch, has_links):
    if not has_links:

        def link(*_args, **_options):
            raise PermissionError(errno.EPERM, "no links")

        monkeypatch.setattr(os, "link", link)
    assert put(tmp_path, b"1", "x/a.pdf") == "x/a.pdf"
    assert put(tmp_path, b"1", "x/a.pdf", sync=True) == "x/a.pdf"
    assert put(tmp_path, b"2", "x/a.pdf") == f"x/a-{sha256(b'2')[:16]}.pdf"
    assert put(tmp_path, b"2", "x/a.pdf") == f"x/a-{sha256(b'2')[:16]}.pdf"
    digest = sha256(b"3")
    assert put(tmp_path, b"3", "x/a.pdf/b.pdf") == f"{digest[:2]}-{digest[2:4]}/{digest}.pdf"  # a.pdf is a file
    assert put(tmp_path, b"4", "x") == f"x-{sha256(b'4')[:16]}"  # x is a folder
    assert (tmp_path / "x/a.pdf").read_bytes() == b"1"


def test_another_error_is_raised_and_the_file_stays(tmp_path, monkeypatch):
    def link(*_args, **_options):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "link", link)
    (tmp_path / "a.part").write_bytes(b"x")
    with pytest.raises(OSError, match="full"):
        place(tmp_path / "a.part", tmp_path / "b", digest_of(tmp_path / "a.part"), sync=False)
    assert (tmp_path / "a.part").exists()


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_that_was_just_taken_is_not_replaced(tmp_path, monkeypatch, has_links):
    if not has_links:

        def link(*_args, **_options):
            raise PermissionError(errno.EPERM, "no links")

        monkeypatch.setattr(os, "link", link)
    (tmp_path / "a.part").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"other")
    assert not place(tmp_path / "a.part", tmp_path / "b", sha256(b"x"), sync=False)
    assert not place(tmp_path / "a.part", tmp_path / "b" / "c", sha256(b"x"), sync=False)
    assert (tmp_path / "a.part").read_bytes() == b"x"
    assert (tmp_path / "b").read_bytes() == b"other"


def test_if_every_name_is_taken_the_file_has_none(tmp_path):
    digest = sha256(b"x")
    for name in ("b", f"b-{digest[:16]}"):
        (tmp_path / name).write_bytes(b"other")
    apart = tmp_path / f"{digest[:2]}-{digest[2:4]}" / digest
    apart.parent.mkdir()
    apart.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        free_name(tmp_path, "b", digest)


def test_an_unfinished_file_that_has_its_final_name_is_removed(tmp_path):
    (tmp_path / "a.part").write_bytes(b"a")
    (tmp_path / "b.part").write_bytes(b"b")
    os.link(tmp_path / "a.part", tmp_path / "final")
    (tmp_path / "hidden").mkdir()
    for name in ("a.part", "b.part"):
        (tmp_path / name).rename(tmp_path / "hidden" / name)
    remove_placed(tmp_path / "hidden")
    assert [path.name for path in (tmp_path / "hidden").iterdir()] == ["b.part"]
    assert (tmp_path / "final").read_bytes() == b"a"
