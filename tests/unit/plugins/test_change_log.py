"""`ChangeLog`: a file that is cut to what the job knows."""

from __future__ import annotations

import errno
import json
from contextlib import closing

import pytest
from crawler_plugins.recrawl.change_log import ChangeLog

from crawler import ConfigError, JobError


def test_lines_are_appended_and_cut_to_the_length_that_the_job_has_kept(tmp_path):
    path = tmp_path / "changes.jsonl"
    with closing(ChangeLog(path, None, sync=True)) as log:
        log.append([{"n": 1}, {"n": 2}])
        kept = log.length
        log.append([{"n": 3}])
    with closing(ChangeLog(path, kept, sync=False)) as log:
        log.append([{"n": 4}])
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [1, 2, 4]


def test_the_file_of_an_earlier_crawl_is_continued(tmp_path):
    path = tmp_path / "changes.jsonl"
    path.write_text('{"n":0}\n')
    with closing(ChangeLog(path, None, sync=False)) as log:
        log.append([{"n": 1}])
    assert path.read_text() == '{"n":0}\n{"n":1}\n'


def test_a_file_that_has_lost_changes_is_refused(tmp_path):
    path = tmp_path / "changes.jsonl"
    with pytest.raises(JobError, match="has lost changes that the job wrote to it: restore it, or name another file"):
        ChangeLog(path, 10, sync=False)
    path.write_text("x")
    with pytest.raises(JobError, match="has lost changes"):
        ChangeLog(path, 10, sync=False)


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot write"):
        ChangeLog(tmp_path, None, sync=False)


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "changes.jsonl"

    class Full:
        def __init__(self, file):
            self.file, self.calls = file, 0

        def write(self, data):
            self.calls += 1
            if self.calls == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(bytes(data)[:5])

        def __getattr__(self, name):
            return getattr(self.file, name)

    with closing(ChangeLog(path, None, sync=False)) as log:
        log.append([{"n": 1}])
        log._file = Full(log._file)
        with pytest.raises(OSError, match="No space"):
            log.append([{"n": 2}])
        log._file = log._file.file
        log.append([{"n": 3}])
    assert path.read_text() == '{"n":1}\n{"n":3}\n'
