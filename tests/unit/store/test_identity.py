"""What a job stores of the arguments of its crawl, and what it compares."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from support.stores import execute

from crawler.store.identity import Identity, shown_arguments
from crawler.store.inspect import inspect_job
from crawler.store.sqlite import SqliteStore

CRAWL: dict[str, Any] = {"spider": "books (Books)", "arguments": {"shelf": 1}, "settings": {}}


def run(job: Path, **secrets: Any) -> None:
    with SqliteStore(job, Identity(crawl=CRAWL, secrets=secrets, references={"api_key": "env:KEY"})):
        pass


def contents(job: Path) -> bytes:
    return b"".join(path.read_bytes() for path in job.iterdir())


def test_a_secret_is_stored_as_a_hash_with_its_own_salt(job: Path) -> None:
    run(job, token="abc-123", password="abc-123")
    assert b"abc-123" not in contents(job)
    ((kept,),) = execute(job, "SELECT value FROM meta WHERE name = 'identity'")
    stored = Identity(crawl=CRAWL, secrets={"token": "abc-123"}).to_stored({})[0]["secrets"]["token"]
    assert stored not in str(kept)
    assert inspect_job(job).arguments == {"shelf": 1, "token": "***", "password": "***", "api_key": "env:KEY"}


def test_a_rotated_token_continues_the_job_with_one_line(job: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(job, token="abc-123", password="same")
    run(job, token="abc-123", password="same")
    assert not caplog.records
    run(job, token="def-456", password="same")
    assert caplog.record_tuples == [
        ("crawler.store", logging.WARNING, f"{job} continues with other values of token than in its last run")
    ]
    run(job, token="def-456")
    assert len(caplog.records) == 1
    assert b"def-456" not in contents(job)


def test_the_arguments_of_an_identity_are_shown_without_secrets() -> None:
    kept = {"arguments": {"a": 1, "cookie": "x"}, "secrets": {"a": "1:2", "token": "1:2"}}
    assert shown_arguments(kept) == {"a": 1, "cookie": "***", "token": "***"}
    assert shown_arguments({}) == {}
