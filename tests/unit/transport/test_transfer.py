"""One transfer without libcurl: events that only another version of it, or an accident, would cause."""

from __future__ import annotations

import httpx
import pycurl
import pytest
import trio

from crawler.transport.transfer import Transfer, parse_status_line


class Failing:
    """A handle that fails to continue after a pause."""

    def pause(self, state):
        raise pycurl.error(pycurl.E_BAD_CONTENT_ENCODING, "a broken block")


async def test_an_error_of_libcurl_on_resuming_is_raised_after_the_data_that_arrived():
    dropped = []
    request = httpx.Request("GET", "http://site.example/")
    exchange = Transfer(request, body=b"", proxy=None, buffer=4, max_headers=100, drop=dropped.append)
    exchange.curl = Failing()
    exchange.on_start("192.0.2.1", "", 80, 0)
    for line in (b"HTTP/1.1 200 OK\r\n", b"Content-Encoding: gzip\r\n", b"\r\n"):
        assert exchange.on_header(line) is None
    exchange.check_response()
    assert exchange.on_body(b"1234") is None
    assert exchange.on_body(b"5678") == pycurl.WRITEFUNC_PAUSE
    chunks = exchange.stream
    assert await anext(chunks) == b"1234"
    assert dropped == [exchange]
    with pytest.raises(httpx.DecodingError, match="a broken block"):
        await anext(chunks)


@pytest.mark.parametrize("timeout", [None, 5.0])
async def test_ctrl_c_cannot_come_between_the_note_that_a_task_waits_and_its_wait(monkeypatch, timeout):
    protected = []

    async def wait(abort):
        await trio.lowlevel.checkpoint()
        protected.append(trio.lowlevel.currently_ki_protected())
        exchange._task = None  # as by `_abort_wait`
        exchange.fail(httpx.ReadError("over"))

    extensions = {"timeout": {"read": timeout}}
    request = httpx.Request("GET", "http://site.example/", extensions=extensions)
    exchange = Transfer(request, body=b"", proxy=None, buffer=4, max_headers=100, drop=lambda _: None)
    monkeypatch.setattr(trio.lowlevel, "wait_task_rescheduled", wait)
    with pytest.raises(httpx.ReadError):
        await exchange.wait()
        exchange.check_response()
    assert protected == [True]


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
