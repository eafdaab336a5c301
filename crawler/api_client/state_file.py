"""`StateFile`: what is known of limits, from one run to the next: one JSON file, of one process at a time."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler.errors import ConfigError
from crawler.files import locked, replace_file
from crawler.limits.registry import Limits

__all__ = ["StateFile"]

FORMAT: Final = "crawler limits"
VERSION: Final = 1
log = logging.getLogger("crawler.fetch")


class StateFile:
    """Where limits are kept. Only its owner may read it: budgets may be named after keys.

    A file beside it, with ``.lock`` at its end, is locked (flock) while it is in use, and stays.

    Parameters:
        path: of the file; its folder must be there.
        limits: what is kept.
    """

    def __init__(self, path: str | os.PathLike[str], limits: Limits) -> None:
        self._path = Path(path)
        self._limits = limits
        self._written = b""

    @contextlib.contextmanager
    def opened(self, now: float) -> Iterator[None]:
        """Takes up where the last run left off, and keeps the file to ourselves meanwhile.

        Where that run broke off, one delay passes first, and one request at a time finds out what is left of quotas.

        Raises:
            ConfigError: it is not ours, is damaged or in use, or cannot be read or written.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(self._path.with_name(f"{self._path.name}.lock"), mode=0o600))
            except BlockingIOError:
                raise ConfigError(f"state {self._path} is in use by another client") from None
            except OSError as error:
                raise ConfigError(f"state {self._path} cannot be kept: {_why(error)}") from error
            self._restore(now)
            yield

    def save(self, document: bytes) -> None:
        """Writes it, if it has changed. A disk that is full is logged, and no more: the requests went well.

        Parameters:
            document: what `encode` gave.
        """
        if document == self._written:
            return
        try:
            self._write(document)
        except OSError as error:
            log.warning("state %s was not written: %s", self._path, _why(error))

    def encode(self, *, clean: bool) -> bytes:
        """What the file is to hold.

        Parameters:
            clean: whether nothing is in flight, and nothing will be.
        """
        head = {"format": FORMAT, "version": VERSION, "clean": clean}
        return msgspec.json.format(msgspec.json.encode(head | {"scopes": self._limits.state()}), indent=1) + b"\n"

    def _restore(self, now: float) -> None:
        found = self._read()
        if found is not None:
            self._limits.restore(found["scopes"])
            if found.get("clean") is not True:
                self._limits.resume(now)
        try:
            self._write(self.encode(clean=False))
        except OSError as error:
            raise ConfigError(f"state {self._path} cannot be written: {_why(error)}") from error

    def _read(self) -> dict[str, Any] | None:
        try:
            document = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"state {self._path} cannot be read: {_why(error)}") from error
        advice = "move it away to begin anew"
        try:
            found = msgspec.json.decode(document)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ConfigError(f"state {self._path} is damaged, or no state of ours: {advice}") from None
        if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("scopes"), dict):
            raise ConfigError(f"state {self._path} is no state of ours: {advice}")
        if found.get("version") != VERSION:
            raise ConfigError(f"state {self._path} is of version {found.get('version')}, not {VERSION}: {advice}")
        return found

    def _write(self, document: bytes) -> None:
        """All of it or nothing: a new file takes the place of the old one."""
        with replace_file(self._path, mode=0o600, sync=True, sole_writer=True) as file:
            file.write(document)
        self._written = document


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
