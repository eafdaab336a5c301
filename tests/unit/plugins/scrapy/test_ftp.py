"""Files of an FTP server: Scrapy's own handler downloads them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import scrapy
from scrapy.core.downloader.handlers.ftp import FTPDownloadHandler
from support.scrapy_site import run_scrapy

FILES = {"/a b.txt": b"hello", "/page.html": b"<a href='page.html'>again</a>", "/busy": None}


class FtpServer:
    """Serves `FILES` to one user, each connection in a thread; `said` has the commands."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.said: list[str] = []

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rw", encoding="utf-8", newline="\r\n") as lines:
            data: socket.socket | None = None

            def reply(text: str) -> None:
                lines.write(f"{text}\n")
                lines.flush()

            reply("220 ready")
            for line in lines:
                self.said.append(line.strip())
                name, _, rest = line.strip().partition(" ")
                if name == "PASV":
                    waiting = socket.create_server(("127.0.0.1", 0))
                    port = waiting.getsockname()[1]
                    reply(f"227 Entering ({','.join(['127', '0', '0', '1', str(port // 256), str(port % 256)])})")
                    data, _ = waiting.accept()
                    waiting.close()
                elif name == "RETR":
                    self._send(rest, data, reply)
                else:
                    reply({"USER": "331 password", "PASS": self._login(rest)}.get(name, "200 fine"))

    def _login(self, password: str) -> str:
        return "230 welcome" if password in ("guest", "word") else "530 no"

    def _send(self, path: str, data: socket.socket | None, reply) -> None:
        assert data is not None
        with data:
            content = FILES.get(path)
            if content is None:
                reply("450 busy" if path in FILES else "550 no such file")
                return
            reply("150 here it comes")
            data.sendall(content)
        reply("226 done")


@contextmanager
def served() -> Iterator[FtpServer]:
    server = FtpServer()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


class Files(scrapy.Spider):
    name = "files"
    urls: tuple[str, ...] = ()
    meta: dict[str, object] = {}

    def start_requests(self):
        for url in self.urls:
            yield scrapy.Request(url, errback=self.failed, meta=self.meta)

    def parse(self, response):
        fields = {name.decode(): response.headers[name].decode() for name in response.headers}
        yield {"status": response.status, "body": response.body.decode(), "fields": fields, "url": response.url}

    def failed(self, failure):
        response = getattr(failure.value, "response", None)
        status = None if response is None else (response.status, response.body.decode())
        yield {"error": type(failure.value).__name__, "status": status}


async def items_of(*paths: str, meta: dict[str, object] | None = None, settings: dict[str, object] | None = None):
    """Return the items of a crawl of files, and the commands that the server got."""
    with served() as server:

        class Some(Files):
            urls = tuple(f"ftp://{server.place}{path}" for path in paths)

        Some.meta = meta or {}
        ran = await run_scrapy(Some, {}, settings)
        for item in ran.items:
            if "url" in item:
                item["url"] = item["url"].replace(server.place, "host")
        return ran.items, server.said


async def test_a_file_is_a_response():
    items, said = await items_of("/a%20b.txt")
    fields = {"Local Filename": "", "Size": "5"}
    assert items == [{"status": 200, "body": "hello", "fields": fields, "url": "ftp://host/a%20b.txt"}]
    assert said[:2] == ["USER anonymous", "PASS guest"]
    assert "RETR /a b.txt" in said


async def test_a_file_can_be_written_with_another_user(tmp_path):
    name = tmp_path / "local"
    meta = {"ftp_user": "ann", "ftp_password": "word", "ftp_local_filename": str(name).encode()}
    [item], said = await items_of("/a%20b.txt", meta=meta)
    assert said[:2] == ["USER ann", "PASS word"]
    assert (item["body"], item["fields"]) == (str(name), {"Local Filename": str(name), "Size": "5"})
    assert name.read_bytes() == b"hello"


@pytest.mark.parametrize(
    ("path", "status", "words"), [("/none", 404, "['550 no such file']"), ("/busy", 503, "['450 busy']")]
)
async def test_a_file_that_cannot_be_had_has_a_status(path, status, words):
    [item], _ = await items_of(path, settings={"RETRY_TIMES": 0})
    assert item == {"error": "HttpError", "status": [status, words]}


async def test_a_refused_user_is_an_error():
    items, _ = await items_of("/a%20b.txt", settings={"FTP_PASSWORD": "wrong"})
    assert items == [{"error": "ConnectionLost", "status": None}]


async def test_a_server_that_is_not_there_is_an_error():
    with served() as server:
        place = server.place

    class Gone(Files):
        urls = (f"ftp://{place}/a",)

    [item] = (await run_scrapy(Gone, {}, {"RETRY_TIMES": 0})).items
    assert item == {"error": "ConnectionRefusedError", "status": None}


async def test_a_handler_that_derives_from_scrapys_own_is_run():
    class Strict(FTPDownloadHandler):
        CODE_MAPPING = {"default": 500}

    [item], _ = await items_of("/none", settings={"RETRY_TIMES": 0, "DOWNLOAD_HANDLERS": {"ftp": Strict}})
    assert item["status"] == [500, "['550 no such file']"]
