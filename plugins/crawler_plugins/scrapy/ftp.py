"""`FtpHandler`: the download handler of ``ftp`` URLs. It needs no network of Twisted."""

from __future__ import annotations

import ftplib
import io
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import trio
from scrapy.http import Response
from scrapy.responsetypes import responsetypes

__all__ = ["FtpHandler"]

MISSING: Final = "550"
"""The code of a reply if there is no such file (RFC 959 section 4.2)."""
FAILURES: Final = (ftplib.error_perm, ftplib.error_temp)
"""Replies to a command that has failed."""


class FtpHandler:
    """Downloads files, each in a thread, with the settings and the keys of ``meta`` that Scrapy's own handler takes.

    Parameters:
        settings: The `scrapy.settings.Settings`.
    """

    def __init__(self, settings: Any) -> None:
        self._user = settings.get("FTP_USER") or ""
        self._password = settings.get("FTP_PASSWORD") or ""
        self._is_passive = settings.getbool("FTP_PASSIVE_MODE", True)
        self._timeout = settings.getfloat("DOWNLOAD_TIMEOUT") or None

    async def download_request(self, request: Any) -> Any:
        """Return the response of Scrapy to a request: the status is 404 for a missing file, 503 for another failure.

        Parameters:
            request: The request of Scrapy.

        Raises:
            OSError: The connection cannot be made, or it breaks.
            ftplib.Error: The server does not let the user in.
        """
        return await trio.to_thread.run_sync(self._download, request, abandon_on_cancel=True)

    def _download(self, request: Any) -> Any:
        parts, meta = urlsplit(request.url), request.meta
        timeout = float(meta.get("download_timeout") or 0) or self._timeout
        with closing(ftplib.FTP(timeout=timeout)) as server:  # noqa: S321 - the spider asks for it
            server.connect(parts.hostname or "", parts.port or ftplib.FTP_PORT)
            server.set_pasv(bool(meta.get("ftp_passive", self._is_passive)))
            server.login(meta.get("ftp_user", self._user), meta.get("ftp_password", self._password))
            return _retrieved(server, request.url, unquote(parts.path), meta.get("ftp_local_filename"))


def _retrieved(server: ftplib.FTP, url: str, path: str, name: bytes | str | None) -> Any:
    """Return the response with a file, or with the name of the local one that it has been written to.

    Parameters:
        server: The connection.
        url: The URL.
        path: The path of the file.
        name: The name of the local file; `None`: the body has the content.
    """
    local = name.decode() if isinstance(name, bytes) else name
    with Path(local).open("wb") if local else io.BytesIO() as file:
        try:
            server.retrbinary(f"RETR {path}", file.write)
        except FAILURES as error:
            status = 404 if str(error).startswith(MISSING) else 503
            return Response(url, status=status, body=str([str(error)]).encode())
        size = file.tell()
        body = local.encode() if local else file.getvalue()  # type: ignore[union-attr]
    headers = {"Local Filename": (local or "").encode(), "Size": size}
    return responsetypes.from_args(url=url, body=body)(url, status=200, body=body, headers=headers)
