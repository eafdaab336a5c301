"""`late_mail`: the mail of `scrapy.mail`."""

from __future__ import annotations

import smtplib
from importlib import import_module

import pytest
import scrapy
from support.scrapy_site import SITE, run_scrapy


class Server:
    """What `smtplib.SMTP` does, written down."""

    calls: list[tuple[object, ...]] = []

    def __init__(self, *place, timeout):
        self.calls.append(place)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.calls.append(("quit",))

    def has_extn(self, name):
        return False

    def __getattr__(self, name):
        return lambda *args: self.calls.append((name, *args))


@pytest.fixture
def calls(monkeypatch):
    monkeypatch.setattr(smtplib, "SMTP", Server)
    Server.calls = []
    return Server.calls


pytestmark = pytest.mark.filterwarnings("ignore::scrapy.exceptions.ScrapyDeprecationWarning")  # of `scrapy.mail`


class Mailing(scrapy.Spider):
    name = "mailing"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        kind = import_module("scrapy.mail").MailSender
        sender = kind("mail.test", "me@site.test", "u", "p", smtptls=True)
        sender.send(to=["a@site.test"], subject="Done", body="text", cc=["b@site.test"])
        yield {"sent": True}


async def test_mail_is_sent(calls):
    ran = await run_scrapy(Mailing, {"/": "a"})
    assert ran.items == [{"sent": True}]
    host, _, tls, login, (name, sender, receivers, message), end = calls
    assert (host, tls, login, end) == (("mail.test", 25), ("starttls",), ("login", "u", "p"), ("quit",))
    assert (name, sender, receivers) == ("sendmail", "me@site.test", ["a@site.test", "b@site.test"])
    assert b"Subject: Done" in message


async def test_a_server_that_cannot_be_reached_is_logged(calls, monkeypatch, caplog):
    def refuse(*_, **__):
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(smtplib, "SMTP", refuse)
    assert (await run_scrapy(Mailing, {"/": "a"})).items == [{"sent": True}]
    assert "Unable to send mail" in caplog.text
