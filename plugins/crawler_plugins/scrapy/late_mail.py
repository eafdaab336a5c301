"""`LOADERS`: the standard library sends the mail of `scrapy.mail`, in a thread: Twisted has no connections here."""

from __future__ import annotations

import smtplib
from types import ModuleType
from typing import Any, Final

from crawler_plugins.scrapy.delegating_loader import DelegatingLoader

__all__ = ["LOADERS"]

TIMEOUT: Final = 30.0
"""Seconds for an answer of the mail server, as in Twisted."""


class _WithThreads(DelegatingLoader):
    """Loads the module, and changes how it sends."""

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module."""
        super().exec_module(module)
        kind: Any = vars(module)["MailSender"]
        kind._sendmail = _sendmail  # noqa: SLF001 - its seam to Twisted


def _sendmail(sender: Any, to_addrs: list[str], msg: bytes) -> Any:
    """Send a message, and return a Deferred."""
    from twisted.internet.threads import deferToThread  # noqa: PLC0415 - few projects send mail

    return deferToThread(_send, sender, to_addrs, msg)


def _send(sender: Any, to_addrs: list[str], msg: bytes) -> None:
    kind = smtplib.SMTP_SSL if sender.smtpssl else smtplib.SMTP
    with kind(sender.smtphost, sender.smtpport, timeout=TIMEOUT) as server:
        server.ehlo_or_helo_if_needed()
        if not sender.smtpssl and (sender.smtptls or server.has_extn("starttls")):
            server.starttls()
        if sender.smtpuser:
            server.login(sender.smtpuser.decode(), (sender.smtppass or b"").decode())
        server.sendmail(sender.mailfrom, to_addrs, msg)


LOADERS: Final[dict[str, type[DelegatingLoader]]] = {"scrapy.mail": _WithThreads}
"""Modules that are loaded in another way than usual."""
