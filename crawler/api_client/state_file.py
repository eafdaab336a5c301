"""`StateFile`: a JSON file that keeps what is known of limits from one client to the next."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler.errors import ConfigError
from crawler.files import PRIVATE, error_reason, locked, replace_file
from crawler.limits.registry import Limits
from crawler.logs import get_logger

__all__ = ["StateFile"]

FORMAT: Final = "crawler limits"
VERSION: Final = 1
log = get_logger("crawler.fetch")


class StateFile:
    """The file with the state of limits. Only its owner may read it: names of budgets may contain keys.

    While it is in use, a file of its name with the ending ``.lock`` is locked (flock); that file stays.
    """

    def __init__(self, path: str | os.PathLike[str], limits: Limits) -> None:
        self._path = Path(path)
        self._limits = limits
        self._written = b""

    @contextlib.contextmanager
    def opened(self, now: float) -> Iterator[None]:
        """Lock the file and restore the limits from it.

        If the last client did not close, one delay passes before the first start, and single requests find out what is
        left of quotas.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(self._path.with_name(f"{self._path.name}.lock")))
            except BlockingIOError:
                raise ConfigError(f"state {self._path} is in use by another client") from None
            except OSError as error:
                raise ConfigError(f"state {self._path} cannot be opened: {error_reason(error)}") from error
            self._restore(now)
            yield

    def save(self, document: bytes) -> None:
        """Write the file if it has changed. A failure is only logged, since the requests themselves succeeded."""
        if document == self._written:
            return
        try:
            self._write(document)
        except OSError as error:
            log.warning("state %s was not written: %s", self._path, error_reason(error))

    def encode(self, *, clean: bool) -> bytes:
        """Return the content of the file."""
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
            raise ConfigError(f"state {self._path} cannot be written: {error_reason(error)}") from error

    def _read(self) -> dict[str, Any] | None:
        try:
            document = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"state {self._path} cannot be read: {error_reason(error)}") from error
        advice = "move it away to start without it"
        try:
            found = msgspec.json.decode(document)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ConfigError(f"state {self._path} is damaged, or not a state file: {advice}") from None
        if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("scopes"), dict):
            raise ConfigError(f"state {self._path} is not a state file: {advice}")
        if found.get("version") != VERSION:
            raise ConfigError(f"state {self._path} has version {found.get('version')}, not {VERSION}: {advice}")
        return found

    def _write(self, document: bytes) -> None:
        """Replace the file in one step."""
        with replace_file(self._path, mode=PRIVATE, sync=True, sole_writer=True) as file:
            file.write(document)
        self._written = document
