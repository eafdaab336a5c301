"""`crawler.files`: complete writes, replacement in one step, and locks between processes."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.files import (
    PRIVATE,
    create_private,
    disk_is_full,
    error_reason,
    locked,
    replace_file,
    sync_data,
    sync_folder,
    write_all,
    write_refusal,
)

HOLD = "import sys, pathlib; from crawler.files import locked\nwith locked(pathlib.Path(sys.argv[1])): print(); input()"


@given(st.binary(max_size=200), st.lists(st.integers(1, 50), min_size=1))
def test_write_all_writes_every_byte_once_after_partial_writes(data, sizes):
    written = bytearray()
    calls = iter(sizes * 201)

    def write(rest):
        taken = rest[: next(calls)]
        written.extend(taken)
        return len(taken)

    write_all(write, data)
    assert written == data


def test_write_all_stops_at_the_first_error():
    written = []

    def write(rest):
        if written:
            raise OSError(28, "No space left on device")
        written.append(bytes(rest[:3]))
        return 3

    with pytest.raises(OSError, match="No space left"):
        write_all(write, b"abcdef")
    assert written == [b"abc"]


def test_a_file_is_replaced_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with replace_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("sole_writer", [True, False])
@pytest.mark.parametrize("existed", [True, False])
def test_a_block_that_raises_leaves_the_file_unchanged(tmp_path, sole_writer, existed):
    path = tmp_path / "a.json"
    if existed:
        path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replace_file(path, sole_writer=sole_writer) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert [found.read_bytes() for found in tmp_path.iterdir()] == ([b"old"] if existed else [])


def test_the_new_file_has_the_mode_of_the_old_one_or_the_requested_mode(tmp_path):
    path = tmp_path / "a.json"
    path.touch()
    path.chmod(0o640)
    with replace_file(path):
        assert path.stat().st_size == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with replace_file(path, mode=0o600) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    target, link = folder / "a.json", tmp_path / "link.json"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with replace_file(link, sync=True) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert list(folder.iterdir()) == [target]


def test_a_pipe_or_a_device_is_written_to_and_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with replace_file(pipe, sole_writer=True) as file:
        file.write(b"page")
    assert os.read(reading, 10) == b"page"
    os.close(reading)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_standard_output_is_added_to_wherever_it_goes(tmp_path):
    code = "import pathlib; from crawler.files import replace_file\n"
    code += "with replace_file(pathlib.Path('/dev/stdout')) as file: file.write(b'page')"
    with (tmp_path / "out").open("wb", buffering=0) as out:
        out.write(b"before ")
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_bytes() == b"before page"
    piped = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert piped.stdout == b"page"


def test_a_sole_writer_removes_the_temporary_file_of_a_killed_process(tmp_path):
    path = tmp_path / "a.csv"
    with replace_file(path, sole_writer=True) as file:
        left = file.name
        assert left.endswith(".csv")  # the ending of a name determines the format of an output
        file.write(b"x")
    with open(left, "wb") as file:  # noqa: PTH123
        file.write(b"half of a table")
    with replace_file(path, sole_writer=True) as file:
        file.write(b"y")
    assert [found.read_bytes() for found in tmp_path.iterdir()] == [b"y"]


def test_a_missing_folder_raises_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError), replace_file(tmp_path / "none" / "a.json"):
        pass
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "none")
    with pytest.raises(FileNotFoundError), locked(tmp_path / "none" / "lock"):
        pass


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_private_file_has_its_mode_whatever_the_umask_is(tmp_path, umask):
    path = tmp_path / "secret"
    before = os.umask(umask)
    try:
        create_private(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == PRIVATE
    path.write_text("kept")
    create_private(path)
    assert path.read_text() == "kept"


def test_the_new_file_is_never_readable_for_those_who_could_not_read_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.touch(0o600)
    created = []
    touch = Path.touch
    monkeypatch.setattr(Path, "touch", lambda self, mode, **rest: (created.append(mode), touch(self, mode, **rest)))
    with replace_file(path) as file:
        file.write(b"{}")
    assert created == [0o600]


def test_a_lock_excludes_others_until_the_block_ends(tmp_path):
    path = tmp_path / "lock"
    with locked(path) as descriptor:
        assert stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o600
        with pytest.raises(BlockingIOError), locked(path):
            pass
    with locked(path):
        pass
    assert path.exists()


def test_a_lock_is_released_when_its_process_is_killed(tmp_path):
    path = tmp_path / "lock"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD, path], **pipes) as process:
        process.stdout.readline()
        with pytest.raises(BlockingIOError), locked(path):
            pass
        process.kill()
    with locked(path):
        pass


def test_a_file_system_without_locks_does_not_look_like_a_held_lock(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="No locks available") as caught, locked(tmp_path / "lock"):
        pass
    assert not isinstance(caught.value, BlockingIOError)


@pytest.mark.parametrize("system", ["linux", "bsd", "darwin"])
def test_the_content_of_a_file_is_synchronised_as_the_system_does_it(tmp_path, monkeypatch, system):
    calls = []
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("bsd"))
    if system == "linux":
        monkeypatch.setattr(os, "fdatasync", lambda _: calls.append("linux"))
    else:
        monkeypatch.delattr(os, "fdatasync", raising=False)
    if system == "darwin":
        monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
        monkeypatch.setattr(fcntl, "fcntl", lambda _, command: calls.append({51: "darwin"}[command]))
    with (tmp_path / "a").open("wb") as file:
        sync_data(file.fileno())
    assert calls == [system]


def test_the_reason_of_an_error_has_neither_number_nor_path(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "none").read_bytes()
    assert error_reason(caught.value) == "no such file or directory"
    assert error_reason(OSError("Something ELSE")) == "something else"


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError("IO Error: Could not write file: No space left on device"), True),
        (OSError("External: Unable to copy data to file: Disk quota exceeded (os error 122)"), True),
        (OSError(5, "No space left on device"), False),
        (OSError("IO Error: Could not read file"), False),
        (OSError(), False),
    ],
)
def test_a_full_disk_is_known_by_its_number_or_else_by_the_words_of_the_system(error: OSError, is_full: bool):
    assert disk_is_full(error) == is_full


def test_a_read_only_file_system_is_no_lack_of_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write_refusal(tmp_path) == ""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert write_refusal(tmp_path) == "no permission to write {}"
    found = os.statvfs(tmp_path)
    read_only = os.statvfs_result((*found[:8], os.ST_RDONLY, *found[9:]))
    monkeypatch.setattr(os, "statvfs", lambda path: read_only)
    assert write_refusal(tmp_path) == "cannot write {}: it is on a read-only file system"
