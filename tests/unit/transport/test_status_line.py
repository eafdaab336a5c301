"""`parse_status_line`: version, status and reason phrase of a response."""

from __future__ import annotations

import pytest

from crawler.transport.status_line import parse_status_line


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b"HTTP/1.1 200 OK\r\n", (b"HTTP/1.1", 200, b"OK")),
        (b"http/1.0 404\r\n", (b"HTTP/1.0", 404, b"")),
        (b"HTTP/2 503 \r\n", (b"HTTP/2", 503, b"")),
        (b"HTTP/1.1 2000 OK\r\n", (b"HTTP/1.1", -1, b"OK")),
    ],
)
def test_a_status_has_three_digits(line: bytes, parts: tuple[bytes, int, bytes]) -> None:
    version, status, reason = parse_status_line(line)
    assert (version, status) == parts[:2]
    assert status < 0 or reason == parts[2]
