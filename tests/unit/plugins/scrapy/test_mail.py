"""The mail of `scrapy.mail` is sent."""

from __future__ import annotations

import socketserver
import threading
from importlib import import_module

import pytest
import scrapy
from support.scrapy_site import SITE, run_scrapy

pytestmark = pytest.mark.filterwarnings("ignore::scrapy.exceptions.ScrapyDeprecationWarning")  # of `scrapy.mail`


class Server(socketserver.StreamRequestHandler):
    """A mail server that takes everything."""

    def handle(self):
        """Talk SMTP, and keep what was said."""
        self.wfile.write(b"220 mail.test\r\n")
        in_message = False
        while line := self.rfile.readline():
            self.server.lines.append(line.strip())
            if in_message:
                in_message = line != b".\r\n"
                self.wfile.write(b"" if in_message else b"250 ok\r\n")
            elif line.strip().upper() == b"DATA":
                in_message = True
                self.wfile.write(b"354 go on\r\n")
            elif line.strip().upper() == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def server():
    with socketserver.TCPServer(("127.0.0.1", 0), Server) as made:
        made.lines = []
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


class Mailing(scrapy.Spider):
    name = "mailing"
    start_urls = [f"{SITE}/"]
    port = 0

    async def parse(self, response):
        kind = import_module("scrapy.mail").MailSender
        sender = kind("127.0.0.1", "me@site.test", smtpport=self.port)
        await sender.send(to=["a@site.test"], subject="Done", body="text", cc=["b@site.test"])
        yield {"sent": True}


async def test_mail_is_sent(server):
    ran = await run_scrapy(Mailing, {"/": "a"}, arguments={"port": server.server_address[1]})
    assert ran.items == [{"sent": True}]
    assert {b"MAIL FROM:<me@site.test>", b"RCPT TO:<a@site.test>", b"RCPT TO:<b@site.test>"} <= set(server.lines)
    assert b"Subject: Done" in server.lines


async def test_a_server_that_cannot_be_reached_is_logged(server, caplog):
    port = server.server_address[1]
    server.server_close()
    assert (await run_scrapy(Mailing, {"/": "a"}, arguments={"port": port})).items == []
    assert "Unable to send mail" in caplog.text
