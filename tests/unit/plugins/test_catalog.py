"""Which responses an archive has for a request."""

from __future__ import annotations

from pathlib import Path

import pytest
from crawler_plugins.archive.catalog import Catalog
from crawler_plugins.archive.records import encode

from crawler import ConfigError, Request

URL = "https://site.test/"


def response(status: int, *fields: tuple[str, str], kind: str = "response") -> bytes:
    named = [("WARC-Type", kind), ("WARC-Target-URI", URL), ("Content-Type", "application/http")]
    return encode([*named, *fields], b"HTTP/1.1 %d X\r\n\r\n" % status)


def catalog(path: Path, *records: bytes) -> Catalog:
    path.write_bytes(b"".join(records))
    return Catalog.of([path], [""])


def statuses(found: Catalog, request: Request, times: int) -> list[int | None]:
    places = [found.next(request) for _ in range(times)]
    return [None if place is None else place.status for place in places]


def test_responses_come_in_order_and_the_last_one_stays(tmp_path: Path) -> None:
    found = catalog(tmp_path / "x.warc", response(200), response(404), response(410))
    assert statuses(found, Request(URL), 4) == [200, 404, 410, 410]
    assert statuses(found, Request(URL + "other"), 1) == [None]


def test_an_attempt_that_was_repeated_counts_as_the_last_one(tmp_path: Path) -> None:
    found = catalog(tmp_path / "x.warc", response(503), response(429), response(200), response(503))
    assert statuses(found, Request(URL), 3) == [200, 503, 503]


def test_a_request_record_before_or_after_its_response_has_the_method(tmp_path: Path) -> None:
    post = b"POST / HTTP/1.1\r\n\r\na=1"
    kind = [("WARC-Type", "request"), ("Content-Type", "application/http"), ("WARC-Target-URI", URL)]
    before = encode([*kind, ("WARC-Record-ID", "<q1>")], post)
    behind = encode([*kind, ("WARC-Record-ID", "<q2>"), ("WARC-Concurrent-To", "<r2>")], post)
    first = response(201, ("WARC-Record-ID", "<r1>"), ("WARC-Concurrent-To", "<q1>"))
    second = response(202, ("WARC-Record-ID", "<r2>"))
    found = catalog(tmp_path / "x.warc", before, first, second, behind)
    assert statuses(found, Request(URL, method="POST", body=b"a=1"), 2) == [201, 202]
    assert statuses(found, Request(URL, method="POST", body=b"a=2"), 1) == [None]
    assert statuses(found, Request(URL), 1) == [None]


def test_a_file_that_was_cut_is_read_up_to_the_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = catalog(tmp_path / "x.warc", response(200), response(404)[:-9])
    assert statuses(found, Request(URL), 2) == [200, 200]
    assert "the rest of the file is left out" in caplog.text


def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a WARC file"):
        catalog(tmp_path / "x.warc", b"<html>")
    with pytest.raises(ConfigError, match="cannot read"):
        Catalog.of([tmp_path / "missing.warc"], [""])
