"""`Errors`: group the failures of a crawl by their cause, in a file."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from pathlib import Path
from typing import Any

import msgspec
import trio

from crawler import BadStatus, ConfigError, Crawl, Failure, HookError, Plugin, Refused
from crawler_plugins.frames import Place, own_frames

__all__ = ["ErrorGroup", "Errors"]

MAX_TRACEBACK = 8000
"""Characters of the end of a traceback that are kept."""
log = logging.getLogger("crawler.plugins.errors")


class ErrorGroup(msgspec.Struct, kw_only=True):
    """Failures with the same cause: one line of the file."""

    fingerprint: str
    """Identifies the cause: the type of the exception and the functions of the user's code, whatever their lines."""
    count: int = 0
    """Number of failures."""
    type: str
    """Type of the exception, or kind of the failure: ``ValueError``, ``connect_failed.refused``."""
    message: str
    """Message of the first failure."""
    handler: str = ""
    """The plugin and the hook or callback that raised it: ``quotes.parse``. Empty for failures of the network."""
    place: str = ""
    """File, line and function of the innermost frame of the user's code."""
    first_url: str
    """The URL of the first failure."""
    last_url: str
    """The URL of the last failure."""
    first_at: float
    """Time of the first failure, in seconds since the epoch."""
    last_at: float
    """Time of the last failure, in seconds since the epoch."""
    traceback: str = ""
    """The traceback of the first failure."""


class Errors(Plugin):
    """Groups the failures of a crawl by their cause, as Sentry does, and keeps the groups in a file.

    Failures are those that the report counts as ``failed``: not a page that does not exist.

    A line of the file is a JSON object: the group with most failures comes first. It has the number of failures, the
    first and the last URL, and the traceback of the first failure, without secrets. The file is replaced while the
    crawl runs and at its end. A job keeps the groups, so they count all of its runs.

    Parameters:
        path: The file. One that exists is replaced.
        every: Seconds between two writes of the file, above 0.
        most: Number of groups, at least 1. Failures of further groups are counted as one group.

    Raises:
        ConfigError: An option is out of range, or the file cannot be written.
    """

    def __init__(self, *, path: Path = Path("errors.jsonl"), every: float = 10.0, most: int = 1000) -> None:
        if not 0 < every <= 86_400:
            raise ConfigError(f"errors: every must be above 0 and at most 86400 seconds, not {every}")
        if most < 1:
            raise ConfigError(f"errors: most must be at least 1 group, not {most}")
        if not path.name:
            raise ConfigError(f"errors: path must be a file, not {path}")
        self.path = path
        self.every = every
        self.most = most
        self.groups: dict[str, ErrorGroup] = {}
        """The groups so far, by fingerprint."""
        self._changed = False

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Continue with the groups of the job, and write the file while the crawl runs and at its end."""
        self.groups = {name: msgspec.convert(group, ErrorGroup) for name, group in self.state.items()}
        self._write(at_start=True)
        crawl.start_soon(self._keep_writing)
        try:
            yield
        finally:
            self._write()

    async def failed(self, failure: Failure) -> None:
        """Add a failure to its group. Definitive answers such as 404 are left out."""
        if isinstance(failure.error, Refused) or (isinstance(failure.error, BadStatus) and failure.error.status < 500):
            return
        cause = failure.error.__cause__ if isinstance(failure.error, HookError) else None
        places = [] if cause is None else own_frames(traceback.walk_tb(cause.__traceback__))
        kind = type(cause).__name__ if cause is not None else failure.error.full_reason
        name = _fingerprint(kind, places)
        if name not in self.groups and len(self.groups) >= self.most:
            name, kind, places, cause = "others", "others", [], None
        now = self.crawl.clock()
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = ErrorGroup(
                fingerprint=name,
                type=kind,
                message=str(failure.error),
                handler=f"{failure.error.plugin}.{failure.error.hook}" if isinstance(failure.error, HookError) else "",
                place="{}:{} {}".format(*places[-1]) if places else "",
                first_url=failure.request.shown_url,
                last_url="",
                first_at=now,
                last_at=now,
                traceback=failure.traceback[-MAX_TRACEBACK:] if cause is not None else "",
            )
        group.count += 1
        group.last_url, group.last_at = failure.request.shown_url, now
        self._changed = True
        # Not an effect of the page, which would overwrite what others count meanwhile.
        Context().run(self.state.__setitem__, name, msgspec.to_builtins(group))

    async def _keep_writing(self) -> None:
        while True:
            await trio.sleep(self.every)
            if self._changed:
                self._write()

    def _write(self, *, at_start: bool = False) -> None:
        """Replace the file."""
        ordered = sorted(self.groups.values(), key=lambda group: -group.count)
        draft = self.path.with_name(f".{self.path.name}.new")
        try:
            if self.path.exists() and not self.path.is_file():
                raise OSError(errno.EINVAL, "Not a regular file")  # a device would be replaced
            draft.write_bytes(b"".join(msgspec.json.encode(group) + b"\n" for group in ordered))
            os.replace(draft, self.path)  # noqa: PTH105 - no new Path object
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            if at_start:
                raise ConfigError(f"errors: cannot write {self.path}: {error.strerror}") from error
            log.warning("cannot write %s: %s", self.path, error.strerror)
        self._changed = False


def _fingerprint(kind: str, places: list[Place]) -> str:
    """Return the same text for the same cause: lines are left out, so that it survives changes of the code."""
    text: Any = "\n".join([kind, *(f"{file} {function}" for file, _, function in places)])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
